//! A key is its bytes: no path, no file, no other bucket.

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

#[tokio::test]
async fn a_key_is_taken_literally_whatever_it_looks_like() {
    let fixture = Fixture::start().await;
    let long = "k".repeat(1_024);
    let keys = [
        "a",
        "a/",
        "a//b",
        "a/b",
        "a/./b",
        "a/../b",
        "/lead",
        "trail//",
        "folder/",
        "p",
        "p/q",
        "back\\slash",
        "ключ",
        "e\u{301}",
        "é",
        "%2F",
        "a+b c",
        &long,
    ];
    for key in keys {
        fixture.put(key, key.as_bytes()).await;
    }
    for key in keys {
        assert_eq!(fixture.get(key).await, key.as_bytes(), "{key}");
    }
    let listed = fixture
        .s3
        .list_objects_v2()
        .bucket(BUCKET)
        .send()
        .await
        .unwrap();
    let names: Vec<&str> = listed.contents().iter().filter_map(|it| it.key()).collect();
    let mut sorted = keys.to_vec();
    sorted.sort_unstable();
    assert_eq!(names, sorted, "in the order of their bytes");
}

#[tokio::test]
async fn a_key_that_climbs_above_its_bucket_is_refused_and_changes_nothing() {
    let fixture = Fixture::start().await;
    fixture
        .s3
        .create_bucket()
        .bucket("other")
        .send()
        .await
        .unwrap();
    fixture.put_in("other", "victim", b"mine").await;
    for key in ["..", "../other/victim", "a/../../other/victim"] {
        let put = fixture.s3.put_object().bucket(BUCKET).key(key);
        assert_ne!(
            code(put.body(b"x".to_vec().into()).send().await),
            "",
            "{key}"
        );
        let delete = fixture.s3.delete_object().bucket(BUCKET).key(key);
        assert_ne!(code(delete.send().await), "", "{key}");
    }
    let get = fixture.s3.get_object().bucket("other").key("victim");
    let bytes = get.send().await.unwrap().body.collect().await.unwrap();
    assert_eq!(bytes.to_vec(), b"mine");
}

#[tokio::test]
async fn what_the_backend_holds_is_sealed_and_nothing_else() {
    let fixture = Fixture::start().await;
    let canary = "nobody but the client reads these bytes ".repeat(3_000);
    fixture.put("large", canary.as_bytes()).await;
    fixture.put("small", &canary.as_bytes()[..400]).await;
    let mut files = 0;
    let mut folders = vec![fixture.folder.path().join("store")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).unwrap();
            let found = bytes
                .windows(20)
                .any(|part| part == &canary.as_bytes()[..20]);
            assert!(!found, "{}", path.display());
        }
    }
    assert!(files >= 3, "the index, the lock and a body at least");
}
