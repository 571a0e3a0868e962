//! How bodies are read: by few opens, and far ahead only where few do.

use std::pin::Pin;

use futures_util::Stream;
use futures_util::StreamExt as _;

use super::*;
use crate::embedded::tests::disk::Image;

type Pieces = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// The pieces of the whole of an object.
fn pieces(store: &Store, key: &str) -> Pieces {
    let (_, found, reader) = store.open_object(&place(key)).unwrap();
    let length = found.version.object.unwrap().length;
    Box::pin(reader.stream(0, length))
}

#[tokio::test]
async fn a_file_is_opened_once_for_all_pieces_of_a_read() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    let bytes: Vec<u8> = (0..3_500_000_u32).map(|at| at.to_le_bytes()[0]).collect();
    put(&store, "key", bytes.clone()).await.unwrap();
    let before = disk.opened();
    assert!(get(&store, "key").await.unwrap() == bytes);
    assert_eq!(disk.opened() - before, 1);
}

#[tokio::test]
async fn only_some_streams_read_far_ahead_and_others_do_when_those_end() {
    let disk = TestDisk::with(Image::default());
    let store = store_with_bucket(&disk).await;
    put(&store, "key", vec![7; 2 << 20]).await.unwrap();
    let mut far: Vec<Pieces> = (0..4).map(|_| pieces(&store, "key")).collect();
    for stream in &mut far {
        assert_eq!(stream.next().await.unwrap().unwrap().len(), 1 << 20);
    }
    let mut near = pieces(&store, "key");
    assert_eq!(near.next().await.unwrap().unwrap().len(), 256 << 10);
    drop(far.pop());
    let mut next = pieces(&store, "key");
    assert_eq!(next.next().await.unwrap().unwrap().len(), 1 << 20);
}
