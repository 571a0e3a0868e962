//! The port of the embedded backend itself, which opens for fixtures.

use tests::connections::read_answer;
use tests::signed::Stream;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::Fixture;

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_arrives_and_announces_the_close() {
    let fixture = Fixture::start().await;
    let host = fixture.backend_endpoint.trim_start_matches("http://");
    let bytes = 8 << 20;
    let stream = TcpStream::connect(host).await.unwrap();
    let mut stream: Box<dyn Stream> = Box::new(stream);
    let head =
        format!("PUT /bucket/key HTTP/1.1\r\nhost: {host}\r\ncontent-length: {bytes}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // All of it is taken, or the answer would be lost in a reset.
    stream.write_all(&vec![b'x'; bytes]).await.unwrap();
    let answer = read_answer(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    assert!(answer.contains("connection: close\r\n"), "{answer}");
}
