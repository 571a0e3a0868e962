//! Connections read by hand: what came on each, and many at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::signed::Stream;
use crate::signed::Target;

/// Reads the head of one answer, and its body where the head has a length.
///
/// # Panics
///
/// When the connection ends or breaks first, or nothing comes for long.
pub async fn read_answer(stream: &mut Box<dyn Stream>) -> String {
    let mut text = Vec::new();
    loop {
        let seen = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = seen.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let length = lines.find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                return seen;
            }
        }
        let read = timeout(LONG, stream.read_buf(&mut text)).await;
        let bytes = read.expect("an answer comes").expect("no reset");
        assert!(bytes > 0, "closed after {seen:?}");
    }
}

/// The answers to one request on so many connections that are opened at once, and stay open until all are
/// answered.
///
/// # Panics
///
/// When one has no answer.
pub async fn answers_at_once(target: &Target, request: &[u8], count: usize) -> Vec<String> {
    let start = Arc::new(Barrier::new(count));
    let clients = (0..count).map(|_| {
        let (start, target, request) = (Arc::clone(&start), target.clone(), request.to_vec());
        tokio::spawn(async move {
            start.wait().await;
            let mut stream = target.connect().await.unwrap();
            stream.write_all(&request).await.unwrap();
            let answer = read_answer(&mut stream).await;
            (stream, answer)
        })
    });
    let mut answered = Vec::new();
    for client in clients.collect::<Vec<_>>() {
        answered.push(client.await.unwrap());
    }
    answered.into_iter().map(|(_, answer)| answer).collect()
}

/// Longer than any answer takes.
const LONG: Duration = Duration::from_secs(60);
