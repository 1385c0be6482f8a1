//! A connection to a NATS server that does nothing but move bytes.
//!
//! A ceiling must cost as little as a client can, so this is one blocking socket on one thread: no
//! runtime, no queue between tasks, no allocation for a message. It does not reconnect, and knows
//! neither TLS nor credentials.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Bytes are sent when this many have gathered.
const OUTPUT_BYTES: usize = 64 * 1024;
/// The room for what comes in; grows when a message is larger.
const INPUT_BYTES: usize = 256 * 1024;
/// How long a read waits at a time.
const TICK: Duration = Duration::from_secs(1);
/// A server that owes us a message for this many of them has failed.
const PATIENCE: u32 = 60;

/// See the module.
pub(crate) struct Wire {
    socket: TcpStream,
    output: Vec<u8>,
    input: Vec<u8>,
    /// What of `input` is read from the socket and not handed out yet.
    read: std::ops::Range<usize>,
}

/// A message to publish.
pub(crate) struct Outgoing<'a> {
    pub(crate) subject: &'a [u8],
    pub(crate) reply: &'a [u8],
    /// A whole header block, from `NATS/1.0` to the empty line, or nothing.
    pub(crate) headers: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// A message that came in.
pub(crate) struct Incoming<'a> {
    pub(crate) headers: &'a [u8],
    pub(crate) payload: &'a [u8],
}

/// A line of the protocol, as far as we care.
enum Line {
    /// A message follows; the sizes of its headers and of both together.
    Message {
        headers: usize,
        total: usize,
    },
    Ping,
    Pong,
    Other,
}

impl Wire {
    /// Connects to `address`, such as `127.0.0.1:4222`, and waits until the server is ready.
    pub(crate) fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).expect("the server takes connections");
        socket.set_nodelay(true).expect("a socket can do that");
        socket
            .set_read_timeout(Some(TICK))
            .expect("a socket can do that");
        let mut wire = Self {
            socket,
            output: Vec::with_capacity(2 * OUTPUT_BYTES),
            input: vec![0; INPUT_BYTES],
            read: 0..0,
        };
        let options = r#"{"verbose":false,"pedantic":false,"headers":true,"no_responders":true}"#;
        wire.output
            .extend_from_slice(format!("CONNECT {options}\r\nPING\r\n").as_bytes());
        wire.flush();
        while !matches!(wire.line(), Some(Line::Pong)) {}
        wire
    }

    /// Asks for the messages under `subject`.
    pub(crate) fn subscribe(&mut self, subject: &str) {
        self.output
            .extend_from_slice(format!("SUB {subject} 1\r\n").as_bytes());
    }

    /// Publishes; sends when enough has gathered.
    pub(crate) fn publish(&mut self, message: &Outgoing<'_>) {
        let Outgoing {
            subject,
            reply,
            headers,
            payload,
        } = message;
        let out = &mut self.output;
        out.extend_from_slice(if headers.is_empty() {
            b"PUB "
        } else {
            b"HPUB "
        });
        out.extend_from_slice(subject);
        out.push(b' ');
        out.extend_from_slice(reply);
        out.push(b' ');
        if !headers.is_empty() {
            push_number(out, headers.len() as u64);
            out.push(b' ');
        }
        push_number(out, (headers.len() + payload.len()) as u64);
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(headers);
        out.extend_from_slice(payload);
        out.extend_from_slice(b"\r\n");
        if out.len() >= OUTPUT_BYTES {
            self.flush();
        }
    }

    /// Sends what has gathered.
    pub(crate) fn flush(&mut self) {
        self.socket
            .write_all(&self.output)
            .expect("the server takes what we send");
        self.output.clear();
    }

    /// The next message; waits for it, and sends first what has gathered.
    ///
    /// # Panics
    /// If none comes.
    pub(crate) fn next(&mut self) -> Incoming<'_> {
        self.next_within(PATIENCE)
            .expect("the server answers in time")
    }

    /// The next message, if it comes within this many seconds.
    pub(crate) fn next_within(&mut self, seconds: u32) -> Option<Incoming<'_>> {
        let mut quiet = 0;
        loop {
            match self.line() {
                Some(Line::Message { headers, total }) => {
                    let end_of_message = total + b"\r\n".len();
                    while self.read.len() < end_of_message {
                        assert!(self.fill(), "the server stops in a message");
                    }
                    let start = self.read.start;
                    self.read.start += end_of_message;
                    return Some(Incoming {
                        headers: &self.input[start..start + headers],
                        payload: &self.input[start + headers..start + total],
                    });
                }
                Some(Line::Ping) => {
                    self.output.extend_from_slice(b"PONG\r\n");
                    self.flush();
                }
                Some(Line::Pong | Line::Other) => {}
                None => quiet += 1,
            }
            if quiet == seconds {
                return None;
            }
        }
    }

    /// Whether some of what has come in was not handed out yet.
    pub(crate) fn has_input(&self) -> bool {
        !self.read.is_empty()
    }

    /// Takes a line, if it comes within a tick.
    fn line(&mut self) -> Option<Line> {
        let mut searched = 0;
        loop {
            let unread = &self.input[self.read.clone()];
            if let Some(end) = unread[searched..].iter().position(|byte| *byte == b'\n') {
                let line = unread[..searched + end].trim_ascii_end();
                let found = Line::of(line);
                self.read.start += searched + end + 1;
                return Some(found);
            }
            searched = unread.len();
            if !self.fill() {
                return None;
            }
        }
    }

    /// Reads more from the socket, if it comes within a tick.
    fn fill(&mut self) -> bool {
        if !self.output.is_empty() {
            self.flush();
        }
        if self.read.end == self.input.len() {
            if self.read.start == 0 {
                self.input.resize(2 * self.input.len(), 0);
            }
            self.input.copy_within(self.read.clone(), 0);
            self.read = 0..self.read.len();
        }
        let count = match self.socket.read(&mut self.input[self.read.end..]) {
            Ok(0) => panic!("the server closed the connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(error) => panic!("the connection broke: {error}"),
        };
        self.read.end += count;
        true
    }
}

impl Line {
    fn of(line: &[u8]) -> Self {
        let size = |field: Option<&[u8]>| {
            field
                .and_then(number)
                .and_then(|size| usize::try_from(size).ok())
                .expect("a message's line ends with its size")
        };
        let mut from_end = line.rsplit(|byte| *byte == b' ');
        if line.starts_with(b"MSG ") {
            let total = size(from_end.next());
            Self::Message { headers: 0, total }
        } else if line.starts_with(b"HMSG ") {
            let total = size(from_end.next());
            let headers = size(from_end.next());
            Self::Message { headers, total }
        } else if line == b"PING" {
            Self::Ping
        } else if line == b"PONG" {
            Self::Pong
        } else if line.starts_with(b"-ERR") {
            panic!("the server says: {}", String::from_utf8_lossy(line));
        } else {
            Self::Other
        }
    }
}

/// A number in digits.
pub(crate) fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.trim().parse().ok()
}

/// Appends a number in digits.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut start = digits.len();
    let mut rest = number;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}
