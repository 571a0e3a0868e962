//! Folders of the earlier embedded backend become objects of the index, and none is lost.

use std::fs;
use std::path::Path;
use std::time::Duration;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::embedded::buckets;
use crate::embedded::store::Place;
use crate::embedded::store::Store;
use crate::embedded::takeover;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::disk::Failure;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::open;

/// Writes an object as `s3s-fs` does.
fn write(root: &Path, (bucket, key): (&str, &str), bytes: &[u8], etag: &str) {
    let path = root.join(bucket).join(key.trim_start_matches('/'));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
    let file = fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(written).unwrap();
    let record = |ending: &str, text: String| {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let name = format!(".bucket-{}.object-{}{ending}", encode(bucket), encode(key));
        fs::write(root.join(name), text).unwrap();
    };
    let headers = format!(
        r#"{{"user_metadata":{{"envelope":"{key}"}},"content_type":"text/plain","expires":"2030-01-02T03:04:05.000Z"}}"#
    );
    record(".metadata.json", headers);
    record(
        ".internal.json",
        format!(r#"{{"e_tag":"{etag}","checksum_crc32":"AAAAAA=="}}"#),
    );
}

/// A folder with objects in two buckets, and what else there can be.
fn former(root: &Path) {
    write(root, ("one", "small"), b"few", "e1");
    write(root, ("one", "deep/er/large"), &vec![7; 3 * LARGE], "e2-2");
    write(root, ("one", "a//b"), b"folded", "e3");
    write(root, ("two", "ü ?"), b"", "e4");
    fs::write(root.join("two/bare"), b"without records").unwrap();
    fs::create_dir_all(root.join("two/folder")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    fs::write(root.join(".upload-1.json"), "\"key\"").unwrap();
    fs::write(root.join(".upload_id-1.part-1"), "part").unwrap();
    fs::write(root.join(".tmp.3.internal.part"), "part").unwrap();
}

async fn bytes(store: &Store, bucket: &str, key: &str) -> Vec<u8> {
    use futures_util::TryStreamExt as _;
    let (_, found, reader) = store.open_object(&place(bucket, key)).unwrap();
    let length = found.version.object.unwrap().length;
    let pieces: Vec<bytes::Bytes> = reader.stream(0, length).try_collect().await.unwrap();
    pieces.concat()
}

fn place(bucket: &str, key: &str) -> Place {
    Place {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        version: None,
    }
}

async fn check_taken_over(store: &Store) {
    let names = store.index.read(|snapshot| {
        Ok(buckets::all(&snapshot.buckets()?)?
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>())
    });
    assert_eq!(names.unwrap(), ["empty", "one", "two"]);
    for (bucket, key, expected) in [
        ("one", "small", b"few".to_vec()),
        ("one", "deep/er/large", vec![7; 3 * LARGE]),
        ("one", "a//b", b"folded".to_vec()),
        ("two", "ü ?", Vec::new()),
        ("two", "bare", b"without records".to_vec()),
    ] {
        assert_eq!(bytes(store, bucket, key).await, expected, "{bucket} {key}");
    }
}

#[tokio::test]
async fn a_folder_of_the_earlier_backend_is_taken_over_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("backend");
    former(&root);
    let store = open(&TestDisk::with(Image::default()));
    assert_eq!(takeover::run(&store, &root).await.unwrap(), 5);
    check_taken_over(&store).await;
    assert!(!root.exists());
    let (_, found) = store.find(&place("one", "small")).unwrap();
    assert_eq!(found.version.modified_ms, 1_000_000_000);
    let object = found.version.object.unwrap();
    let headers: Vec<(&str, &[u8])> = object
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_slice()))
        .collect();
    let expected: [(&str, &[u8]); 3] = [
        ("content-type", b"text/plain"),
        ("expires", b"Wed, 02 Jan 2030 03:04:05 GMT"),
        ("x-amz-meta-envelope", b"small"),
    ];
    assert_eq!(headers, expected);
    assert_eq!(
        (object.etag.as_str(), object.checksum.is_some()),
        ("e1", true)
    );
    // What was completed from parts has the checksum of an object before it.
    let (_, found) = store.find(&place("one", "deep/er/large")).unwrap();
    assert_eq!(found.version.object.unwrap().checksum, None);
    let (_, found) = store.find(&place("two", "bare")).unwrap();
    assert_eq!(found.version.object.unwrap().etag.len(), 32);
    assert_eq!(takeover::run(&store, &root).await.unwrap(), 0);
}

#[tokio::test]
async fn an_object_that_was_taken_over_before_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("backend");
    write(&root, ("one", "small"), b"few", "e1");
    let store = open(&TestDisk::with(Image::default()));
    takeover::run(&store, &root).await.unwrap();
    // The files of an object that is in the index: the process ended before they were removed.
    write(&root, ("one", "small"), b"few", "other");
    takeover::run(&store, &root).await.unwrap();
    let (_, found) = store.find(&place("one", "small")).unwrap();
    assert_eq!(found.version.object.unwrap().etag, "e1");
    assert!(!root.exists());
}

#[tokio::test]
async fn a_takeover_that_the_disk_interrupts_goes_on_at_the_next_start() {
    for writes in [1, 4, 9, 16, 30] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("backend");
        former(&root);
        let disk = TestDisk::with(Image::default());
        let store = open(&disk);
        disk.fail(Some(Failure {
            after: writes,
            lasts: 1_000,
            errno: EIO,
        }));
        let interrupted = takeover::run(&store, &root).await;
        drop(store);
        disk.fail(None);
        assert!(interrupted.is_err() || !root.exists());
        let store = open(&disk);
        takeover::run(&store, &root).await.unwrap();
        check_taken_over(&store).await;
        assert!(!root.exists());
    }
}

#[tokio::test]
async fn a_file_that_the_earlier_backend_did_not_write_stays() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("backend");
    write(&root, ("one", "small"), b"few", "e1");
    fs::write(root.join("notes.txt"), "mine").unwrap();
    let store = open(&TestDisk::with(Image::default()));
    takeover::run(&store, &root).await.unwrap();
    assert_eq!(fs::read(root.join("notes.txt")).unwrap(), b"mine");
    assert_eq!(bytes(&store, "one", "small").await, b"few");
}

/// The system's number of an error of the disk.
const EIO: i32 = 5;
