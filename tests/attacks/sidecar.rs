//! A gateway beside its application, for which plain HTTP over loopback counts as TLS: nothing else does.

use http::Method;
use tests::backend::Recorded;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;

/// Headers by which a client says that it came another way.
const FORWARDED: &[(&str, &str)] = &[
    ("x-forwarded-proto", "https"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-forwarded-for", "203.0.113.7"),
    ("forwarded", "for=127.0.0.1;proto=https"),
    ("x-real-ip", "203.0.113.7"),
];

fn with(mut request: Signed, name: &'static str, value: &'static str) -> Signed {
    request.headers.insert(name, value.parse().unwrap());
    request
}

#[tokio::test]
async fn customer_keys_over_loopback_are_taken_where_it_counts_as_secure_and_nowhere_else() {
    let gate = Gate::with(|config| config.listen.loopback_is_secure = true).await;
    for &(name, value) in FORWARDED {
        let request = with(
            gate.sign(put("key", "a secret of the application")),
            name,
            value,
        );
        gate.accepts(&request).await;
        let stored = gate.backend.object(BUCKET, "key").unwrap();
        let is_seen = stored.body.windows(8).any(|bytes| bytes == b"a secret");
        assert!(!is_seen, "the backend received plaintext");
        gate.backend.remove(BUCKET, "key");
    }
    let received: Vec<Recorded> = gate.backend.requests();
    assert!(!received.is_empty());

    let plain = Gate::with(|_| {}).await;
    for &(name, value) in FORWARDED {
        let request = with(plain.sign(put("key", "a secret")), name, value);
        let refused = plain.send(&request).await;
        assert_eq!(refused.status(), 400, "{name}: {value}");
        plain.expect_nothing_stored();
    }
}

#[tokio::test]
async fn a_policy_that_demands_secure_transport_is_met_over_loopback_only_where_it_counts() {
    let policy = |effect: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":"*","Action":"s3:GetObject",
            "Resource":"arn:aws:s3:::demo/*","Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}]}}"#
        )
    };
    for is_secure in [true, false] {
        let setup = World::setup().gateway(move |config| {
            config.listen.loopback_is_secure = is_secure;
        });
        let world = setup.start().await;
        world.create_bucket("demo").await;
        let s3 = world.s3();
        let put = s3.put_object().bucket("demo").key("k");
        put.body(b"x".to_vec().into()).send().await.unwrap();
        let set = s3.put_bucket_policy().bucket("demo").policy(policy("Deny"));
        set.send().await.unwrap();
        let get = || Draft::new(Method::GET, "demo", "k");
        let status = if is_secure { 200 } else { 403 };
        assert_eq!(world.send(get()).await.status(), status);
        let claims_https = get().header("x-forwarded-proto", "https");
        assert_eq!(world.send(claims_https).await.status(), status);
        assert_eq!(world.send_tls(get()).await.status(), 200);
    }
}

#[tokio::test]
async fn a_listener_that_others_reach_or_a_proxy_on_loopback_is_refused_at_start() {
    type Change = fn(&mut gateway::config::Config);
    let refused: [(Change, &str); 5] = [
        (
            |c| c.listen.http = Some("0.0.0.0:0".parse().unwrap()),
            "on a loopback address",
        ),
        (
            |c| c.listen.http = Some("[::]:0".parse().unwrap()),
            "on a loopback address",
        ),
        (|c| c.listen.http = None, "on a loopback address"),
        (
            |c| c.trusted_proxies = vec!["127.0.0.1".parse().unwrap()],
            "trusted_proxies",
        ),
        (
            |c| c.trusted_proxies = vec!["::/0".parse().unwrap()],
            "trusted_proxies",
        ),
    ];
    for (change, part) in refused {
        let mut config = gateway::config::Config::default();
        config.listen.https = Some("127.0.0.1:0".parse().unwrap());
        config.listen.loopback_is_secure = true;
        config.check().unwrap();
        change(&mut config);
        let refusal = config.check().unwrap_err().to_string();
        assert!(refusal.contains("listen.loopback_is_secure"), "{refusal}");
        assert!(refusal.contains(part), "{refusal}");
        let started = gateway::server::start(config, gateway::server::Parts::default()).await;
        assert!(started.is_err());
    }
}

#[tokio::test]
async fn the_location_of_an_upload_is_http_though_loopback_counts_as_secure() {
    let setup = World::setup().gateway(|config| config.listen.loopback_is_secure = true);
    let world = setup.start().await;
    world.create_bucket("demo").await;
    let s3 = world.s3_plain();
    let upload = s3.create_multipart_upload().bucket("demo").key("k");
    let id = upload.send().await.unwrap().upload_id.unwrap();
    let part = s3.upload_part().bucket("demo").key("k").upload_id(&id);
    let part = part.part_number(1).body(b"x".to_vec().into());
    let etag = part.send().await.unwrap().e_tag.unwrap();
    let parts = aws_sdk_s3::types::CompletedMultipartUpload::builder().parts(
        aws_sdk_s3::types::CompletedPart::builder()
            .part_number(1)
            .e_tag(etag)
            .build(),
    );
    let complete = s3.complete_multipart_upload().bucket("demo").key("k");
    let complete = complete.upload_id(id).multipart_upload(parts.build());
    let location = complete.send().await.unwrap().location.unwrap();
    assert_eq!(location, format!("{}/demo/k", world.s3_endpoint()));
}
