//! Cuts what flows between a NATS client and a server into protocol messages.

/// Who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// The target.
    Client,
    /// The server.
    Server,
}

/// One protocol message: a control line with its payload, if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The connection, counted from 0 for each proxy.
    pub connection: usize,
    /// Who sent it.
    pub from: From,
    /// All its bytes.
    pub bytes: Vec<u8>,
    /// Where the payload begins; headers are a part of it.
    payload: usize,
}

impl Frame {
    /// Takes the first whole message out of `buffer`.
    pub(super) fn take(connection: usize, from: From, buffer: &mut Vec<u8>) -> Option<Self> {
        let line = buffer.windows(2).position(|two| two == b"\r\n")? + 2;
        let size = payload_size(&buffer[..line]).map_or(0, |size| size + 2);
        if buffer.len() < line + size {
            return None;
        }
        let rest = buffer.split_off(line + size);
        Some(Self {
            connection,
            from,
            bytes: std::mem::replace(buffer, rest),
            payload: line,
        })
    }

    /// Whether it is a write to a bucket.
    #[must_use]
    pub fn is_write(&self) -> bool {
        self.from == From::Client && self.subject().is_some_and(|it| it.starts_with("$KV."))
    }

    /// Whether it is a write of this key, whichever the bucket.
    #[must_use]
    pub fn is_write_of(&self, key: &str) -> bool {
        self.is_write()
            && self
                .subject()
                .and_then(|subject| subject.splitn(3, '.').nth(2))
                == Some(key)
    }

    /// Whether it is a marker that takes the place of a key's value in a bucket.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        self.is_write() && String::from_utf8_lossy(&self.bytes).contains("\r\nKV-Operation:")
    }

    /// Whether it is the server's acknowledgement of a write. Answers to reads have headers, and
    /// those of the JetStream API say what they are.
    #[must_use]
    pub fn is_ack(&self) -> bool {
        let payload = &self.bytes[self.payload..];
        self.bytes.starts_with(b"MSG ")
            && payload.starts_with(b"{")
            && !String::from_utf8_lossy(payload).contains("\"io.nats.jetstream.api.")
    }

    fn subject(&self) -> Option<&str> {
        let line = std::str::from_utf8(&self.bytes[..self.payload]).ok()?;
        let mut words = line.split_whitespace();
        matches!(words.next()?, "PUB" | "HPUB" | "MSG" | "HMSG").then(|| words.next())?
    }
}

/// What follows the control line, if it announces a payload.
fn payload_size(line: &[u8]) -> Option<usize> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split_whitespace();
    if !matches!(words.next()?, "PUB" | "HPUB" | "MSG" | "HMSG") {
        return None;
    }
    words.last()?.parse().ok()
}
