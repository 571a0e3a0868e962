//! Switching MFA Delete on and off, and what it excludes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use md5::Digest as _;
use md5::Md5;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Recorded;
use tests::expect::expect_s3_error;
use tests::signed::Draft;

use crate::mfa_delete::BUCKET;
use crate::mfa_delete::MISSING;
use crate::mfa_delete::Vault;
use crate::mfa_delete::delete;
use crate::mfa_delete::expect;
use crate::mfa_delete::versioning;

const LIFECYCLE: &str = "<LifecycleConfiguration><Rule><ID>r</ID><Filter><Prefix></Prefix></Filter>\
    <Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>";

fn lifecycle() -> Draft {
    let md5 = STANDARD.encode(Md5::digest(LIFECYCLE));
    let draft = Draft::new(Method::PUT, BUCKET, "").query("lifecycle", "");
    draft.header("content-md5", &md5).body(LIFECYCLE)
}

#[tokio::test]
async fn the_root_user_switches_mfa_delete_on_with_a_code_and_the_backend_never_receives_it() {
    let vault = Vault::start().await;
    let before = vault.state().await;
    assert!(
        before.ends_with("2006-03-01/\"/>") || !before.contains("Status"),
        "{before}"
    );
    let without = vault.send(versioning("Enabled", Some("Enabled"))).await;
    expect(&without, "AccessDenied", 403, MISSING);
    assert!(!vault.state().await.contains("Status"));

    let on = vault.with_code(versioning("Enabled", Some("Enabled")));
    assert_eq!(vault.send(on).await.status(), 200);
    let state = vault.state().await;
    assert!(
        state.contains("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"),
        "{state}"
    );
    for request in vault.world.backend.requests_in(BUCKET) {
        let body = String::from_utf8_lossy(&request.body);
        assert!(!body.contains("MfaDelete"), "{body}");
        assert!(!request.headers.contains_key("x-amz-mfa"));
    }
}

#[tokio::test]
async fn mfa_delete_that_was_never_on_is_switched_off_without_a_code_and_shown_then() {
    let vault = Vault::start().await;
    let plain = vault.send(versioning("Enabled", None)).await;
    assert_eq!(plain.status(), 200);
    assert!(!vault.state().await.contains("MfaDelete"));
    let off = vault.send(versioning("Enabled", Some("Disabled"))).await;
    assert_eq!(off.status(), 200);
    assert!(
        vault
            .state()
            .await
            .contains("<MfaDelete>Disabled</MfaDelete>")
    );
}

#[tokio::test]
async fn versioning_is_suspended_with_a_code_only_and_mfa_delete_stays_on() {
    let vault = Vault::locked().await;
    for draft in [
        versioning("Suspended", None),
        versioning("Enabled", None),
        versioning("Enabled", Some("Disabled")),
        versioning("Enabled", Some("Enabled")),
    ] {
        expect(&vault.send(draft).await, "AccessDenied", 403, MISSING);
    }
    let suspended = vault
        .send(vault.with_code(versioning("Suspended", None)))
        .await;
    assert_eq!(suspended.status(), 200);
    let state = vault.state().await;
    assert!(
        state.contains("<Status>Suspended</Status><MfaDelete>Enabled</MfaDelete>"),
        "{state}"
    );

    vault.next_step();
    let off = vault.with_code(versioning("Enabled", Some("Disabled")));
    assert_eq!(vault.send(off).await.status(), 200);
    let id = vault.put("k").await;
    assert_eq!(vault.send(delete("k", Some(&id))).await.status(), 204);
}

#[tokio::test]
async fn a_versioning_configuration_that_is_none_is_refused() {
    let vault = Vault::start().await;
    let put = |children: &str| {
        let body = format!("<VersioningConfiguration>{children}</VersioningConfiguration>");
        let draft = Draft::new(Method::PUT, BUCKET, "").query("versioning", "");
        draft.body(body)
    };
    for children in ["", "<MfaDelete>Enabled</MfaDelete>"] {
        let code = "IllegalVersioningConfigurationException";
        let message = "The Versioning element must be specified";
        expect(&vault.send(put(children)).await, code, 400, message);
    }
    for children in [
        "<Status>On</Status>",
        "<Status>Enabled</Status><MfaDelete>On</MfaDelete>",
    ] {
        expect_s3_error(&vault.send(put(children)).await, "MalformedXML", 400);
    }
}

#[tokio::test]
async fn a_lifecycle_and_mfa_delete_exclude_each_other_both_ways() {
    let vault = Vault::start().await;
    assert_eq!(vault.send(lifecycle()).await.status(), 200);
    let on = vault.with_code(versioning("Enabled", Some("Enabled")));
    expect_s3_error(&vault.send(on).await, "InvalidBucketState", 409);
    assert!(!vault.state().await.contains("MfaDelete"));

    let vault = Vault::locked().await;
    vault.world.backend.forget();
    expect_s3_error(&vault.send(lifecycle()).await, "InvalidBucketState", 409);
    assert!(vault.world.backend.requests_in(BUCKET).is_empty());
}

#[tokio::test]
async fn mfa_delete_is_refused_where_the_backend_has_no_versions() {
    let vault = Vault::start().await;
    // It says yes, and does not do it.
    let unversioned = "<VersioningConfiguration/>";
    let asks = |request: &Recorded| request.method == Method::GET && request.query == "versioning=";
    let lie = Action::Replace(unversioned.as_bytes().to_vec());
    vault.world.backend.inject(Fault::on(asks, lie));
    let on = vault.with_code(versioning("Enabled", Some("Enabled")));
    expect_s3_error(&vault.send(on).await, "NotImplemented", 501);
}
