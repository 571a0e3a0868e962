//! Jobs: retrieval of archives and of inventories, their output and its ranges.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::Value;
use serde_json::json;

use crate::vaults::Call;
use crate::vaults::DAY;
use crate::vaults::Glacier;
use crate::vaults::MIB;
use crate::vaults::header;
use crate::vaults::policy;
use crate::vaults::tree_hash;

const WRONG: &str = "InvalidParameterValueException";
const MISSING: &str = "ResourceNotFoundException";

impl Glacier {
    async fn job(&self, document: Value) -> String {
        let answer = self
            .expect(Call::post("vaults/v/jobs").json(&document), 202)
            .await;
        let id = header(&answer, "x-amz-job-id");
        assert!(header(&answer, "location").ends_with(&format!("/vaults/v/jobs/{id}")));
        id
    }

    async fn output(&self, job: &str, range: &str, status: u16) -> Response<Bytes> {
        let call = Call::get(&format!("vaults/v/jobs/{job}/output"));
        self.expect(call.header("range", range), status).await
    }

    async fn describe(&self, job: &str) -> Value {
        self.document(Call::get(&format!("vaults/v/jobs/{job}")))
            .await
    }
}

fn content() -> Vec<u8> {
    (0..=250).cycle().take(4 * MIB + 5).collect()
}

fn retrieval(archive: &str) -> Value {
    json!({"Type": "archive-retrieval", "ArchiveId": archive})
}

#[tokio::test]
async fn an_archive_is_retrieved_whole_and_in_ranges_with_hashes_where_they_can_be_compared() {
    let glacier = Glacier::with_vault().await;
    let content = content();
    let upload = Call::post("vaults/v/archives")
        .content(content.clone())
        .header("x-amz-archive-description", "a description");
    let archive = header(&glacier.expect(upload, 201).await, "x-amz-archive-id");
    let job = glacier.job(retrieval(&archive)).await;
    let whole = glacier.output(&job, "", 200).await;
    assert!(whole.body().as_ref() == content);
    assert_eq!(
        header(&whole, "x-amz-sha256-tree-hash"),
        tree_hash(&content)
    );
    assert_eq!(header(&whole, "x-amz-archive-description"), "a description");
    assert_eq!(header(&whole, "content-type"), "application/octet-stream");
    assert_eq!(header(&whole, "accept-ranges"), "bytes");
    let total = content.len();
    for (first, last, has_hash) in [
        (0, MIB - 1, true),
        (2 * MIB, 4 * MIB - 1, true),
        (4 * MIB, total - 1, true),
        (MIB, 3 * MIB - 1, false),
        (1, 10, false),
    ] {
        let part = glacier
            .output(&job, &format!("bytes={first}-{last}"), 206)
            .await;
        let expected = &content[first..=last];
        assert!(part.body().as_ref() == expected);
        let range = format!("bytes {first}-{last}/{total}");
        assert_eq!(header(&part, "content-range"), range);
        let hash = part.headers().get("x-amz-sha256-tree-hash");
        let hash = hash.map(|hash| hash.to_str().unwrap().to_owned());
        assert_eq!(hash, has_hash.then(|| tree_hash(expected)), "{range}");
    }
    let call = Call::get(&format!("vaults/v/jobs/{job}/output"));
    let beyond = call.header("range", &format!("bytes={total}-"));
    glacier.refuse(beyond, WRONG, 400).await;
}

#[tokio::test]
async fn a_job_retrieves_a_range_that_begins_and_ends_at_mebibytes() {
    let glacier = Glacier::with_vault().await;
    let content = content();
    let archive = glacier.upload(content.clone()).await;
    let ranged = |range: &str| {
        let mut document = retrieval(&archive);
        document["RetrievalByteRange"] = range.into();
        document
    };
    let aligned = glacier.job(ranged("2097152-4194303")).await;
    let described = glacier.describe(&aligned).await;
    assert_eq!(described["RetrievalByteRange"], "2097152-4194303");
    assert_eq!(
        described["SHA256TreeHash"],
        tree_hash(&content[2 * MIB..4 * MIB])
    );
    assert_eq!(described["ArchiveSHA256TreeHash"], tree_hash(&content));
    assert_eq!(described["ArchiveSizeInBytes"], content.len());
    let part = glacier.output(&aligned, "bytes=0-1048575", 206).await;
    assert!(part.body().as_ref() == &content[2 * MIB..3 * MIB]);
    let unaligned = glacier.job(ranged("1048576-3145727")).await;
    let described = glacier.describe(&unaligned).await;
    assert_eq!(described["SHA256TreeHash"], Value::Null);
    let whole = glacier.output(&unaligned, "", 200).await;
    assert!(whole.body().as_ref() == &content[MIB..3 * MIB]);
    assert!(!whole.headers().contains_key("x-amz-sha256-tree-hash"));
    for range in ["1-1048575", "0-1048574", "0-99999999", "x", "1048575-0"] {
        let call = Call::post("vaults/v/jobs").json(&ranged(range));
        glacier.refuse(call, WRONG, 400).await;
    }
}

#[tokio::test]
async fn a_job_is_done_after_the_configured_time_and_its_output_stays_a_day() {
    let glacier = Glacier::start_with(3_600).await;
    glacier.expect(Call::put("vaults/v"), 201).await;
    let archive = glacier.upload("x").await;
    let job = glacier.job(retrieval(&archive)).await;
    let described = glacier.describe(&job).await;
    assert_eq!(described["StatusCode"], "InProgress");
    assert_eq!(described["Completed"], false);
    assert_eq!(described["CompletionDate"], Value::Null);
    assert_eq!(described["Tier"], "Standard");
    let output = || Call::get(&format!("vaults/v/jobs/{job}/output"));
    let message = glacier.refuse(output(), WRONG, 400).await;
    assert!(message.contains("not currently available"), "{message}");
    glacier.clock.advance(Duration::from_secs(3_600));
    let described = glacier.describe(&job).await;
    assert_eq!(described["StatusCode"], "Succeeded");
    assert_eq!(described["Completed"], true);
    glacier.expect(output(), 200).await;
    glacier.clock.advance(DAY);
    let message = glacier.refuse(output(), MISSING, 404).await;
    assert_eq!(message, format!("The job ID was not found: {job}"));
    let jobs = glacier.document(Call::get("vaults/v/jobs")).await;
    assert_eq!(jobs, json!({"JobList": [], "Marker": null}));
    assert!(glacier.stored("/jobs/").is_empty());
}

#[tokio::test]
async fn jobs_are_listed_by_their_status_in_pages() {
    let glacier = Glacier::start_with(60).await;
    glacier.expect(Call::put("vaults/v"), 201).await;
    let inventory = || json!({"Type": "inventory-retrieval", "Description": "mine"});
    let first = glacier.job(inventory()).await;
    glacier.clock.advance(Duration::from_secs(60));
    let second = glacier.job(inventory()).await;
    let ids = |list: &Value| {
        let jobs = list["JobList"].as_array().unwrap().iter();
        let id = |job: &Value| job["JobId"].as_str().unwrap().to_owned();
        jobs.map(id).collect::<Vec<_>>()
    };
    let jobs = || Call::get("vaults/v/jobs");
    for (call, expected) in [
        (jobs(), vec![&first, &second]),
        (jobs().query("statuscode", "Succeeded"), vec![&first]),
        (jobs().query("statuscode", "InProgress"), vec![&second]),
        (jobs().query("statuscode", "Failed"), vec![]),
        (jobs().query("completed", "true"), vec![&first]),
        (jobs().query("completed", "false"), vec![&second]),
        (jobs().query("limit", "1"), vec![&first]),
        (jobs().query("marker", &second), vec![&second]),
    ] {
        let list = glacier.document(call).await;
        assert_eq!(ids(&list).iter().collect::<Vec<_>>(), expected, "{list}");
    }
    let message = glacier
        .refuse(jobs().query("statuscode", "x"), WRONG, 400)
        .await;
    assert_eq!(message, "The job status code is not valid: x");
}

#[tokio::test]
async fn an_inventory_lists_the_archives_as_json_and_csv() {
    let glacier = Glacier::with_vault().await;
    let upload = Call::post("vaults/v/archives")
        .content("abc")
        .header("x-amz-archive-description", "say \"a\"");
    let one = header(&glacier.expect(upload, 201).await, "x-amz-archive-id");
    glacier.clock.advance(DAY);
    let two = glacier.upload("defg").await;
    let job = glacier.job(json!({"Type": "inventory-retrieval"})).await;
    let described = glacier.describe(&job).await;
    assert_eq!(described["Action"], "InventoryRetrieval");
    assert_eq!(described["InventoryRetrievalParameters"]["Format"], "JSON");
    let output = glacier.output(&job, "", 200).await;
    assert_eq!(header(&output, "content-type"), "application/json");
    assert_eq!(described["InventorySizeInBytes"], output.body().len());
    let inventory: Value = serde_json::from_slice(output.body()).unwrap();
    assert!(
        inventory["VaultARN"]
            .as_str()
            .unwrap()
            .ends_with(":vaults/v")
    );
    let [first, second] = &inventory["ArchiveList"].as_array().unwrap()[..] else {
        panic!("{inventory}");
    };
    assert_eq!(first["ArchiveId"], one);
    assert_eq!(first["ArchiveDescription"], "say \"a\"");
    assert_eq!(first["Size"], 3);
    assert_eq!(first["SHA256TreeHash"], tree_hash(b"abc"));
    assert_eq!(second["ArchiveId"], two);

    let limited = json!({"Limit": "1"});
    let csv = json!({
        "Type": "inventory-retrieval",
        "Format": "CSV",
        "InventoryRetrievalParameters": limited,
    });
    let job = glacier.job(csv).await;
    let described = glacier.describe(&job).await;
    assert_eq!(described["InventoryRetrievalParameters"]["Marker"], two);
    let output = glacier.output(&job, "", 200).await;
    assert_eq!(header(&output, "content-type"), "text/csv");
    let text = String::from_utf8(output.body().to_vec()).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(
        lines[1].starts_with(&format!("{one},\"say \\\"a\\\"\",")),
        "{text}"
    );
}

#[tokio::test]
async fn an_inventory_of_a_thousand_archives_and_more_is_complete() {
    let glacier = Glacier::with_vault().await;
    // Beyond a page of the backend's listing.
    const COUNT: usize = 1_030;
    let uploads = (0..COUNT).map(|at| glacier.upload(at.to_string()));
    let uploads =
        futures_util::StreamExt::buffer_unordered(futures_util::stream::iter(uploads), 32);
    let ids: std::collections::BTreeSet<String> = futures_util::StreamExt::collect(uploads).await;
    assert_eq!(ids.len(), COUNT);
    let described = glacier.document(Call::get("vaults/v")).await;
    assert_eq!(described["NumberOfArchives"], COUNT);
    let job = glacier.job(json!({"Type": "inventory-retrieval"})).await;
    let output = glacier.output(&job, "", 200).await;
    let inventory: Value = serde_json::from_slice(output.body()).unwrap();
    let listed = inventory["ArchiveList"].as_array().unwrap().iter();
    let listed = listed.map(|it| it["ArchiveId"].as_str().unwrap().to_owned());
    assert_eq!(listed.collect::<std::collections::BTreeSet<_>>(), ids);
}

#[tokio::test]
async fn a_job_about_nothing_or_with_the_wrong_parameters_is_refused() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("x").await;
    let post = |document: Value| Call::post("vaults/v/jobs").json(&document);
    glacier
        .refuse(post(retrieval("unknown")), MISSING, 404)
        .await;
    glacier.refuse(post(retrieval("../x")), MISSING, 404).await;
    let missing = "MissingParameterValueException";
    glacier.refuse(post(json!({})), missing, 400).await;
    glacier
        .refuse(post(json!({"Type": "archive-retrieval"})), missing, 400)
        .await;
    glacier
        .refuse(post(json!([])), "SerializationException", 400)
        .await;
    let with = |name: &str, value: Value| {
        let mut document = retrieval(&archive);
        document[name] = value;
        document
    };
    for document in [
        with("Tier", json!("Fast")),
        with("Format", json!("JSON")),
        with("Description", json!("x".repeat(1_025))),
        json!({"Type": "other"}),
        json!({"Type": "inventory-retrieval", "Format": "XML"}),
        json!({"Type": "inventory-retrieval", "ArchiveId": archive}),
        json!({
            "Type": "inventory-retrieval",
            "InventoryRetrievalParameters": {"StartDate": "yesterday"},
        }),
    ] {
        glacier.refuse(post(document), WRONG, 400).await;
    }
    let unknown = Call::get("vaults/v/jobs/unknown");
    let message = glacier.refuse(unknown, MISSING, 404).await;
    assert_eq!(message, "The job ID was not found: unknown");
}

#[tokio::test]
async fn the_output_of_a_deleted_archive_is_gone() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("x").await;
    let job = glacier.job(retrieval(&archive)).await;
    glacier
        .expect(Call::delete(&format!("vaults/v/archives/{archive}")), 204)
        .await;
    let output = Call::get(&format!("vaults/v/jobs/{job}/output"));
    glacier.refuse(output, MISSING, 404).await;
}

#[tokio::test]
async fn a_retrieval_is_judged_by_the_age_of_its_archive() {
    let glacier = Glacier::with_vault().await;
    let archive = glacier.upload("x").await;
    let rule = policy(json!({
        "Effect": "Deny",
        "Action": "glacier:InitiateJob",
        "Condition": {"NumericGreaterThanEquals": {"glacier:ArchiveAgeInDays": "2"}},
    }));
    glacier
        .expect(Call::put("vaults/v/access-policy").json(&rule), 204)
        .await;
    glacier.job(retrieval(&archive)).await;
    glacier.clock.advance(2 * DAY);
    let call = Call::post("vaults/v/jobs").json(&retrieval(&archive));
    glacier.refuse(call, "AccessDeniedException", 403).await;
}
