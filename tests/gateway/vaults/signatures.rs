//! How requests for vaults are told from those for S3, and how they are signed.

use http::HeaderMap;
use http::Method;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::CredentialScope;
use proto::sigv4::EMPTY_SHA256;
use proto::sigv4::PathEncoding;
use proto::sigv4::SignedHeaders;
use proto::sigv4::SigningKey;
use proto::sigv4::string_to_sign;
use proto::time::Timestamp;
use serde_json::json;
use tests::clients::Access;
use tests::expect::expect_backend_untouched;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::vaults::Call;
use crate::vaults::Glacier;
use crate::vaults::expect_error;
use crate::vaults::policy;

/// <https://docs.aws.amazon.com/amazonglacier/latest/dev/amazon-glacier-signing-requests.html>
#[test]
fn the_published_example_has_its_published_signature() {
    let now = Timestamp::parse_basic("20120525T002453Z").unwrap();
    let scope = CredentialScope::new(now, "us-east-1", "glacier");
    let canonical = CanonicalRequest {
        method: "PUT",
        path: "/-/vaults/examplevault",
        path_encoding: PathEncoding::Twice,
        query: &[],
        headers: &[
            ("host", b"glacier.us-east-1.amazonaws.com"),
            ("x-amz-date", b"20120525T002453Z"),
            ("x-amz-glacier-version", b"2012-06-01"),
        ],
        signed_headers: &SignedHeaders::from_names(["host", "x-amz-date", "x-amz-glacier-version"]),
        payload_hash: EMPTY_SHA256,
    };
    let text = string_to_sign(now, &scope, &canonical.sha256_hex());
    let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope);
    let signature = "3ce5b2f2fffac9262b4da9256f8d086b4aaf42eba5f111c21681a65a127b7c2a";
    assert_eq!(key.sign(&text), signature);
}

impl Glacier {
    fn signed(&self, call: &Call) -> Signed {
        call.sign(&self.world.main, self.world.now(), &self.world.host())
    }
}

#[tokio::test]
async fn the_body_is_signed_though_no_header_has_its_hash() {
    let glacier = Glacier::with_vault().await;
    let deny = policy(json!({"Effect": "Deny", "Action": "glacier:DeleteVault"}));
    let mut signed = glacier.signed(&Call::put("vaults/v/access-policy").json(&deny));
    assert!(!signed.headers.contains_key("x-amz-content-sha256"));
    let body = String::from_utf8(signed.body.to_vec()).unwrap();
    signed.body = body.replace("DeleteVault", "UploadArchive").into();
    let answer = signed.send(&glacier.world.target()).await.unwrap();
    expect_error(&answer, "InvalidSignatureException", 403);
    let missing = "ResourceNotFoundException";
    glacier
        .refuse(Call::get("vaults/v/access-policy"), missing, 404)
        .await;
}

#[tokio::test]
async fn a_request_that_nobody_or_somebody_else_signed_is_refused_before_the_backend() {
    let glacier = Glacier::with_vault().await;
    let call = Call::get("vaults/v");
    let send = |change: fn(&mut HeaderMap)| {
        let mut signed = glacier.signed(&call);
        change(&mut signed.headers);
        let target = glacier.world.target();
        async move { signed.send(&target).await.unwrap() }
    };
    glacier.world.backend.forget();
    let unsigned = send(|headers| drop(headers.remove("authorization"))).await;
    expect_error(&unsigned, "MissingAuthenticationTokenException", 400);
    let late = send(|headers| {
        headers.insert("x-amz-date", "20120525T002453Z".parse().unwrap());
    });
    expect_error(&late.await, "InvalidSignatureException", 403);
    let changed = send(|headers| {
        headers.insert("x-amz-glacier-version", "2013-06-01".parse().unwrap());
    });
    expect_error(&changed.await, "InvalidSignatureException", 403);
    let unknown = Access::new("NOBODYSACCESSKEY", "secret");
    let answer = glacier.send_as(&unknown, call.clone()).await;
    expect_error(&answer, "UnrecognizedClientException", 400);
    let wrong = Access {
        secret_access_key: "wrong".to_owned(),
        ..glacier.world.main.clone()
    };
    let answer = glacier.send_as(&wrong, call.clone()).await;
    expect_error(&answer, "InvalidSignatureException", 403);
    expect_backend_untouched(&glacier.world.backend);
}

#[tokio::test]
async fn every_request_names_the_version_of_the_api() {
    let glacier = Glacier::with_vault().await;
    let call = |version| Call::get("vaults/v").header("x-amz-glacier-version", version);
    let missing = "MissingParameterValueException";
    glacier.refuse(call(""), missing, 400).await;
    let wrong = "InvalidParameterValueException";
    glacier.refuse(call("2011-01-01"), wrong, 400).await;
}

#[tokio::test]
async fn an_archive_comes_with_the_hash_of_its_body_in_a_header() {
    let glacier = Glacier::with_vault().await;
    let upload = Call::post("vaults/v/archives").header("x-amz-sha256-tree-hash", &"0".repeat(64));
    let missing = "MissingParameterValueException";
    glacier.refuse(upload, missing, 400).await;
    let unsigned =
        Call::post("vaults/v/archives").header("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    glacier
        .refuse(unsigned, "InvalidParameterValueException", 400)
        .await;
}

#[tokio::test]
async fn a_document_that_is_too_long_is_refused() {
    let glacier = Glacier::with_vault().await;
    let long = json!({"Policy": "x".repeat(200_000)});
    let call = Call::put("vaults/v/access-policy").json(&long);
    glacier
        .refuse(call, "InvalidParameterValueException", 400)
        .await;
}

#[tokio::test]
async fn a_bucket_named_by_an_account_is_s3s_and_a_vault_is_glaciers() {
    let glacier = Glacier::with_vault().await;
    let world = &glacier.world;
    let bucket = sealgate::credentials::MAIN_ACCOUNT;
    let create = Draft::new(Method::PUT, bucket, "");
    assert_eq!(world.send(create).await.status(), 200);
    let put = Draft::new(Method::PUT, bucket, "vaults/v").body("an object");
    assert_eq!(world.send(put).await.status(), 200);
    let get = Draft::new(Method::GET, bucket, "vaults/v");
    assert_eq!(world.send(get).await.body().as_ref(), b"an object");
    let vault = Call::raw(Method::GET, &format!("/{bucket}/vaults/v"));
    assert_eq!(glacier.document(vault).await["VaultName"], "v");
}

#[tokio::test]
async fn an_address_of_no_operation_is_refused_in_glaciers_form() {
    let glacier = Glacier::with_vault().await;
    for call in [
        Call::raw(Method::GET, "/"),
        Call::new(Method::PATCH, "vaults/v"),
        Call::post("vaults/v/tags"),
        Call::get("vaults/v/archives"),
    ] {
        glacier.refuse(call, "BadRequest", 400).await;
    }
}

#[tokio::test]
async fn a_gateway_without_vaults_refuses_their_requests() {
    let setup = tests::world::World::setup().gateway(|config| config.vaults.enabled = false);
    let world = setup.start().await;
    let signed = Call::get("vaults").sign(&world.main, world.now(), &world.host());
    let answer = signed.send(&world.target()).await.unwrap();
    let message = expect_error(&answer, "BadRequest", 400);
    assert!(message.contains("vaults.enabled"), "{message}");
}
