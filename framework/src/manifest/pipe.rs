//! Bytes that a task brings in, read on a thread.

use std::io::{Error, ErrorKind, Read, Result};

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;

/// Pieces that wait to be read.
const PIECES: usize = 4;

/// `None` is the end: that of a task which has ended badly must not look like it.
type Piece = Result<Option<Bytes>>;

/// The reading end.
pub(super) struct Pipe {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    ended: bool,
}

/// Starts a task that reads `stream`.
pub(super) fn of(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Pipe {
    let (sender, pieces) = mpsc::channel(PIECES);
    tokio::spawn(async move {
        let mut stream = std::pin::pin!(stream);
        loop {
            let piece = stream.next().await.transpose();
            let last = !matches!(piece, Ok(Some(_)));
            if sender.send(piece).await.is_err() || last {
                break;
            }
        }
    });
    Pipe {
        pieces,
        current: Bytes::new(),
        ended: false,
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(Some(piece))) => self.current = piece,
                Some(Ok(None)) => self.ended = true,
                Some(Err(error)) => return Err(error),
                None => {
                    let problem = "it ended before it was read to its end";
                    return Err(Error::new(ErrorKind::UnexpectedEof, problem));
                }
            }
        }
        let length = self.current.len().min(buffer.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(stream: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Result<String> {
        let mut pipe = of(stream);
        let text = tokio::task::spawn_blocking(move || std::io::read_to_string(&mut pipe));
        text.await.expect("no panic")
    }

    #[tokio::test]
    async fn only_a_whole_stream_ends() {
        use futures_util::stream::iter;

        let pieces = || ["one ", "", "two"].map(|it| Ok(Bytes::from_static(it.as_bytes())));
        assert_eq!(read(iter(pieces())).await.expect("whole"), "one two");
        let failing = pieces().into_iter().chain([Err(Error::other("gone"))]);
        assert!(read(iter(failing.collect::<Vec<_>>())).await.is_err());
        let panicking = iter(pieces()).map(|piece| match piece {
            Ok(piece) if piece == "two" => panic!("for the test"),
            piece => piece,
        });
        let error = read(panicking).await.expect_err("ended badly");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
