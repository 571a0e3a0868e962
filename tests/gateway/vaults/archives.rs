//! Archives: sealed at the backend, and stored only with the hashes that the client claims.

use serde_json::json;
use tests::expect::expect_no_canary;
use tests::expect::expect_no_value;

use crate::vaults::Call;
use crate::vaults::Glacier;
use crate::vaults::MIB;
use crate::vaults::STATE;
use crate::vaults::header;
use crate::vaults::tree_hash;

const WRONG: &str = "InvalidParameterValueException";

#[tokio::test]
async fn an_archive_is_stored_under_its_tree_hash() {
    let glacier = Glacier::with_vault().await;
    let call = Call::post("vaults/v/archives").content(vec![0; MIB + 1]);
    let answer = glacier.expect(call, 201).await;
    let vector = "28638dab8d5e1754a4ecb38b0ebe6df66c844f94aed142d4d0283d208bb786cd";
    assert_eq!(header(&answer, "x-amz-sha256-tree-hash"), vector);
    let id = header(&answer, "x-amz-archive-id");
    assert_eq!(id.len(), 138);
    let location = header(&answer, "location");
    assert!(location.ends_with(&format!("/vaults/v/archives/{id}")));
}

#[tokio::test]
async fn the_backend_receives_neither_content_nor_description_nor_hashes() {
    let glacier = Glacier::with_vault().await;
    let content = b"archive-canary-".repeat(40_000);
    let call = Call::post("vaults/v/archives")
        .content(content.clone())
        .header("x-amz-archive-description", "description-canary-7f3a");
    glacier.expect(call, 201).await;
    let backend = &glacier.world.backend;
    expect_no_canary(backend, b"archive-canary-archive-canary-");
    expect_no_canary(backend, b"description-canary-7f3a");
    expect_no_value(backend, &hex::decode(tree_hash(&content)).unwrap());
    assert!(!glacier.stored("/content/").is_empty());
    for key in glacier.stored("vault") {
        let object = backend.object(STATE, &key).unwrap();
        let is_sealed = |name: &str| name.starts_with("x-amz-meta-");
        assert!(
            object.headers.iter().any(|(name, _)| is_sealed(name)),
            "{key}"
        );
    }
}

#[tokio::test]
async fn nothing_is_stored_with_a_hash_that_is_wrong_or_missing() {
    let glacier = Glacier::with_vault().await;
    let before = glacier.stored("vault-contents/");
    let large = vec![7; 2 * MIB];
    let other = tree_hash(b"other");
    let upload = || Call::post("vaults/v/archives").content(large.clone());
    for (call, code) in [
        (upload().header("x-amz-sha256-tree-hash", &other), WRONG),
        (upload().header("x-amz-sha256-tree-hash", "abc"), WRONG),
        (
            upload().header("x-amz-sha256-tree-hash", ""),
            "MissingParameterValueException",
        ),
        (Call::post("vaults/v/archives").content(""), WRONG),
        (
            upload().header("x-amz-archive-description", &"d".repeat(1_025)),
            WRONG,
        ),
    ] {
        glacier.refuse(call, code, 400).await;
        assert_eq!(glacier.stored("vault-contents/"), before);
    }
}

#[tokio::test]
async fn a_body_with_another_hash_than_was_signed_is_not_stored() {
    let glacier = Glacier::with_vault().await;
    let world = &glacier.world;
    for bytes in [10, 3 * MIB] {
        let call = Call::post("vaults/v/archives").content(vec![1; bytes]);
        let mut signed = call.sign(&world.main, world.now(), &world.host());
        let mut body = signed.body.to_vec();
        body[bytes - 1] = 2;
        signed.body = body.into();
        let answer = signed.send(&world.target()).await.unwrap();
        crate::vaults::expect_error(&answer, WRONG, 400);
        assert!(glacier.stored("/archives/").is_empty());
        assert!(glacier.stored("/content/").is_empty());
    }
}

#[tokio::test]
async fn an_archive_is_deleted_with_its_content_and_again_without_error() {
    let glacier = Glacier::with_vault().await;
    let id = glacier.upload(vec![3; MIB]).await;
    let path = format!("vaults/v/archives/{id}");
    for _ in 0..2 {
        glacier.expect(Call::delete(&path), 204).await;
        assert!(glacier.stored("vault-contents/").is_empty());
    }
    glacier
        .expect(Call::delete("vaults/v/archives/never-there"), 204)
        .await;
    glacier.expect(Call::delete("vaults/v"), 204).await;
}

#[tokio::test]
async fn an_archive_that_was_changed_at_the_backend_is_not_handed_out() {
    let glacier = Glacier::with_vault().await;
    let id = glacier.upload(vec![5; 100]).await;
    let document = json!({"Type": "archive-retrieval", "ArchiveId": id});
    let job = Call::post("vaults/v/jobs").json(&document);
    let job = header(&glacier.expect(job, 202).await, "x-amz-job-id");
    let [content] = &glacier.stored("/content/")[..] else {
        panic!("one object");
    };
    glacier.world.backend.tamper(STATE, content, |object| {
        let mut bytes = object.body.to_vec();
        let last = bytes.len() - 60;
        bytes[last] ^= 1;
        object.body = bytes.into();
    });
    let output = Call::get(&format!("vaults/v/jobs/{job}/output"));
    glacier
        .refuse(output, "ServiceUnavailableException", 500)
        .await;
}

#[tokio::test]
async fn clients_of_s3_do_not_see_where_archives_are() {
    let glacier = Glacier::with_vault().await;
    glacier.upload("hidden").await;
    let [content] = &glacier.stored("/content/")[..] else {
        panic!("one object");
    };
    let draft = tests::signed::Draft::new(http::Method::GET, STATE, content);
    let answer = glacier.world.send(draft).await;
    assert_eq!(answer.status(), 403);
}
