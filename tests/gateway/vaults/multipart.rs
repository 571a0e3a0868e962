//! Archives in parts: in any order, again, with gaps, left alone.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use serde_json::json;
use tests::backend::Action;
use tests::backend::Fault;
use tests::expect::expect_no_canary;

use crate::vaults::Call;
use crate::vaults::DAY;
use crate::vaults::Glacier;
use crate::vaults::MIB;
use crate::vaults::header;
use crate::vaults::policy;
use crate::vaults::tree_hash;

const WRONG: &str = "InvalidParameterValueException";
const MISSING: &str = "ResourceNotFoundException";

/// Three mebibytes and a half.
fn content() -> Vec<u8> {
    (0..=250).cycle().take(3 * MIB + MIB / 2).collect()
}

fn part(upload: &str, bytes: &[u8], first: usize) -> Call {
    let last = first + bytes.len() - 1;
    let path = format!("vaults/v/multipart-uploads/{upload}");
    let call = Call::put(&path).content(bytes.to_vec());
    call.header("content-range", &format!("bytes {first}-{last}/*"))
}

fn complete(upload: &str, whole: &[u8]) -> Call {
    let call = Call::post(&format!("vaults/v/multipart-uploads/{upload}"));
    call.header("x-amz-archive-size", &whole.len().to_string())
        .header("x-amz-sha256-tree-hash", &tree_hash(whole))
}

fn get(upload: &str) -> Call {
    Call::get(&format!("vaults/v/multipart-uploads/{upload}"))
}

impl Glacier {
    /// Begins an upload with parts of a mebibyte; its id.
    async fn begin_upload(&self) -> String {
        let call = Call::post("vaults/v/multipart-uploads")
            .header("x-amz-part-size", &MIB.to_string())
            .header("x-amz-archive-description", "in parts");
        header(&self.expect(call, 201).await, "x-amz-multipart-upload-id")
    }

    /// What a retrieval of an archive returns.
    async fn retrieve(&self, archive: &str) -> Vec<u8> {
        let document = json!({"Type": "archive-retrieval", "ArchiveId": archive});
        let job = self
            .expect(Call::post("vaults/v/jobs").json(&document), 202)
            .await;
        let path = format!("vaults/v/jobs/{}/output", header(&job, "x-amz-job-id"));
        self.expect(Call::get(&path), 200).await.body().to_vec()
    }
}

#[tokio::test]
async fn parts_in_any_order_make_the_archive_that_one_upload_makes() {
    let glacier = Glacier::with_vault().await;
    let content = content();
    let upload = glacier.begin_upload().await;
    // The second one twice: the later counts.
    let wrong = vec![0; MIB];
    glacier.expect(part(&upload, &wrong, MIB), 204).await;
    for at in [3, 0, 2, 1] {
        let bytes = &content[at * MIB..content.len().min((at + 1) * MIB)];
        let answer = glacier.expect(part(&upload, bytes, at * MIB), 204).await;
        assert_eq!(header(&answer, "x-amz-sha256-tree-hash"), tree_hash(bytes));
    }
    let parts = glacier.document(get(&upload)).await;
    assert_eq!(parts["PartSizeInBytes"], MIB);
    assert_eq!(parts["ArchiveDescription"], "in parts");
    let ranges = parts["Parts"].as_array().unwrap().iter();
    let ranges: Vec<_> = ranges
        .map(|it| it["RangeInBytes"].as_str().unwrap())
        .collect();
    let expected = [
        "0-1048575",
        "1048576-2097151",
        "2097152-3145727",
        "3145728-3670015",
    ];
    assert_eq!(ranges, expected);

    let first = glacier.expect(complete(&upload, &content), 201).await;
    assert_eq!(
        header(&first, "x-amz-sha256-tree-hash"),
        tree_hash(&content)
    );
    let again = glacier.expect(complete(&upload, &content), 201).await;
    let archive = header(&first, "x-amz-archive-id");
    assert_eq!(header(&again, "x-amz-archive-id"), archive);
    assert_eq!(glacier.retrieve(&archive).await, content);
    // The part that was replaced is gone.
    assert_eq!(glacier.stored("/content/").len(), 4);
    let described = glacier.document(Call::get("vaults/v")).await;
    assert_eq!(described["NumberOfArchives"], 1);
    assert_eq!(described["SizeInBytes"], content.len());
    glacier.refuse(get(&upload), MISSING, 404).await;

    let path = format!("vaults/v/archives/{archive}");
    glacier.expect(Call::delete(&path), 204).await;
    assert!(glacier.stored("/content/").is_empty());
    // The deleted archive does not come back.
    glacier.expect(complete(&upload, &content), 201).await;
    glacier.expect(Call::delete("vaults/v"), 204).await;
}

#[tokio::test]
async fn parts_are_sealed() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    let bytes = b"part-canary-0001".repeat(MIB / 16);
    glacier.expect(part(&upload, &bytes, 0), 204).await;
    expect_no_canary(&glacier.world.backend, b"part-canary-0001part-canary-0001");
}

#[tokio::test]
async fn gaps_short_parts_and_wrong_claims_are_refused_and_can_be_mended() {
    let glacier = Glacier::with_vault().await;
    let content = &content()[..2 * MIB + 9];
    let upload = glacier.begin_upload().await;
    let (one, two, three) = (&content[..MIB], &content[MIB..2 * MIB], &content[2 * MIB..]);
    glacier.refuse(complete(&upload, content), WRONG, 400).await;
    glacier.expect(part(&upload, three, 2 * MIB), 204).await;
    glacier.expect(part(&upload, one, 0), 204).await;
    glacier.refuse(complete(&upload, content), WRONG, 400).await;
    glacier.expect(part(&upload, &two[..5], MIB), 204).await;
    glacier.refuse(complete(&upload, content), WRONG, 400).await;
    glacier.expect(part(&upload, two, MIB), 204).await;
    let size = complete(&upload, content).header("x-amz-archive-size", "7");
    glacier.refuse(size, WRONG, 400).await;
    let other = tree_hash(b"other");
    let hash = complete(&upload, content).header("x-amz-sha256-tree-hash", &other);
    glacier.refuse(hash, WRONG, 400).await;
    assert!(glacier.stored("/archives/").is_empty());
    glacier.expect(complete(&upload, content), 201).await;
}

#[tokio::test]
async fn a_part_must_be_where_parts_are_and_have_its_hash() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    let bytes = vec![1; MIB];
    let good = || part(&upload, &bytes, 0);
    for call in [
        good().header("content-range", "bytes 1-1048576/*"),
        good().header("content-range", "bytes 0-1048576/*"),
        good().header("content-range", "bytes 0-9/*"),
        good().header("content-range", "nothing"),
        good().header("content-range", "bytes 10485760000-10486808575/*"),
        good().header("x-amz-sha256-tree-hash", &tree_hash(b"other")),
        part(&upload, &vec![1; MIB + 1], 0),
    ] {
        glacier.refuse(call, WRONG, 400).await;
    }
    let none = good().header("content-range", "");
    glacier
        .refuse(none, "MissingParameterValueException", 400)
        .await;
    assert!(glacier.stored("/content/").is_empty());
    glacier
        .refuse(part("unknown", &bytes, 0), MISSING, 404)
        .await;
    for size in ["1048575", "3145728", "8589934592", "0", "x"] {
        let call = Call::post("vaults/v/multipart-uploads").header("x-amz-part-size", size);
        glacier.refuse(call, WRONG, 400).await;
    }
}

#[tokio::test]
async fn an_aborted_upload_is_gone_and_aborted_again_without_error() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    glacier.expect(part(&upload, &[1; 10], 0), 204).await;
    let abort = || Call::delete(&format!("vaults/v/multipart-uploads/{upload}"));
    for _ in 0..2 {
        glacier.expect(abort(), 204).await;
        assert!(glacier.stored("/content/").is_empty());
        assert!(glacier.stored("/parts/").is_empty());
    }
    glacier
        .refuse(part(&upload, &[1; 10], 0), MISSING, 404)
        .await;
    glacier
        .refuse(complete(&upload, &[1; 10]), MISSING, 404)
        .await;
}

#[tokio::test]
async fn an_upload_ends_after_a_day_without_a_part() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    let hours = |count: u64| Duration::from_secs(3_600 * count);
    glacier.clock.advance(hours(23));
    glacier.expect(part(&upload, &[1; MIB], 0), 204).await;
    glacier.clock.advance(hours(23));
    glacier.expect(part(&upload, &[1; 10], MIB), 204).await;
    let list = || Call::get("vaults/v/multipart-uploads");
    let uploads = glacier.document(list()).await;
    assert_eq!(uploads["UploadsList"][0]["MultipartUploadId"], upload);
    glacier.clock.advance(hours(24));
    glacier
        .refuse(part(&upload, &[1; 10], MIB), MISSING, 404)
        .await;
    glacier
        .refuse(complete(&upload, &[1; MIB + 10]), MISSING, 404)
        .await;
    let uploads = glacier.document(list()).await;
    assert_eq!(uploads, json!({"Marker": Value::Null, "UploadsList": []}));
    assert!(glacier.stored("/content/").is_empty());
}

#[tokio::test]
async fn the_age_of_an_archive_in_parts_counts_from_its_completion() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    glacier.expect(part(&upload, &[1; 10], 0), 204).await;
    glacier.clock.advance(DAY - Duration::from_secs(1));
    let answer = glacier.expect(complete(&upload, &[1; 10]), 201).await;
    let archive = header(&answer, "x-amz-archive-id");
    let retention = policy(json!({
        "Effect": "Deny",
        "Action": "glacier:DeleteArchive",
        "Condition": {"NumericLessThan": {"glacier:ArchiveAgeInDays": "1"}},
    }));
    glacier
        .expect(Call::put("vaults/v/access-policy").json(&retention), 204)
        .await;
    let delete = || Call::delete(&format!("vaults/v/archives/{archive}"));
    glacier.clock.advance(DAY - Duration::from_secs(1));
    // Completing it again does not make it younger.
    glacier.refuse(delete(), "AccessDeniedException", 403).await;
    glacier.expect(complete(&upload, &[1; 10]), 201).await;
    glacier.clock.advance(Duration::from_secs(1));
    glacier.expect(delete(), 204).await;
}

#[tokio::test]
async fn a_completion_that_broke_off_is_completed_by_its_repetition() {
    let glacier = Glacier::with_vault().await;
    let upload = glacier.begin_upload().await;
    glacier.expect(part(&upload, &[1; 10], 0), 204).await;
    let refusal = Action::Refuse(403, "AccessDenied");
    let fault = Fault::on_path(Method::PUT, "/archives/", refusal);
    glacier.world.backend.inject(fault);
    let unavailable = "ServiceUnavailableException";
    glacier
        .refuse(complete(&upload, &[1; 10]), unavailable, 500)
        .await;
    glacier.world.backend.heal();
    // It takes no parts any more, and is completed as it was.
    glacier
        .refuse(part(&upload, &[2; 10], 0), MISSING, 404)
        .await;
    let other = complete(&upload, &[2; 10]);
    glacier.refuse(other, WRONG, 400).await;
    let answer = glacier.expect(complete(&upload, &[1; 10]), 201).await;
    let archive = header(&answer, "x-amz-archive-id");
    assert_eq!(glacier.retrieve(&archive).await, [1; 10]);
}
