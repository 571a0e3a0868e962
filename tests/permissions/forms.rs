//! What a browser's form asks for needs the permissions of a write, whatever its fields are called.

use tests::form::Form;

use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::policy::statement;
use crate::reference;

const TAGGING: &str =
    "<Tagging><TagSet><Tag><Key>class</Key><Value>public</Value></Tag></TagSet></Tagging>";

#[tokio::test]
async fn an_explicit_denial_of_any_action_that_a_form_needs_refuses_it() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListObjects"];
    let mut wrong = Vec::new();
    for (action, fields) in [
        ("PutObject", &[][..]),
        ("PutObjectAcl", &[("acl", "private")][..]),
        ("PutObjectAcl", &[("ACL", "private")][..]),
        ("PutObjectAcl", &[("x-amz-acl", "private")][..]),
        ("PutObjectAcl", &[("x-amz-grant-read", "id=\"a\"")][..]),
        ("PutObjectTagging", &[("tagging", TAGGING)][..]),
        ("PutObjectTagging", &[("Tagging", TAGGING)][..]),
        ("PutObjectTagging", &[("x-amz-tagging", "class=public")][..]),
        (
            "PutObjectLegalHold",
            &[("x-amz-object-lock-legal-hold", "ON")][..],
        ),
        (
            "PutObjectRetention",
            &[
                ("x-amz-object-lock-mode", "GOVERNANCE"),
                (
                    "x-amz-object-lock-retain-until-date",
                    "2099-01-01T00:00:00Z",
                ),
            ][..],
        ),
    ] {
        for caller in [Caller::Owner, Caller::Other] {
            let buckets = fixture.buckets(operation, caller).await;
            let mut form = Form::new(&buckets.bucket, "form", "the file");
            for (name, value) in fields {
                form = form.field(name, value);
            }
            let target = fixture.target(false);
            let host = target.address.to_string();
            let sign = || form.sign(fixture.access(caller), fixture.world.now(), &host);
            for denied in [true, false] {
                let deny = statement("Deny", "\"*\"", action, &buckets.bucket, "");
                fixture
                    .put_policy(&buckets.bucket, denied.then_some(deny))
                    .await;
                let outcome = fixture.send_signed(&sign(), &target, "").await;
                let done = outcome.response.status().is_success();
                // A field that forms do not have may be refused in any case.
                let as_wanted = match denied {
                    true => outcome.is_refused(&[400, 403]),
                    false => done || outcome.is_refused(&[400]),
                };
                if !as_wanted {
                    let row = format!("{action} {fields:?} {caller:?} {denied}");
                    wrong.push(format!("{row}: {}", outcome.describe()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_denial_by_a_condition_refuses_the_form_that_has_the_value() {
    let fixture = Fixture::start().await;
    let operation = &reference::operations()["ListObjects"];
    for (key, value, field) in [
        ("s3:x-amz-content-sha256", "UNSIGNED-PAYLOAD", None),
        ("s3:authType", "POST", None),
        ("s3:x-amz-acl", "private", Some(("acl", "private"))),
        (
            "s3:RequestObjectTag/class",
            "public",
            Some(("tagging", TAGGING)),
        ),
        (
            "s3:x-amz-storage-class",
            "STANDARD_IA",
            Some(("x-amz-storage-class", "STANDARD_IA")),
        ),
        (
            "s3:x-amz-server-side-encryption",
            "AES256",
            Some(("x-amz-server-side-encryption", "AES256")),
        ),
    ] {
        let buckets = fixture.buckets(operation, Caller::Owner).await;
        let condition = format!(r#"{{"StringEquals": {{"{key}": "{value}"}}}}"#);
        let deny = statement("Deny", "\"*\"", "PutObject", &buckets.bucket, &condition);
        fixture.put_policy(&buckets.bucket, Some(deny)).await;
        let mut form = Form::new(&buckets.bucket, "form", "the file");
        if let Some((name, value)) = field {
            form = form.field(name, value);
        }
        let target = fixture.target(false);
        let host = target.address.to_string();
        let signed = form.sign(fixture.access(Caller::Owner), fixture.world.now(), &host);
        let outcome = fixture.send_signed(&signed, &target, "").await;
        assert!(outcome.is_refused(&[403]), "{key}: {}", outcome.describe());
    }
}
