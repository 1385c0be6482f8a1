//! Metrics by HTTP: one path, one answer a connection. No more of HTTP is needed to be scraped.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::Summary;
use super::prometheus::{Progress, text};

const PATH: &str = "/metrics";
/// The content type of the text format.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// A request that takes longer, to come or to be answered, is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// A longer request is not one of a scraper.
const MAX_REQUEST: usize = 8 * 1024;
/// Connections at once. More wait until one is answered.
const CONNECTIONS: usize = 8;

/// Answers for ever.
pub(super) async fn serve(listener: TcpListener, summary: Summary) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let summary = summary.clone();
                tokio::spawn(async move {
                    // Who does not wait for the answer does not need it.
                    let _ = tokio::time::timeout(PATIENCE, answer(stream, &summary)).await;
                    drop(place);
                });
            }
            // Out of file handles, perhaps: others may be closed soon.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, summary: &Summary) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if request.len() > MAX_REQUEST || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    stream
        .write_all(response(&request, summary).as_bytes())
        .await?;
    stream.shutdown().await
}

fn response(request: &[u8], summary: &Summary) -> String {
    let line = request.split(|byte| *byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let mut words = line.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let path = path.split('?').next();
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    let (status, body) = match (is_http, method, path) {
        (false, ..) => ("400 Bad Request", String::new()),
        (_, Some("GET" | "HEAD"), Some(PATH)) => match text(summary, Progress::Running) {
            Ok(text) => ("200 OK", text),
            Err(_) => ("500 Internal Server Error", String::new()),
        },
        (_, Some("GET" | "HEAD"), _) => ("404 Not Found", format!("metrics are at {PATH}\n")),
        _ => ("405 Method Not Allowed\r\nAllow: GET, HEAD", String::new()),
    };
    let length = body.len();
    let body = if method == Some("HEAD") { "" } else { &body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {TEXT_FORMAT}\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_gets_its_answer() {
        for (request, status, has_body) in [
            ("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", "200 OK", true),
            ("GET /metrics?a=b HTTP/1.0\r\n\r\n", "200 OK", true),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK", false),
            ("GET / HTTP/1.1\r\n\r\n", "404 Not Found", true),
            (
                "POST /metrics HTTP/1.1\r\n\r\n",
                "405 Method Not Allowed",
                false,
            ),
            ("\u{16}\u{3}\r\n\r\n", "400 Bad Request", false),
            ("\r\n\r\n", "400 Bad Request", false),
        ] {
            let response = response(request.as_bytes(), &Summary::default());
            assert!(
                response.starts_with(&format!("HTTP/1.1 {status}\r\n")),
                "{response}"
            );
            assert_eq!(!response.ends_with("\r\n\r\n"), has_body, "{response}");
        }
    }
}
