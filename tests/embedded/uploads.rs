//! Uploads in parts.

use aws_sdk_s3::types::CompletedMultipartUpload;
use aws_sdk_s3::types::CompletedPart;

use crate::Fixture;
use crate::code;
use crate::fixture::BUCKET;

const PART: usize = 5 << 20;

async fn create(fixture: &Fixture) -> String {
    let create = fixture.s3.create_multipart_upload().bucket(BUCKET);
    let created = create.key("key").send().await.unwrap();
    created.upload_id().unwrap().to_owned()
}

async fn part(fixture: &Fixture, upload: &str, number: i32, bytes: Vec<u8>) -> CompletedPart {
    let put = fixture.s3.upload_part().bucket(BUCKET).key("key");
    let put = put.upload_id(upload).part_number(number);
    let put = put.body(bytes.into()).send().await.unwrap();
    let part = CompletedPart::builder().part_number(number);
    part.set_e_tag(put.e_tag().map(ToOwned::to_owned)).build()
}

async fn complete(fixture: &Fixture, upload: &str, parts: Vec<CompletedPart>) -> String {
    let parts = CompletedMultipartUpload::builder().set_parts(Some(parts));
    let complete = fixture.s3.complete_multipart_upload().bucket(BUCKET);
    let complete = complete.key("key").upload_id(upload);
    code(complete.multipart_upload(parts.build()).send().await)
}

#[tokio::test]
async fn an_upload_with_gaps_between_its_parts_is_completed_from_those_it_names() {
    let fixture = Fixture::start().await;
    let upload = create(&fixture).await;
    let parts = vec![
        part(&fixture, &upload, 3, vec![3; PART]).await,
        part(&fixture, &upload, 9, vec![9; 70_000]).await,
    ];
    part(&fixture, &upload, 5, vec![5; PART]).await;
    assert_eq!(complete(&fixture, &upload, parts).await, "");
    let expected = [vec![3; PART], vec![9; 70_000]].concat();
    assert!(fixture.get("key").await == expected);
    let uploads = fixture.s3.list_multipart_uploads().bucket(BUCKET);
    assert!(uploads.send().await.unwrap().uploads().is_empty());
}

#[tokio::test]
async fn a_completion_that_does_not_fit_is_refused_and_the_object_before_stays() {
    let fixture = Fixture::start().await;
    fixture.put("key", b"before").await;
    let upload = create(&fixture).await;
    let first = part(&fixture, &upload, 1, vec![1; PART]).await;
    let small = part(&fixture, &upload, 2, vec![2; 9]).await;
    let last = part(&fixture, &upload, 3, vec![3; 9]).await;
    let wrong = CompletedPart::builder()
        .part_number(1)
        .e_tag("\"beef\"")
        .build();
    let missing = CompletedPart::builder()
        .part_number(7)
        .e_tag("\"beef\"")
        .build();
    for (parts, refusal) in [
        (vec![wrong], "InvalidPart"),
        (vec![first.clone(), missing], "InvalidPart"),
        (vec![last.clone(), first.clone()], "InvalidPartOrder"),
        (vec![first, small, last], "EntityTooSmall"),
    ] {
        assert_eq!(complete(&fixture, &upload, parts).await, refusal);
        assert_eq!(fixture.get("key").await, b"before");
    }
}

#[tokio::test]
async fn uploads_are_listed_until_they_are_aborted() {
    let fixture = Fixture::start().await;
    let upload = create(&fixture).await;
    part(&fixture, &upload, 2, vec![2; 9]).await;
    let listed = fixture.s3.list_multipart_uploads().bucket(BUCKET);
    let listed = listed.send().await.unwrap();
    assert_eq!(listed.uploads()[0].upload_id(), Some(upload.as_str()));
    let abort = fixture.s3.abort_multipart_upload().bucket(BUCKET);
    abort.key("key").upload_id(&upload).send().await.unwrap();
    let listed = fixture.s3.list_multipart_uploads().bucket(BUCKET);
    assert!(listed.send().await.unwrap().uploads().is_empty());
    let put = fixture.s3.upload_part().bucket(BUCKET).key("key");
    let put = put
        .upload_id(&upload)
        .part_number(1)
        .body(vec![1; 9].into());
    assert_eq!(code(put.send().await), "NoSuchUpload");
}
