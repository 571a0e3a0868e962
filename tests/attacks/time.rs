//! Signatures of other times, days, Regions and services.

use std::time::Duration;

use http::Method;
use proto::time::Timestamp;
use tests::signed::Draft;
use tests::signed::Signed;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::NOW;
use crate::gate::put;

fn at(gate: &Gate, seconds: i64) -> Signed {
    let time = Timestamp::from_unix_seconds(NOW + seconds);
    put("key", "hello").sign(&gate.access, time, &gate.host)
}

#[tokio::test]
async fn a_clock_may_be_wrong_by_15_minutes_and_not_by_a_second_more() {
    let gate = Gate::open().await;
    for seconds in [-901, 901, -86_400, 86_400, -1_000_000_000] {
        let body = gate
            .refuses(&at(&gate, seconds), "RequestTimeTooSkewed", 403)
            .await;
        assert!(
            body.contains("<MaxAllowedSkewMilliseconds>900000<"),
            "{body}"
        );
    }
    for seconds in [-900, 900] {
        gate.accepts(&at(&gate, seconds)).await;
    }
}

#[tokio::test]
async fn a_request_without_a_readable_time_is_refused() {
    let gate = Gate::open().await;
    for date in [
        None,
        Some("yesterday"),
        Some("20250615"),
        Some("2025-06-15T15:06:40Z"),
        Some(""),
    ] {
        let mut request = at(&gate, 0);
        request.headers.remove("x-amz-date");
        if let Some(date) = date {
            request.headers.insert("x-amz-date", date.parse().unwrap());
        }
        gate.refuses(&request, "AccessDenied", 403).await;
    }
}

#[tokio::test]
async fn a_scope_that_is_not_this_gateways_is_refused() {
    let gate = Gate::open().await;
    let elsewhere = gate.access.in_region("mars-north-1");
    let request = put("key", "hello").sign(&elsewhere, gate.now(), &gate.host);
    let body = gate
        .refuses(&request, "AuthorizationHeaderMalformed", 400)
        .await;
    assert!(body.contains("<Region>us-east-1</Region>"), "{body}");
    let head = Draft::new(Method::HEAD, BUCKET, "key").sign(&elsewhere, gate.now(), &gate.host);
    let answer = gate.send(&head).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.headers()["x-amz-bucket-region"], "us-east-1");

    for (from, to) in [
        ("/s3/aws4_request", "/kms/aws4_request"),
        ("/s3/aws4_request", "/s3/aws4_requesT"),
        ("/s3/aws4_request", "/s3"),
        ("/20250615/", "/20250614/"),
        ("/20250615/", "/2025-06-15/"),
        ("/20250615/", "/20250631/"),
        ("/us-east-1/", "//"),
    ] {
        let mut request = at(&gate, 0);
        let value = request.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(value.contains(from));
        request
            .headers
            .insert("authorization", value.replace(from, to).parse().unwrap());
        gate.refuses(&request, "AuthorizationHeaderMalformed", 400)
            .await;
    }
}

#[tokio::test]
async fn a_presigned_url_lives_as_long_as_it_says() {
    let gate = Gate::open().await;
    let hour = Duration::from_secs(3_600);
    let sign = || {
        let draft = Draft::new(Method::GET, BUCKET, "key").query("tagging", "");
        draft.presign(&gate.access, gate.now(), &gate.host, hour)
    };
    gate.clock
        .set(gate.now().plus(hour).plus(Duration::from_secs(1)));
    let body = gate.refuses(&sign(), "AccessDenied", 403).await;
    assert!(
        body.contains("<Message>Request has expired</Message>"),
        "{body}"
    );
    assert!(
        body.contains("<X-Amz-Expires>3600</X-Amz-Expires>"),
        "{body}"
    );

    gate.clock.set(gate.now().minus(Duration::from_secs(901)));
    gate.refuses(&sign(), "AccessDenied", 403).await;

    gate.clock.set(gate.now().plus(hour));
    gate.send(&sign()).await;
    assert_eq!(gate.backend_requests().len(), 1);
}

#[tokio::test]
async fn a_presigned_url_lives_at_most_a_week() {
    let gate = Gate::open().await;
    for expires in [
        "604801",
        "-1",
        "99999999999999999999",
        "1.5",
        "",
        "1e3",
        "0x10",
    ] {
        let mut request = gate.presign(put("key", "hello"));
        assert!(request.query.contains("X-Amz-Expires=300"));
        let changed = format!("X-Amz-Expires={expires}");
        request.query = request.query.replace("X-Amz-Expires=300", &changed);
        gate.refuses(&request, "AuthorizationQueryParametersError", 400)
            .await;
    }
    let week = Duration::from_secs(604_800);
    let request = put("key", "hello").presign(&gate.access, gate.now(), &gate.host, week);
    gate.accepts(&request).await;
}

#[tokio::test]
async fn the_life_of_a_presigned_url_cannot_be_made_longer() {
    let gate = Gate::open().await;
    let mut request = gate.presign(put("key", "hello"));
    request.query = request
        .query
        .replace("X-Amz-Expires=300", "X-Amz-Expires=3000");
    gate.refuses(&request, "SignatureDoesNotMatch", 403).await;
    let mut request = gate.presign(put("key", "hello"));
    let signed = request.query.clone();
    for (region, code, status) in [
        ("us-west-1", "SignatureDoesNotMatch", 403),
        ("mars-north-1", "AuthorizationQueryParametersError", 400),
    ] {
        request.query = signed.replace("us-east-1", region);
        assert_ne!(request.query, signed);
        gate.refuses(&request, code, status).await;
    }
}

#[tokio::test]
async fn an_answer_to_a_url_that_expires_meanwhile_is_not_cut_off() {
    let gate = Gate::open().await;
    let request = gate.presign(put("key", "hello"));
    gate.accepts(&request).await;
    gate.clock.advance(Duration::from_secs(301));
    let response = gate.send(&request).await;
    tests::expect::expect_s3_error(&response, "AccessDenied", 403);
}
