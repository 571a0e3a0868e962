//! Vaults: created, described, listed, tagged, deleted.

use http::Method;
use sealgate::credentials::MAIN_ACCOUNT;
use serde_json::Value;
use serde_json::json;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;

use crate::vaults::Call;
use crate::vaults::Glacier;
use crate::vaults::expect_error;
use crate::vaults::header;
use crate::vaults::policy;

#[tokio::test]
async fn a_vault_is_created_twice_as_once() {
    let glacier = Glacier::start().await;
    for _ in 0..2 {
        let answer = glacier.expect(Call::put("vaults/v"), 201).await;
        let location = format!("/{MAIN_ACCOUNT}/vaults/v");
        assert_eq!(header(&answer, "location"), location);
        assert!(answer.body().is_empty());
    }
    let vault = glacier.document(Call::get("vaults/v")).await;
    let arn = format!("arn:aws:glacier:us-east-1:{MAIN_ACCOUNT}:vaults/v");
    assert_eq!(vault["VaultARN"], arn);
    assert_eq!(vault["VaultName"], "v");
    assert_eq!(vault["NumberOfArchives"], 0);
    assert_eq!(vault["SizeInBytes"], 0);
    let created = vault["CreationDate"].as_str().unwrap();
    assert!(created.len() == 24 && created.ends_with('Z'), "{created}");
}

#[tokio::test]
async fn a_vault_is_named_by_letters_digits_dots_hyphens_and_underscores() {
    let glacier = Glacier::start().await;
    let longest = format!("vaults/{}", "v".repeat(255));
    for path in ["vaults/a_B-1.x", "vaults/%2E%2E", &longest] {
        glacier.expect(Call::put(path), 201).await;
        glacier.expect(Call::get(path), 200).await;
    }
    let too_long = format!("vaults/{}", "v".repeat(256));
    let wrong = "InvalidParameterValueException";
    for path in [
        "vaults/a%20b",
        "vaults/a%2Fb",
        "vaults/",
        "vaults/..",
        &too_long,
    ] {
        glacier.refuse(Call::put(path), wrong, 400).await;
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_by_its_arn() {
    let glacier = Glacier::start().await;
    for call in [
        Call::get("vaults/v"),
        Call::post("vaults/v/archives").content("x"),
        Call::delete("vaults/v/archives/a"),
        Call::get("vaults/v/lock-policy"),
        Call::get("vaults/v/tags"),
    ] {
        let message = glacier.refuse(call, "ResourceNotFoundException", 404).await;
        let arn = format!("arn:aws:glacier:us-east-1:{MAIN_ACCOUNT}:vaults/v");
        assert_eq!(message, format!("Vault not found for ARN: {arn}"));
    }
    glacier.expect(Call::delete("vaults/v"), 204).await;
}

#[tokio::test]
async fn vaults_are_listed_by_name_in_pages() {
    let glacier = Glacier::start().await;
    for name in ["b", "a-", "a.", "B", "a"] {
        glacier
            .expect(Call::put(&format!("vaults/{name}")), 201)
            .await;
    }
    let names = |list: &Value| {
        let vaults = list["VaultList"].as_array().unwrap().iter();
        let name = |vault: &Value| vault["VaultName"].as_str().unwrap().to_owned();
        vaults.map(name).collect::<Vec<_>>()
    };
    let all = glacier.document(Call::get("vaults")).await;
    assert_eq!(names(&all), ["B", "a", "a-", "a.", "b"]);
    assert_eq!(all["Marker"], Value::Null);
    let first = glacier
        .document(Call::get("vaults").query("limit", "3"))
        .await;
    assert_eq!(names(&first), ["B", "a", "a-"]);
    let marker = first["Marker"].as_str().unwrap();
    assert!(marker.ends_with(":vaults/a."), "{marker}");
    let rest = Call::get("vaults").query("marker", marker);
    assert_eq!(names(&glacier.document(rest).await), ["a.", "b"]);
    for limit in ["0", "11", "x"] {
        let call = Call::get("vaults").query("limit", limit);
        glacier
            .refuse(call, "InvalidParameterValueException", 400)
            .await;
    }
}

#[tokio::test]
async fn a_vault_is_in_the_region_that_it_was_signed_for() {
    let glacier = Glacier::with_vault().await;
    let elsewhere = glacier.world.main.in_region("eu-west-1");
    let answer = glacier.send_as(&elsewhere, Call::get("vaults/v")).await;
    let message = expect_error(&answer, "ResourceNotFoundException", 404);
    assert!(message.contains(":glacier:eu-west-1:"), "{message}");
    let list = glacier.send_as(&elsewhere, Call::get("vaults")).await;
    assert_eq!(list.status(), 200);
    assert!(!String::from_utf8_lossy(list.body()).contains("vaults/v"));
}

#[tokio::test]
async fn tags_are_added_replaced_and_removed_up_to_fifty() {
    let glacier = Glacier::with_vault().await;
    let add = |tags: Value| {
        let call = Call::post("vaults/v/tags").query("operation", "add");
        call.json(&json!({"Tags": tags}))
    };
    let remove = |keys: Value| {
        let call = Call::post("vaults/v/tags").query("operation", "remove");
        call.json(&json!({"TagKeys": keys}))
    };
    glacier.expect(add(json!({"a": "1", "b": ""})), 204).await;
    glacier.expect(add(json!({"a": "2"})), 204).await;
    glacier.expect(remove(json!(["b", "c"])), 204).await;
    let tags = glacier.document(Call::get("vaults/v/tags")).await;
    assert_eq!(tags, json!({"Tags": {"a": "2"}}));
    let many = |from: usize, to: usize| -> Value {
        let tags = (from..to).map(|at| (at.to_string(), json!("x")));
        Value::Object(tags.collect())
    };
    glacier.expect(add(many(0, 49)), 204).await;
    glacier
        .refuse(add(many(49, 50)), "LimitExceededException", 400)
        .await;
    let long = json!({"k".repeat(129): "x"});
    glacier
        .refuse(add(long), "InvalidParameterValueException", 400)
        .await;
    let no_document = Call::post("vaults/v/tags").query("operation", "add");
    glacier
        .refuse(no_document, "SerializationException", 400)
        .await;
}

#[tokio::test]
async fn a_vault_with_archives_is_not_deleted() {
    let glacier = Glacier::with_vault().await;
    let id = glacier.upload("some").await;
    let wrong = "InvalidParameterValueException";
    let message = glacier.refuse(Call::delete("vaults/v"), wrong, 400).await;
    assert!(message.starts_with("Vault not empty or recently written to: arn:aws:glacier:"));
    glacier.upload("more").await;
    let described = glacier.document(Call::get("vaults/v")).await;
    assert_eq!(described["NumberOfArchives"], 2);
    assert_eq!(described["SizeInBytes"], 8);
    glacier
        .expect(Call::delete(&format!("vaults/v/archives/{id}")), 204)
        .await;
    glacier.refuse(Call::delete("vaults/v"), wrong, 400).await;
}

#[tokio::test]
async fn a_vault_that_is_created_again_inherits_nothing() {
    let glacier = Glacier::with_vault().await;
    let tags = json!({"Tags": {"a": "1"}});
    let tag = Call::post("vaults/v/tags")
        .query("operation", "add")
        .json(&tags);
    glacier.expect(tag, 204).await;
    let deny = policy(json!({"Effect": "Deny", "Action": "glacier:UploadArchive"}));
    let lock = Call::post("vaults/v/lock-policy").json(&deny);
    let locked = glacier.expect(lock, 201).await;
    let id = header(&locked, "x-amz-lock-id");
    glacier
        .expect(Call::post(&format!("vaults/v/lock-policy/{id}")), 204)
        .await;
    let start = Call::post("vaults/v/multipart-uploads").header("x-amz-part-size", "1048576");
    let upload = header(
        &glacier.expect(start, 201).await,
        "x-amz-multipart-upload-id",
    );
    let inventory = Call::post("vaults/v/jobs").json(&json!({"Type": "inventory-retrieval"}));
    let job = header(&glacier.expect(inventory, 202).await, "x-amz-job-id");

    glacier.expect(Call::delete("vaults/v"), 204).await;
    assert!(glacier.stored("vault-contents/").is_empty());
    let missing = "ResourceNotFoundException";
    glacier.refuse(Call::get("vaults/v"), missing, 404).await;
    glacier.expect(Call::put("vaults/v"), 201).await;
    for path in [
        "vaults/v/lock-policy".to_owned(),
        format!("vaults/v/jobs/{job}"),
        format!("vaults/v/multipart-uploads/{upload}"),
    ] {
        glacier.refuse(Call::get(&path), missing, 404).await;
    }
    let tags = glacier.document(Call::get("vaults/v/tags")).await;
    assert_eq!(tags, json!({"Tags": {}}));
    glacier.upload("free again").await;
}

#[tokio::test]
async fn an_archive_that_comes_while_its_vault_is_being_deleted_keeps_the_vault() {
    let glacier = Glacier::with_vault().await;
    let (reached, go_on) = (Gate::default(), Gate::default());
    // The deletion has marked the vault, and looks whether it is empty.
    let pause = Action::PauseAfter(reached.clone(), go_on.clone());
    glacier
        .world
        .backend
        .inject(Fault::on_path(Method::GET, "/sealgate-state", pause));
    let deletion = glacier.send(Call::delete("vaults/v"));
    let upload = async {
        reached.reached().await;
        glacier.world.backend.take_fault();
        let id = glacier.upload("late").await;
        go_on.reach();
        id
    };
    let (answer, id) = tokio::join!(deletion, upload);
    expect_error(&answer, "InvalidParameterValueException", 400);
    assert_eq!(glacier.stored(&format!("archives/{id}")).len(), 1);
    let described = glacier.document(Call::get("vaults/v")).await;
    assert_eq!(described["NumberOfArchives"], 1);
}

#[tokio::test]
async fn what_this_gateway_does_not_have_is_refused_with_the_way_out() {
    let glacier = Glacier::with_vault().await;
    for (call, hint) in [
        (
            Call::get("vaults/v/notification-configuration"),
            "DescribeJob",
        ),
        (
            Call::put("vaults/v/notification-configuration"),
            "DescribeJob",
        ),
        (Call::get("policies/data-retrieval"), "cost nothing"),
        (Call::get("provisioned-capacity"), "vaults.job_seconds"),
        (
            Call::post("vaults/v/jobs").json(&json!({"Type": "select"})),
            "retrieve the archive",
        ),
        (
            Call::post("vaults/v/jobs")
                .json(&json!({"Type": "inventory-retrieval", "SNSTopic": "arn:aws:sns:x"})),
            "DescribeJob",
        ),
    ] {
        let message = glacier.refuse(call, "BadRequest", 400).await;
        assert!(message.contains(hint), "{message}");
    }
}
