//! Reading the input: whole lines, in large chunks, on a thread of its own.
//!
//! Standard input is blocking, so it is read off the async runtime. The channel holds two chunks:
//! when the sink is slow, reading stops, and with it the tap. A line may span many reads but never
//! takes more memory than `max_line_bytes`.

use std::io::Read;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use tokio::sync::mpsc;

use crate::run_error::RunError;

/// How much is read at once. A pipe gives 64 KiB at most, a file as much as is asked for.
const READ_SIZE: usize = 128 * 1024;

/// Buffers that are longer, since a line was, are not used again.
const LARGEST_SPARE: usize = 4 * READ_SIZE;

/// Whole lines of the input.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The lines, and room that was not needed.
    buffer: Vec<u8>,
    length: usize,
    first_line: u64,
    /// Where the buffer is filled again.
    reader: SyncSender<Vec<u8>>,
}

impl Chunk {
    /// The lines with their numbers, counted from 1, without line ends. Blank ones are left out.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let data = &self.buffer[..self.length];
        let ends = memchr::memchr_iter(b'\n', data).chain([data.len()]);
        let mut start = 0;
        ends.map(move |end| &data[std::mem::replace(&mut start, end + 1)..end])
            .zip(self.first_line..)
            .map(|(line, number)| (number, without_mark(line, number)))
            .filter(|(_, line)| !line.trim_ascii().is_empty())
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        if self.buffer.len() <= LARGEST_SPARE {
            // The reader is gone, or has spare buffers enough.
            let _ = self.reader.try_send(std::mem::take(&mut self.buffer));
        }
    }
}

/// Some tools begin a file with a byte order mark.
fn without_mark(line: &[u8], number: u64) -> &[u8] {
    match line.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) if number == 1 => rest,
        _ => line,
    }
}

/// Starts reading `input` to its end. The last item is an error if reading failed.
pub(crate) fn spawn(
    input: impl Read + Send + 'static,
    max_line_bytes: usize,
) -> Result<mpsc::Receiver<Result<Chunk, RunError>>, RunError> {
    let (sender, receiver) = mpsc::channel(2);
    std::thread::Builder::new()
        .name("reader".to_owned())
        .spawn(move || {
            let mut reader = Reader::new(input, max_line_bytes);
            while let Some(chunk) = reader.next().transpose() {
                let failed = chunk.is_err();
                // The receiver is gone when the run has ended; then there is nobody to read for.
                if sender.blocking_send(chunk).is_err() || failed {
                    break;
                }
            }
        })
        .map_err(|source| RunError::io("cannot start the thread that reads the input", source))?;
    Ok(receiver)
}

struct Reader<R> {
    input: R,
    max_line_bytes: usize,
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    next_line: u64,
    /// Buffers of chunks that were taken in. A new one has to be zeroed first, for nothing.
    spare: Receiver<Vec<u8>>,
    keep: SyncSender<Vec<u8>>,
}

impl<R: Read> Reader<R> {
    fn new(input: R, max_line_bytes: usize) -> Self {
        let (keep, spare) = sync_channel(2);
        Self {
            input,
            max_line_bytes,
            rest: Vec::new(),
            next_line: 1,
            spare,
            keep,
        }
    }

    /// The next whole lines; `None` at the end of the input.
    fn next(&mut self) -> Result<Option<Chunk>, RunError> {
        let mut buffer = self.spare.try_recv().unwrap_or_default();
        let mut length = self.rest.len();
        if buffer.len() < length {
            buffer.resize(length, 0);
        }
        buffer[..length].copy_from_slice(&self.rest);
        self.rest.clear();
        loop {
            if buffer.len() < length + READ_SIZE {
                buffer.resize(length + READ_SIZE, 0);
            }
            let read = self.read(&mut buffer[length..length + READ_SIZE])?;
            if read == 0 {
                return Ok((length > 0).then(|| self.chunk(buffer, length)));
            }
            let fresh = &buffer[length..length + read];
            if let Some(line_end) = memchr::memrchr(b'\n', fresh) {
                self.rest.extend_from_slice(&fresh[line_end + 1..]);
                return Ok(Some(self.chunk(buffer, length + line_end)));
            }
            length += read;
            self.check_line(length)?;
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, RunError> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(RunError::io("cannot read the input", error)),
                Ok(read) => return Ok(read),
            }
        }
    }

    fn chunk(&mut self, buffer: Vec<u8>, length: usize) -> Chunk {
        let first_line = self.next_line;
        self.next_line += 1 + memchr::memchr_iter(b'\n', &buffer[..length]).count() as u64;
        Chunk {
            buffer,
            length,
            first_line,
            reader: self.keep.clone(),
        }
    }

    fn check_line(&self, length: usize) -> Result<(), RunError> {
        check_length(self.next_line, length, self.max_line_bytes)
    }
}

/// Refuses a line that is longer than `max_line_bytes`.
pub(crate) fn check_length(line: u64, length: usize, max: usize) -> Result<(), RunError> {
    if length <= max {
        return Ok(());
    }
    Err(RunError::input(
        line,
        format!("longer than {max} bytes (setting max_line_bytes)"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its bytes in pieces of a fixed size, as pipes do.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let (now, later) = self.0.split_at(self.1.min(self.0.len()).min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    fn lines(input: &[u8], piece: usize, max: usize) -> Result<Vec<(u64, String)>, RunError> {
        let mut reader = Reader::new(Pieces(input, piece), max);
        let mut all = Vec::new();
        while let Some(chunk) = reader.next()? {
            all.extend(
                chunk
                    .lines()
                    .map(|(n, line)| (n, String::from_utf8_lossy(line).into_owned())),
            );
        }
        Ok(all)
    }

    #[test]
    fn lines_keep_their_numbers_however_they_arrive() {
        let input = b"\xef\xbb\xbfone\n\n  \r\nfour\r\n\nsix";
        for piece in 1..20 {
            let got = lines(input, piece, 100).expect("fine");
            assert_eq!(
                got,
                [
                    (1, "one".to_owned()),
                    (4, "four\r".to_owned()),
                    (6, "six".to_owned())
                ],
                "in pieces of {piece}"
            );
        }
        assert_eq!(lines(b"", 5, 10).expect("fine"), []);
        assert_eq!(lines(b"\n\n", 1, 10).expect("fine"), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_an_error_with_its_number() {
        let error = lines(b"short\nmuch too long\n", 3, 8).expect_err("too long");
        assert_eq!(
            error.to_string(),
            "line 2: longer than 8 bytes (setting max_line_bytes)"
        );
    }
}
