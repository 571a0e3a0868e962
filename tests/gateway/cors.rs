//! Cross-origin rules: what a browser hears before a request, and what a page may read of an answer.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::Method;
use http::Response;
use tests::backend::Action;
use tests::backend::Fault;
use tests::expect::expect_no_canary;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

const PAGE: &str = "https://page-canary.example";

/// A world with the bucket `demo`, its object `k`, and these rules; everybody may read it.
async fn world(rules: &str) -> World {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::demo", "arn:aws:s3:::demo/*"]}]}"#;
    let put = world.s3().put_bucket_policy().bucket("demo").policy(policy);
    put.send().await.unwrap();
    let put = world
        .send(Draft::new(Method::PUT, "demo", "k").body("hello"))
        .await;
    assert_eq!(put.status(), 200);
    put_rules(&world, rules).await;
    world
}

/// A rule for pages of these origins with these methods.
fn rule(origin: &str, methods: &[&str], more: &str) -> String {
    let methods: String = methods
        .iter()
        .map(|method| format!("<AllowedMethod>{method}</AllowedMethod>"))
        .collect();
    format!("<CORSRule><AllowedOrigin>{origin}</AllowedOrigin>{methods}{more}</CORSRule>")
}

fn configuration(rules: &str) -> Draft {
    let document = format!("<CORSConfiguration>{rules}</CORSConfiguration>");
    let put = Draft::new(Method::PUT, "demo", "").query("cors", "");
    put.body(document)
}

async fn put_rules(world: &World, rules: &str) {
    let put = world.send(configuration(rules)).await;
    assert_eq!(put.status(), 200, "{put:?}");
    assert!(put.body().is_empty());
}

async fn anonymously(world: &World, draft: Draft) -> Response<Bytes> {
    let request = draft.anonymous(&world.host());
    request.send(&world.target()).await.unwrap()
}

fn preflight(key: &str, origin: &str, method: &str) -> Draft {
    Draft::new(Method::OPTIONS, "demo", key)
        .header("origin", origin)
        .header("access-control-request-method", method)
}

/// What an answer tells a page, by name.
fn for_page(answer: &Response<Bytes>) -> Vec<(String, String)> {
    let headers: &HeaderMap = answer.headers();
    let is_for_page = |name: &str| name.starts_with("access-control-") || name == "vary";
    let mut for_page: Vec<_> = headers
        .iter()
        .filter(|(name, _)| is_for_page(name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    for_page.sort();
    for_page
}

/// The origin and the methods that an answer allows.
fn allowed(answer: &Response<Bytes>) -> Option<(String, String)> {
    let for_page = for_page(answer);
    let value = |name: &str| {
        let pair = for_page.iter().find(|(for_page, _)| for_page == name);
        pair.map(|(_, value)| value.clone())
    };
    let origin = value("access-control-allow-origin");
    assert_eq!(origin.is_some(), !for_page.is_empty(), "{for_page:?}");
    Some((origin?, value("access-control-allow-methods")?))
}

fn message(answer: &Response<Bytes>) -> String {
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    let (_, rest) = text.split_once("<Message>").unwrap();
    rest.split_once("</Message>").unwrap().0.to_owned()
}

fn four_rules() -> String {
    rule("*suffix", &["GET"], "")
        + &rule("start*end", &["GET"], "")
        + &rule("prefix*", &["GET"], "")
        + &rule("*.put", &["PUT"], "")
}

#[tokio::test]
async fn preflights_for_names_without_a_bucket_evict_no_record_of_a_bucket() {
    let setup = World::setup().gateway(|config| config.state.cached_max = 4);
    let world = setup.start().await;
    world.create_bucket("demo").await;
    put_rules(&world, &four_rules()).await;
    let of_demo = |it: &tests::backend::Recorded| it.path.ends_with("/buckets/demo/record");
    let readings = || {
        let requests = world.backend.requests();
        requests.iter().filter(|it| of_demo(it)).count()
    };
    let before = readings();
    for number in 0..100 {
        let none = Draft::new(Method::OPTIONS, &format!("none-{number}"), "k")
            .header("origin", "foo.suffix")
            .header("access-control-request-method", "GET");
        assert_eq!(anonymously(&world, none).await.status(), 403);
    }
    let answer = anonymously(&world, preflight("k", "foo.suffix", "GET")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(readings(), before);
}

#[tokio::test]
async fn a_page_may_read_what_a_rule_allows_an_error_too_and_nothing_else() {
    let world = world(&four_rules()).await;
    for (method, key, origin, request, status, allows) in [
        (Method::GET, "", "foo.suffix", "", 200, "GET"),
        (Method::GET, "", "startend", "", 200, "GET"),
        (Method::GET, "k", "prefix.suffix", "", 200, "GET"),
        (Method::GET, "k", "bla.prefix", "", 200, ""),
        (Method::GET, "k", "foo.suffix.get", "", 200, ""),
        (Method::HEAD, "k", "foo.suffix", "", 200, ""),
        (Method::GET, "missing", "foo.suffix", "", 404, "GET"),
        (Method::PUT, "k", "foo.suffix", "", 403, ""),
        (Method::PUT, "k", "foo.put", "", 403, "PUT"),
        // The method that a browser asks about counts in the request itself, too.
        (Method::PUT, "k", "foo.suffix", "GET", 403, "GET"),
        (Method::GET, "k", "foo.suffix", "PUT", 200, ""),
    ] {
        let mut draft = Draft::new(method, "demo", key).header("origin", origin);
        if !request.is_empty() {
            draft = draft.header("access-control-request-method", request);
        }
        let answer = anonymously(&world, draft.clone()).await;
        assert_eq!(answer.status(), status, "{draft:?}");
        let expected = (!allows.is_empty()).then(|| (origin.to_owned(), allows.to_owned()));
        assert_eq!(allowed(&answer), expected, "{draft:?}");
    }
    let answer = anonymously(&world, Draft::new(Method::GET, "demo", "k")).await;
    assert_eq!(for_page(&answer), []);
    assert_eq!(answer.body(), "hello");
}

#[tokio::test]
async fn a_browser_that_asks_first_hears_what_the_first_rule_that_matches_says() {
    let more = "<AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>\
                <ExposeHeader>x-amz-request-id</ExposeHeader><MaxAgeSeconds>3000</MaxAgeSeconds>";
    let rules = rule(PAGE, &["PUT", "GET"], more) + &rule("*", &["GET", "HEAD"], "");
    let world = world(&rules).await;
    let request = preflight("k", PAGE, "GET").header(
        "access-control-request-headers",
        "X-Amz-Meta-A,x-amz-date, ,",
    );
    let answer = anonymously(&world, request).await;
    assert_eq!((answer.status().as_u16(), answer.body().len()), (200, 0));
    let vary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(own).collect()
    };
    assert_eq!(
        for_page(&answer),
        pairs(&[
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-headers", "x-amz-meta-a, x-amz-date"),
            ("access-control-allow-methods", "PUT, GET"),
            ("access-control-allow-origin", PAGE),
            ("access-control-expose-headers", "ETag, x-amz-request-id"),
            ("access-control-max-age", "3000"),
            ("vary", vary),
        ])
    );
    let any = pairs(&[
        ("access-control-allow-methods", "GET, HEAD"),
        ("access-control-allow-origin", "*"),
        ("vary", vary),
    ]);
    for (key, origin, method) in [("", "http://other", "GET"), ("missing", PAGE, "HEAD")] {
        let answer = anonymously(&world, preflight(key, origin, method)).await;
        assert_eq!(
            (answer.status().as_u16(), for_page(&answer)),
            (200, any.clone())
        );
    }

    // By the name of the host, and to a presigned URL whatever its signature.
    let mut by_host = preflight("k", PAGE, "PUT").anonymous("demo.s3.localhost");
    by_host.path = "/k?X-Amz-Signature=none".to_owned();
    let answer = by_host.send(&world.target()).await.unwrap();
    let expected = Some((PAGE.to_owned(), "PUT, GET".to_owned()));
    assert_eq!(
        (answer.status().as_u16(), allowed(&answer)),
        (200, expected)
    );
}

#[tokio::test]
async fn a_browser_hears_no_where_no_rule_allows_it() {
    let world = world(&rule(PAGE, &["GET"], "<AllowedHeader>x-a</AllowedHeader>")).await;
    let headers =
        |names| preflight("k", PAGE, "GET").header("access-control-request-headers", names);
    for (draft, method, resource) in [
        (
            preflight("k", "https://other.example", "GET"),
            "GET",
            "OBJECT",
        ),
        (preflight("k", PAGE, "PUT"), "PUT", "OBJECT"),
        (preflight("", PAGE, "DELETE"), "DELETE", "BUCKET"),
        (headers("x-b"), "GET", "OBJECT"),
        (headers("x-a, x-b"), "GET", "OBJECT"),
    ] {
        let answer = anonymously(&world, draft).await;
        expect_s3_error(&answer, "AccessForbidden", 403);
        assert_eq!(
            message(&answer),
            "CORSResponse: This CORS request is not allowed. This is usually because the evalution \
             of Origin, request method / Access-Control-Request-Method or \
             Access-Control-Request-Headers are not whitelisted by the resource&apos;s CORS spec."
        );
        let text = String::from_utf8_lossy(answer.body());
        let details = format!("<Method>{method}</Method><ResourceType>{resource}</ResourceType>");
        assert!(text.contains(&details), "{text}");
        assert_eq!(for_page(&answer), []);
    }
    for (draft, expected) in [
        (
            Draft::new(Method::OPTIONS, "demo", "k"),
            "Insufficient information. Origin request header needed.",
        ),
        (
            Draft::new(Method::OPTIONS, "demo", "k").header("origin", PAGE),
            "Invalid Access-Control-Request-Method: null",
        ),
        (
            preflight("k", PAGE, "PATCH"),
            "Invalid Access-Control-Request-Method: PATCH",
        ),
    ] {
        let answer = anonymously(&world, draft).await;
        expect_s3_error(&answer, "BadRequest", 400);
        assert_eq!(message(&answer), expected);
    }
}

#[tokio::test]
async fn a_preflight_does_not_tell_whether_a_bucket_without_rules_is_there() {
    let world = World::start().await;
    world.create_bucket("plain").await;
    let request = |bucket, key| {
        Draft::new(Method::OPTIONS, bucket, key)
            .header("origin", PAGE)
            .header("access-control-request-method", "PUT")
    };
    for bucket in ["plain", "nowhere", "sealgate-state"] {
        let answer = anonymously(&world, request(bucket, "k")).await;
        expect_s3_error(&answer, "AccessForbidden", 403);
        let text = String::from_utf8_lossy(answer.body());
        let expected = "<Message>CORSResponse: CORS is not enabled for this bucket.</Message>\
                        <Method>PUT</Method><ResourceType>BUCKET</ResourceType>";
        assert!(text.contains(expected), "{bucket}: {text}");
    }
    let answer = anonymously(&world, request("", "")).await;
    expect_s3_error(&answer, "AccessForbidden", 403);
    assert_eq!(message(&answer), "CORSResponse: Bucket not found");
}

#[tokio::test]
async fn answers_to_presigned_urls_and_forms_say_what_the_page_may_read_and_those_to_wrong_signatures_do_not()
 {
    let world = world(&rule(PAGE, &["GET", "PUT", "POST"], "")).await;
    let allows = Some((PAGE.to_owned(), "GET, PUT, POST".to_owned()));
    let (now, host) = (world.now(), world.host());
    let put = Draft::new(Method::PUT, "demo", "signed").body("x");
    let an_hour = Duration::from_secs(3600);
    let mut put = put.presign(&world.main, now, &host, an_hour);
    put.headers.insert("origin", PAGE.parse().unwrap());
    let answer = put.send(&world.target()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), allowed(&answer)),
        (200, allows.clone())
    );
    put.query.push('0');
    let answer = put.send(&world.target()).await.unwrap();
    expect_s3_error(&answer, "SignatureDoesNotMatch", 403);
    assert_eq!(allowed(&answer), None);

    let mut form = Form::new("demo", "posted", "x").sign(&world.main, now, &host);
    form.headers.insert("origin", PAGE.parse().unwrap());
    let answer = form.send(&world.target()).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), allowed(&answer)),
        (204, allows.clone())
    );

    let other_account = Draft::new(Method::PUT, "demo", "k").header("origin", PAGE);
    let other_account = other_account.sign(&world.alt, now, &host);
    let answer = other_account.send(&world.target()).await.unwrap();
    expect_s3_error(&answer, "AccessDenied", 403);
    assert_eq!(allowed(&answer), allows);

    let service = Draft::new(Method::GET, "", "").header("origin", PAGE);
    assert_eq!(for_page(&world.send(service).await), []);
}

#[tokio::test]
async fn rules_are_read_with_the_rest_of_the_buckets_record_and_once() {
    let world = world(&rule(PAGE, &["GET"], "")).await;
    let other = world.another_gateway().await;
    let target = tests::signed::Target {
        address: other.s3_addr.unwrap(),
        tls: None,
    };
    let host = target.address.to_string();
    world.backend.forget();
    let plain = Draft::new(Method::GET, "demo", "k");
    for origin in [None, Some(PAGE), None, Some(PAGE)] {
        let draft = match origin {
            Some(page) => plain.clone().header("origin", page),
            None => plain.clone(),
        };
        let answer = draft.anonymous(&host).send(&target).await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(allowed(&answer).is_some(), origin.is_some());
    }
    let request = world.backend.requests();
    let lookups = request
        .iter()
        .filter(|it| it.path.contains("/buckets/demo/"));
    assert_eq!(lookups.count(), 1);
}

#[tokio::test]
async fn rules_that_cannot_be_read_allow_nothing() {
    let world = world(&rule("*", &["GET"], "")).await;
    for action in [
        Action::Drop,
        Action::Refuse(500, "InternalError"),
        Action::Refuse(403, "AccessDenied"),
        Action::RemoveHeader("x-amz-meta-sealgate"),
        Action::Flip(90),
    ] {
        let what = format!("{action:?}");
        let other = world.another_gateway().await;
        let target = tests::signed::Target {
            address: other.s3_addr.unwrap(),
            tls: None,
        };
        let host = target.address.to_string();
        let fault = Fault::on_path(Method::GET, "buckets/demo/record", action);
        world.backend.inject(fault);
        let get = Draft::new(Method::GET, "demo", "k").header("origin", PAGE);
        for draft in [get, preflight("k", PAGE, "GET")] {
            let answer = draft.anonymous(&host).send(&target).await.unwrap();
            assert!(answer.status().is_server_error(), "{what}");
            assert_eq!(for_page(&answer), [], "{what}");
        }
        world.backend.heal();
    }
}

#[tokio::test]
async fn what_the_backend_says_to_pages_stays_behind() {
    let world = world(&rule(PAGE, &["GET"], "")).await;
    for (name, value) in [
        ("access-control-allow-origin", "https://backend.example"),
        ("access-control-allow-headers", "*"),
        ("access-control-expose-headers", "*"),
        ("vary", "*"),
    ] {
        let set = Action::SetHeader(name, value.to_owned());
        world.backend.inject(Fault::always(set));
        for (key, query) in [
            ("k", ""),
            ("k", "acl"),
            ("missing", ""),
            ("", "acl"),
            ("", ""),
        ] {
            let mut draft = Draft::new(Method::GET, "demo", key);
            if !query.is_empty() {
                draft = draft.query(query, "");
            }
            let answer = world.send(draft.clone()).await;
            assert_eq!(for_page(&answer), [], "{name} {key} {query}");
            let answer = world.send(draft.header("origin", PAGE)).await;
            let for_page: Vec<_> = for_page(&answer)
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            let names = [
                "access-control-allow-credentials",
                "access-control-allow-methods",
                "access-control-allow-origin",
                "vary",
            ];
            assert_eq!(for_page, names, "{name} {key} {query}");
            assert_eq!(allowed(&answer).unwrap().0, PAGE);
        }
        world.backend.heal();
    }
}

#[tokio::test]
async fn the_backend_learns_nothing_of_rules_and_pages() {
    let world = world(&rule(PAGE, &["GET"], "")).await;
    let get = Draft::new(Method::GET, "demo", "").query("cors", "");
    let answer = world.send(get).await;
    assert_eq!(answer.status(), 200);
    anonymously(&world, preflight("k", PAGE, "GET")).await;
    world
        .send(Draft::new(Method::GET, "demo", "k").header("origin", PAGE))
        .await;
    world
        .send(Draft::new(Method::DELETE, "demo", "").query("cors", ""))
        .await;
    for request in world.backend.requests() {
        assert!(!request.query.contains("cors"), "{request:?}");
        assert!(!request.headers.contains_key("origin"));
        assert_ne!(request.method, Method::OPTIONS);
    }
    expect_no_canary(&world.backend, PAGE.as_bytes());
}

#[tokio::test]
async fn rules_are_kept_shown_replaced_and_gone_with_their_bucket() {
    let world = World::start().await;
    let missing = world.send(configuration(&rule("*", &["GET"], ""))).await;
    expect_s3_error(&missing, "NoSuchBucket", 404);
    world.create_bucket("demo").await;
    let on_rules = |method| Draft::new(method, "demo", "").query("cors", "");
    let none = world.send(on_rules(Method::GET)).await;
    expect_s3_error(&none, "NoSuchCORSConfiguration", 404);
    put_rules(&world, &rule(PAGE, &["GET"], "")).await;
    for refused in [
        rule("*", &["PATCH"], ""),
        rule("*", &[], ""),
        rule("*", &["GET"], &" ".repeat(64 << 10)),
    ] {
        let refused = world.send(configuration(&refused)).await;
        assert_eq!(refused.status(), 400);
    }
    let wrong = configuration(&rule("*", &["GET"], ""));
    let wrong = wrong.header("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    expect_s3_error(&world.send(wrong).await, "BadDigest", 400);
    let shown = world.send(on_rules(Method::GET)).await;
    assert_eq!(
        std::str::from_utf8(shown.body()).unwrap(),
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><CORSRule>\
             <AllowedMethod>GET</AllowedMethod><AllowedOrigin>{PAGE}</AllowedOrigin>\
             </CORSRule></CORSConfiguration>"
        )
    );
    put_rules(&world, &rule("*", &["DELETE"], "")).await;
    let from_page = |draft: Draft| draft.header("origin", PAGE);
    for (draft, status) in [
        (on_rules(Method::DELETE), 204),
        (on_rules(Method::DELETE), 204),
    ] {
        assert_eq!(world.send(from_page(draft)).await.status(), status);
    }
    expect_s3_error(
        &world.send(on_rules(Method::GET)).await,
        "NoSuchCORSConfiguration",
        404,
    );

    // The page that deletes the bucket may still read the answer.
    put_rules(&world, &rule("*", &["DELETE"], "")).await;
    let gone = Draft::new(Method::DELETE, "demo", "");
    let gone = world.send(from_page(gone)).await;
    assert_eq!(gone.status(), 204);
    assert!(allowed(&gone).is_some());
    let left = world.backend.keys("sealgate-state");
    assert!(!left.iter().any(|name| name.ends_with("/cors")), "{left:?}");
    world.create_bucket("demo").await;
    expect_s3_error(
        &world.send(on_rules(Method::GET)).await,
        "NoSuchCORSConfiguration",
        404,
    );
}

#[tokio::test]
async fn another_account_puts_rules_only_where_the_policy_lets_it() {
    let world = world(&rule(PAGE, &["GET"], "")).await;
    let (now, host) = (world.now(), world.host());
    let as_stranger = |draft: Draft| draft.sign(&world.alt, now, &host);
    let put = as_stranger(configuration(&rule("*", &["PUT"], "")));
    let answer = put.send(&world.target()).await.unwrap();
    expect_s3_error(&answer, "AccessDenied", 403);
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*",
        "Action": "s3:PutBucketCORS", "Resource": "arn:aws:s3:::demo"}]}"#;
    let allow = world.s3().put_bucket_policy().bucket("demo").policy(policy);
    allow.send().await.unwrap();
    let answer = put.send(&world.target()).await.unwrap();
    assert_eq!(answer.status(), 200);
    let get = as_stranger(Draft::new(Method::GET, "demo", "").query("cors", ""));
    let answer = get.send(&world.target()).await.unwrap();
    expect_s3_error(&answer, "AccessDenied", 403);
}
