//! Forms that were not signed, or say more than their policy allows.

use http::Response;
use proto::sigv4::CredentialScope;
use serde_json::json;
use tests::expect::expect_backend_untouched;
use tests::form::BOUNDARY;
use tests::form::Form;
use tests::form::sign;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// A form that needs no KMS.
fn form() -> Form {
    let signed = put("unused", "");
    let gate_headers = signed.anonymous("host").headers;
    gate_headers
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
        .fold(Form::new(BUCKET, "key", "hello"), |form, (name, value)| {
            form.field(name.as_str(), value.to_str().unwrap())
        })
}

fn signed(gate: &Gate, form: &Form) -> Signed {
    form.sign(&gate.access, gate.now(), &gate.host)
}

/// The form is refused so, in these words, and the backend saw nothing.
async fn refuses(gate: &Gate, request: &Signed, status: u16, code: &str, words: &str) {
    let text = gate.refuses(request, code, status).await;
    let text = text.replace("&quot;", "\"").replace("&apos;", "'");
    assert!(text.contains(words), "{words} is not in {text}");
}

#[tokio::test]
async fn a_form_is_let_in_with_its_policy_only() {
    let gate = Gate::open().await;
    let fields = form().signed_fields(&gate.access, gate.now());
    let without = |names: &[&str]| {
        let kept = fields
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        let kept: Vec<_> = kept.cloned().collect();
        form().request(&kept, &gate.host)
    };
    let all = [
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-signature",
    ];
    // Without a trace of a signature it is anonymous, and no policy of the bucket lets that in.
    refuses(&gate, &without(&all), 403, "AccessDenied", "").await;
    refuses(
        &gate,
        &without(&[&all[..], &["policy"]].concat()),
        403,
        "AccessDenied",
        "",
    )
    .await;
    for (name, shown) in all
        .iter()
        .zip(["Algorithm", "Credential", "Date", "Signature"])
    {
        let words = format!("must contain a field named 'X-Amz-{shown}'.  If it");
        refuses(&gate, &without(&[name]), 400, "InvalidArgument", &words).await;
    }
    let words = "must contain a field named 'Policy'";
    refuses(&gate, &without(&["policy"]), 400, "InvalidArgument", words).await;
    let words = "must contain a field named 'key'";
    refuses(&gate, &without(&["key"]), 400, "InvalidArgument", words).await;
    assert!(gate.backend_requests().is_empty());
    let answer = gate.accepts(&signed(&gate, &form())).await;
    assert_eq!(answer.status(), 204);
}

#[tokio::test]
async fn a_forged_or_foreign_signature_is_refused() {
    let gate = Gate::open().await;
    let fields = form().signed_fields(&gate.access, gate.now());
    let with = |name: &str, value: &str| {
        let mut fields = fields.clone();
        let field = fields.iter_mut().find(|(other, _)| other == name).unwrap();
        field.1 = value.to_owned();
        form().request(&fields, &gate.host)
    };
    let value = |name: &str| fields.iter().find(|(n, _)| n == name).unwrap().1.clone();
    let (policy, credential) = (value("policy"), value("x-amz-credential"));
    let signature = value("x-amz-signature");
    let mismatch = "SignatureDoesNotMatch";
    for request in [
        with("x-amz-signature", &"0".repeat(64)),
        with("x-amz-signature", &signature.to_uppercase()),
        with("x-amz-signature", ""),
        with("policy", &policy[..policy.len() - 4]),
        with(
            "x-amz-credential",
            &credential.replace("AKIDONE", "AKIDTWO"),
        ),
        with("x-amz-credential", &credential.replace("2025", "2024")),
        with(
            "x-amz-credential",
            &credential.replace("us-east-1", "eu-west-1"),
        ),
    ] {
        refuses(&gate, &request, 403, mismatch, "<StringToSign>").await;
    }
    let unknown = with("x-amz-credential", &credential.replace("AKIDONE", "NOBODY"));
    refuses(&gate, &unknown, 403, "InvalidAccessKeyId", "NOBODY").await;
    for (value, words) in [
        (
            credential.replace("us-east-1", "mars-north-1"),
            "expecting 'us-east-1'",
        ),
        (credential.replace("/s3/", "/kms/"), ""),
        (credential.replace("aws4_request", "aws4"), ""),
        ("nonsense".to_owned(), "mal-formed"),
    ] {
        let request = with("x-amz-credential", &value);
        refuses(&gate, &request, 400, "InvalidArgument", words).await;
    }
    for algorithm in ["AWS4-ECDSA-P256-SHA256", "AWS4-HMAC-SHA1", ""] {
        let request = with("x-amz-algorithm", algorithm);
        refuses(&gate, &request, 400, "InvalidArgument", "X-Amz-Algorithm").await;
    }
    let date = with("x-amz-date", "yesterday");
    refuses(&gate, &date, 400, "InvalidArgument", "X-Amz-Date").await;
}

#[tokio::test]
async fn signature_version_2_of_a_form_is_refused() {
    let gate = Gate::open().await;
    let fields = [
        ("key", "key"),
        ("AWSAccessKeyId", "AKIDONE"),
        ("policy", "e30="),
        ("signature", "c2lnbmF0dXJl"),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = form().request(&fields, &gate.host);
    refuses(&gate, &request, 400, "InvalidRequest", "AWS4-HMAC-SHA256").await;
}

#[tokio::test]
async fn a_policy_holds_for_every_field_and_no_condition_is_left_out() {
    let gate = Gate::open().await;
    let denied = "Invalid according to Policy: ";
    let sse = "x-amz-server-side-encryption";
    for (form, words) in [
        (
            form().uncovered("x-amz-meta-a", "1"),
            "Extra input fields: x-amz-meta-a",
        ),
        (
            form().uncovered("acl", "public-read"),
            "Extra input fields: acl",
        ),
        (
            form().uncovered(sse, "AES256"),
            "Extra input fields: x-amz-server-side-encryption",
        ),
        (
            form().uncovered("submit", "Upload"),
            "Extra input fields: submit",
        ),
        (
            form().uncovered("success_action_redirect", "http://evil.example/"),
            "Extra input fields",
        ),
        (
            form().uncovered("bucket", "other"),
            "The form names another bucket.",
        ),
        (
            form().condition(json!(["eq", "$x-amz-meta-a", "1"])),
            "Policy Condition failed: [\"eq\", \"$x-amz-meta-a\", \"1\"]",
        ),
        (
            form().condition(json!(["starts-with", "$Content-Type", ""])),
            "Policy Condition failed: [\"starts-with\", \"$Content-Type\", \"\"]",
        ),
        (
            form().condition(json!(["starts-with", "$key", "other"])),
            "Policy Condition failed",
        ),
        (
            form().condition(json!(["starts-with", "$key", "KEY"])),
            "Policy Condition failed",
        ),
        (
            form().condition(json!(["eq", "key", "key"])),
            "Policy Condition failed",
        ),
        (
            form().condition(json!({"bucket": "other"})),
            "Policy Condition failed",
        ),
        (
            form().condition(json!(["content-length-range", "a", "b"])),
            "Policy Condition failed",
        ),
        (form().expiration("2025-06-15T15:06:39Z"), "Policy expired."),
        (
            Form::new(BUCKET, "key", "x").without_conditions(),
            "Extra input fields: key, bucket",
        ),
    ] {
        let words = format!("{denied}{words}");
        let words = if words.contains("key, bucket") {
            denied
        } else {
            &words
        };
        refuses(&gate, &signed(&gate, &form), 403, "AccessDenied", words).await;
    }
}

#[tokio::test]
async fn the_length_of_a_file_is_held_to_the_policys_range() {
    let gate = Gate::open().await;
    for (range, code) in [
        (json!(["content-length-range", 6, 10]), "EntityTooSmall"),
        (json!(["content-length-range", 0, 4]), "EntityTooLarge"),
    ] {
        let form = form().condition(range);
        refuses(&gate, &signed(&gate, &form), 400, code, "<ProposedSize>5<").await;
    }
    for range in [
        json!(["content-length-range", 5, 5]),
        json!(["content-length-range", "0", "9"]),
    ] {
        gate.accepts(&signed(&gate, &form().condition(range))).await;
    }
}

#[tokio::test]
async fn a_policy_signed_for_one_bucket_does_not_serve_another() {
    let gate = Gate::open().await;
    gate.backend.create_bucket("other");
    let mut request = signed(&gate, &form());
    request.path = "/other".to_owned();
    let words = "Policy Condition failed: [\"eq\", \"$bucket\", \"bucket\"]";
    refuses(&gate, &request, 403, "AccessDenied", words).await;
}

#[tokio::test]
async fn what_is_no_policy_gets_the_error_of_aws() {
    let gate = Gate::open().await;
    let scope = CredentialScope::new(gate.now(), &gate.access.region, "s3");
    for (policy, words) in [
        ("no JSON", "Invalid JSON."),
        ("[]", "Invalid JSON."),
        (r#"{"conditions": []}"#, "Policy missing expiration."),
        (
            r#"{"EXPIRATION": "2030-01-01T00:00:00Z", "conditions": []}"#,
            "Unexpected: 'expiration'",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z"}"#,
            "Policy missing conditions.",
        ),
        (
            r#"{"expiration": "2030-01-01 00:00:00 UTC", "conditions": []}"#,
            "Invalid 'expiration' value: '2030-01-01 00:00:00 UTC'",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00+02:00", "conditions": []}"#,
            "Invalid 'expiration' value",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{}]}"#,
            "must have exactly one property",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [{"a": 1}]}"#,
            "value must be a string",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", 0]]}"#,
            "wrong number of arguments",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["content-length-range", -1, 0]]}"#,
            "Invalid JSON.",
        ),
        (
            r#"{"expiration": "2030-01-01T00:00:00Z", "conditions": [["ne", "$key", "a"]]}"#,
            "unknown operation 'ne'",
        ),
    ] {
        let mut fields = form().signed_fields(&gate.access, gate.now());
        fields.truncate(fields.len() - 2);
        fields.extend(sign(&gate.access, &scope, policy));
        let request = form().request(&fields, &gate.host);
        let words = format!("Invalid Policy: {words}");
        let words = if words.contains("wrong") {
            "wrong number"
        } else {
            &words
        };
        let words = words.replace("Invalid Policy: must", "must");
        let words = words.replace("Invalid Policy: value", "value");
        let words = words.replace("Invalid Policy: unknown", "unknown");
        refuses(&gate, &request, 400, "InvalidPolicyDocument", &words).await;
    }
}

#[tokio::test]
async fn names_in_policies_and_forms_differ_by_more_than_case() {
    let gate = Gate::open().await;
    let form = form()
        .condition(json!(["StArTs-WiTh", "$KeY", "k"]))
        .condition(json!(["eq", "$x-amz-META-a", "1"]))
        .uncovered("X-Amz-Meta-A", "1");
    let mut fields = form.signed_fields(&gate.access, gate.now());
    for (name, _) in &mut fields {
        if ["policy", "x-amz-signature", "key"].contains(&name.as_str()) {
            *name = name.to_uppercase();
        }
    }
    gate.accepts(&form.request(&fields, &gate.host)).await;
    gate.backend.forget();
    let twice = form.uncovered("KEY", "other");
    refuses(
        &gate,
        &signed(&gate, &twice),
        400,
        "InvalidArgument",
        "more than once",
    )
    .await;
}

#[tokio::test]
async fn the_gateways_own_metadata_and_unsigned_headers_are_refused_with_forms() {
    let gate = Gate::open().await;
    for name in [
        "x-amz-meta-sealgate",
        "x-amz-meta-sealgate-x",
        "x-amz-meta_sealgate",
    ] {
        let request = signed(&gate, &form().field(name, "1"));
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
    let mut request = signed(&gate, &form());
    let header = "x-amz-server-side-encryption-context";
    request.headers.insert(header, "e30=".parse().unwrap());
    refuses(&gate, &request, 403, "AccessDenied", "HeadersNotSigned").await;
    // Signed twice, in the form and in the header.
    let mut request = signed(&gate, &form());
    let header = gate
        .sign(put("key", "hello"))
        .headers
        .remove("authorization");
    request.headers.insert("authorization", header.unwrap());
    let answer: Response<_> = gate.send(&request).await;
    assert!(answer.status().is_client_error());
    expect_backend_untouched(&gate.backend);
}

#[tokio::test]
async fn a_body_that_is_no_form_is_refused() {
    let gate = Gate::open().await;
    let good = signed(&gate, &form());
    let text = String::from_utf8(good.body.to_vec()).unwrap();
    let delimiter = format!("--{BOUNDARY}");
    let malformed = "MalformedPOSTRequest";
    for (body, code) in [
        (String::new(), malformed),
        ("hello".to_owned(), malformed),
        (text.replace(&delimiter, "--other"), malformed),
        (text.replace("form-data;", "attachment;"), malformed),
        (text.replace("name=\"key\"", "name=\"\""), malformed),
        (text.replace("name=\"key\"", "name=\"key"), malformed),
        (
            text.replace("name=\"key\"", "name=\"key\"; name=\"acl\""),
            malformed,
        ),
        (text.replace("\r\n", "\n"), malformed),
        (text[..text.len() - 10].to_owned(), malformed),
        (
            text.replace("name=\"file\"", "name=\"other\""),
            "InvalidArgument",
        ),
        (format!("{delimiter}--\r\n"), "InvalidArgument"),
        (
            text.replace("key\r\n--", &format!("{}\r\n--", "k".repeat(30_000))),
            "MaxPostPreDataLengthExceeded",
        ),
        (
            text.replace("name=\"file\"", &format!("name=\"{}\"", "f".repeat(30_000))),
            "MaxPostPreDataLengthExceeded",
        ),
    ] {
        let request = Signed {
            body: body.into(),
            ..good.clone()
        };
        gate.refuses(&request, code, 400).await;
    }
    for content_type in [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data-not; boundary=a",
    ] {
        let mut request = good.clone();
        request
            .headers
            .insert("content-type", content_type.parse().unwrap());
        gate.refuses(&request, malformed, 400).await;
    }
    let mut request = good.clone();
    request
        .headers
        .insert("content-type", "text/html".parse().unwrap());
    refuses(
        &gate,
        &request,
        412,
        "PreconditionFailed",
        "enclosure-type multipart",
    )
    .await;
    let mut request = good;
    request
        .headers
        .insert("transfer-encoding", "chunked".parse().unwrap());
    gate.refuses(&request, "MissingContentLength", 411).await;
}
