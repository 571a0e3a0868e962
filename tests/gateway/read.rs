//! Ranges, parts, conditions and what else a read may ask for.

use http::Method;
use md5::Digest as _;
use proptest::prelude::*;
use tests::backend::Action;
use tests::backend::Fault;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

/// What a range of an object of `size` is: status, first byte, number of bytes.
fn model(size: usize, header: &str) -> Result<(u16, usize, usize), u16> {
    let whole = Ok((200, 0, size));
    let Some((first, last)) = header
        .strip_prefix("bytes=")
        .and_then(|r| r.split_once('-'))
    else {
        return whole;
    };
    let (first, last) = (first.parse::<usize>(), last.parse::<usize>());
    let (first, end) = match (first, last) {
        (Ok(first), Ok(last)) if first > last => return whole,
        (Ok(first), Ok(last)) => (first, size.min(last + 1)),
        (Ok(first), Err(_)) => (first, size),
        (Err(_), Ok(count)) => (
            if count == 0 {
                size
            } else {
                size.saturating_sub(count)
            },
            size,
        ),
        (Err(_), Err(_)) => return whole,
    };
    if first >= size {
        Err(416)
    } else {
        Ok((206, first, end - first))
    }
}

fn arbitrary_range(size: usize) -> impl Strategy<Value = String> {
    let near = move || {
        prop_oneof![
            0..=size + 20_000,
            (0..=size / 16_384 + 1).prop_map(|chunk| chunk * 16_384),
            (0..=size / 16_384 + 1).prop_map(|chunk| (chunk * 16_384).saturating_sub(1)),
        ]
    };
    prop_oneof![
        (near(), near()).prop_map(|(first, last)| format!("bytes={first}-{last}")),
        near().prop_map(|first| format!("bytes={first}-")),
        near().prop_map(|count| format!("bytes=-{count}")),
    ]
}

#[test]
fn every_range_gives_the_bytes_of_the_model_by_requests_hardly_wider() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let sizes = [0, 1, 100, 16_383, 16_384, 16_385, 50_000, 300_000];
    let world = runtime.block_on(async {
        let world = Direct::start().await;
        for size in sizes {
            let key = format!("k{size}");
            world.put(Request::new(&key).body(content(size))).await.ok();
        }
        world
    });
    let cases = proptest::sample::select(sizes.to_vec())
        .prop_flat_map(|size| (Just(size), arbitrary_range(size)));
    let config = ProptestConfig {
        cases: 400,
        ..ProptestConfig::default()
    };
    proptest!(config, |((size, header) in cases)| {
        world.backend.forget();
        let request = || Request::new(&format!("k{size}")).header("range", &header);
        let (got, head) = runtime.block_on(async {
            let got = world.get(request()).await;
            let reads = world.backend.requests();
            (got, (world.head(request()).await, reads))
        });
        let (head, reads) = head;
        prop_assert_eq!(got.status, head.status);
        match model(size, &header) {
            Err(status) => {
                prop_assert_eq!(got.status.as_u16(), status);
                let error = got.error.unwrap();
                prop_assert_eq!(error.code_text(), "InvalidRange");
                let actual = ("ActualObjectSize", size.to_string());
                prop_assert!(error.details().contains(&actual));
            }
            Ok((status, first, count)) => {
                let whole = content(size);
                prop_assert_eq!(got.status.as_u16(), status);
                prop_assert_eq!(&got.body, &whole[first..first + count]);
                prop_assert_eq!(got.header("content-length"), count.to_string());
                prop_assert_eq!(head.header("content-length"), count.to_string());
                if status == 206 {
                    let range = format!("bytes {first}-{}/{size}", first + count - 1);
                    prop_assert_eq!(got.header("content-range"), &range);
                    prop_assert_eq!(head.header("content-range"), &range);
                    // Digests are remembered since the write: one request, for hardly more.
                    prop_assert_eq!(reads.len(), 1, "{:?}", reads);
                    let request = width(reads[0].header("range"), size as u64);
                    prop_assert!(request <= count as u64 + 2 * 16_400 + 216 + count as u64 / 1_000);
                }
            }
        }
    });
}

/// The number of stored bytes in a range that the backend received.
fn width(range: &str, size: u64) -> u64 {
    let stored = gateway::chunks::layout::stored_bytes(size).unwrap();
    let (first, last) = range
        .strip_prefix("bytes=")
        .unwrap()
        .split_once('-')
        .unwrap();
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => stored.min(last + 1) - first,
        (Ok(first), Err(_)) => stored - first,
        (Err(_), Ok(count)) => stored.min(count),
        (Err(_), Err(_)) => panic!("{range}"),
    }
}

#[tokio::test]
async fn no_position_beyond_every_object_reaches_the_backend_however_large_the_range_is() {
    let world = Direct::start().await;
    let whole = content(90_000);
    world.put(Request::new("k").body(whole.clone())).await.ok();
    for largest in [1 << 60, (1 << 63) - 2, (1 << 63) - 1, 1 << 63, u64::MAX] {
        for (range, first) in [
            (format!("bytes=70000-{largest}"), Some(70_000)),
            (format!("bytes=-{largest}"), Some(0)),
            (format!("bytes={largest}-"), None),
            (format!("bytes={largest}-{largest}"), None),
        ] {
            world.backend.forget();
            let got = world.get(Request::new("k").header("range", &range)).await;
            let requests = world.backend.requests();
            match first {
                Some(first) => {
                    let got = got.ok();
                    assert_eq!(got.status, 206, "{range}");
                    assert!(got.body == whole[first..], "{range}");
                }
                None => {
                    let error = got.refused(416, "InvalidRange");
                    assert!(error.details().contains(&("RangeRequested", range.clone())));
                }
            }
            for request in requests {
                let sent = request.header("range");
                let numbers = sent.trim_start_matches("bytes=").split('-');
                for number in numbers.filter(|number| !number.is_empty()) {
                    assert!(number.parse::<i64>().unwrap() < 1 << 62, "{range}: {sent}");
                }
            }
        }
    }
}

#[tokio::test]
async fn several_ranges_and_other_units_are_ignored_as_aws_does() {
    let world = Direct::start().await;
    world.put(Request::new("k").body(content(100))).await.ok();
    for range in ["bytes=0-1,5-6", "lines=0-1", "bytes=", "bytes=5-1"] {
        let got = world
            .get(Request::new("k").header("range", range))
            .await
            .ok();
        assert_eq!(
            (got.status.as_u16(), got.body),
            (200, content(100)),
            "{range}"
        );
    }
}

#[tokio::test]
async fn an_object_written_at_once_is_its_own_only_part() {
    let world = Direct::start().await;
    world
        .put(Request::new("k").body(content(20_000)))
        .await
        .ok();
    let first = world
        .get(Request::new("k").query("partNumber", "1"))
        .await
        .ok();
    assert_eq!((first.status.as_u16(), first.body.len()), (206, 20_000));
    assert_eq!(first.header("content-range"), "bytes 0-19999/20000");
    let second = world.get(Request::new("k").query("partNumber", "2")).await;
    let error = second.refused(416, "InvalidPartNumber");
    assert!(
        error
            .details()
            .contains(&("ActualPartCount", "1".to_owned()))
    );
    for number in ["0", "10001", "x", "-1"] {
        world
            .get(Request::new("k").query("partNumber", number))
            .await
            .refused(400, "InvalidArgument");
    }
    let both = Request::new("k")
        .query("partNumber", "1")
        .header("range", "bytes=0-1");
    world.get(both).await.refused(400, "InvalidRequest");
}

#[tokio::test]
async fn conditions_are_judged_by_the_etag_that_the_client_sees() {
    let world = Direct::start().await;
    for (key, kms) in [("s3", false), ("kms", true)] {
        let mut request = Request::new(key).body(content(300_000));
        if kms {
            request = request.header("x-amz-server-side-encryption", "aws:kms");
        }
        let etag = world.put(request).await.ok().header("etag").to_owned();
        let written = world.head(Request::new(key)).await.ok();
        let written = written.header("last-modified").to_owned();
        let with = |name: &str, value: &str| Request::new(key).header(name, value);
        world.kms.calls();
        for (request, status) in [
            (with("if-match", &etag), 200),
            (with("if-match", "\"0123\""), 412),
            (with("if-none-match", &etag), 304),
            (with("if-none-match", "\"0123\""), 200),
            (with("if-modified-since", &written), 304),
            (
                with("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT"),
                200,
            ),
            (
                with("if-unmodified-since", "Mon, 01 Jan 1990 00:00:00 GMT"),
                412,
            ),
        ] {
            let head = world.head(request.clone()).await;
            let get = world.get(request).await;
            assert_eq!(
                (get.status.as_u16(), head.status.as_u16()),
                (status, status)
            );
            assert_eq!(get.header("etag") == etag, status != 412);
            let calls = world.kms.operations();
            let expected = if kms && status == 200 {
                &["Decrypt"][..]
            } else {
                &[]
            };
            assert_eq!(calls, expected, "{status}");
        }
        let backend = world.backend.object(BUCKET, key).unwrap().etag;
        let by_backends = world.get(with("if-match", &format!("\"{backend}\""))).await;
        assert_eq!(by_backends.status.as_u16(), if kms { 200 } else { 412 });
    }
}

#[tokio::test]
async fn a_write_is_made_only_if_its_condition_holds() {
    let world = Direct::start().await;
    let put = |body: usize| Request::new("k").body(content(body));
    world
        .put(put(1).header("if-match", "\"x\""))
        .await
        .refused(404, "NoSuchKey");
    world.put(put(1).header("if-none-match", "*")).await.ok();
    world
        .put(put(2).header("if-none-match", "*"))
        .await
        .refused(412, "PreconditionFailed");
    world
        .put(put(2).header("if-match", "\"x\""))
        .await
        .refused(412, "PreconditionFailed");
    let etag = world
        .head(Request::new("k"))
        .await
        .ok()
        .header("etag")
        .to_owned();
    world.put(put(3).header("if-match", &etag)).await.ok();
    assert_eq!(world.get(Request::new("k")).await.ok().body, content(3));
    world
        .put(put(4).header("if-match", &etag))
        .await
        .refused(412, "PreconditionFailed");
    world
        .put(put(4).header("if-none-match", "\"x\""))
        .await
        .refused(501, "NotImplemented");
    let both = put(4).header("if-none-match", "*").header("if-match", "*");
    world.put(both).await.refused(501, "NotImplemented");

    let seen = world.backend.requests_on(&Method::PUT, BUCKET, "k");
    let conditions: Vec<_> = seen
        .iter()
        .map(|request| {
            (
                request.header("if-match").to_owned(),
                request.header("if-none-match"),
            )
        })
        .collect();
    // The backend judges again, by its own ETag: never by the MD5 of the plaintext.
    assert_eq!(conditions[0], (String::new(), "*"));
    let md5 = format!("\"{}\"", hex::encode(md5::Md5::digest(content(1))));
    assert_eq!(etag, md5);
    assert_ne!(conditions[1].0, md5);
    assert_eq!(conditions.len(), 2);
}

#[tokio::test]
async fn answers_carry_what_the_request_overrides_if_it_was_signed() {
    let world = Direct::start().await;
    let put = Request::new("k")
        .header("content-type", "text/plain")
        .header("x-amz-meta-a", "1");
    world
        .put(put.header("cache-control", "no-cache").body(content(10)))
        .await
        .ok();
    let plain = world.get(Request::new("k")).await.ok();
    assert_eq!(plain.header("content-type"), "text/plain");
    assert_eq!(plain.header("cache-control"), "no-cache");
    assert_eq!(plain.header("x-amz-meta-a"), "1");
    let request = Request::new("k")
        .query("response-content-type", "image/png")
        .query("response-content-disposition", "attachment; filename=\"x\"")
        .query("response-cache-control", "max-age=1");
    let got = world.get(request.clone()).await.ok();
    assert_eq!(got.header("content-type"), "image/png");
    assert_eq!(
        got.header("content-disposition"),
        "attachment; filename=\"x\""
    );
    assert_eq!(got.header("cache-control"), "max-age=1");
    let mut anonymous = request;
    anonymous.auth = gateway::request::AuthType::Anonymous;
    world.get(anonymous).await.refused(400, "InvalidRequest");
    let split = Request::new("k").query("response-content-type", "a\r\nx: y");
    world.get(split).await.refused(400, "InvalidArgument");
}

#[tokio::test]
async fn a_large_object_read_by_another_gateway_takes_a_second_pinned_request() {
    let world = Direct::start().await;
    world
        .put(Request::new("k").body(content(400_000)))
        .await
        .ok();
    let other = world.another();
    world.backend.forget();
    let got = other
        .get(Request::new("k").header("range", "bytes=100-199"))
        .await
        .ok();
    assert_eq!(got.body, content(400_000)[100..200]);
    let seen = world.backend.requests();
    let stored = world.backend.object(BUCKET, "k").unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0].header("range"), "bytes=72-16471");
    let total = stored.body.len();
    assert_eq!(
        seen[1].header("range"),
        format!("bytes={}-{}", total - 144, total - 1)
    );
    assert_eq!(seen[1].header("if-match"), format!("\"{}\"", stored.etag));

    world.backend.forget();
    other.get(Request::new("k")).await.ok();
    assert_eq!(
        world.backend.requests().len(),
        1,
        "the digests are remembered"
    );
}

#[tokio::test]
async fn a_read_that_the_object_changes_under_begins_again() {
    let world = Direct::start().await;
    world
        .put(Request::new("k").body(content(400_000)))
        .await
        .ok();
    let other = world.another();
    // The first trailer read is refused, since the object is another one by now.
    world.backend.inject(
        Fault::on(
            |request| !request.header("if-match").is_empty(),
            Action::Refuse(412, "PreconditionFailed"),
        )
        .times(1),
    );
    let got = other.get(Request::new("k")).await.ok();
    assert_eq!(got.body, content(400_000));
}

#[tokio::test]
async fn unsealed_objects_are_refused_unless_their_bucket_was_adopted() {
    let plant = |world: &Direct| {
        let object = tests::backend::Stored::new("plain text", Vec::new());
        world.backend.plant(BUCKET, "old", object);
        let sealed_body = [b"sealgate".as_slice(), &[0; 300]].concat();
        world.backend.plant(
            BUCKET,
            "lost",
            tests::backend::Stored::new(sealed_body, Vec::new()),
        );
        world
            .backend
            .plant(BUCKET, "empty", tests::backend::Stored::new("", Vec::new()));
    };
    let world = Direct::start().await;
    plant(&world);
    for key in ["old", "lost", "empty"] {
        let got = world.get(Request::new(key)).await;
        assert!(!got.body.windows(5).any(|window| window == b"plain"));
        got.refused(500, "InternalError");
        world
            .head(Request::new(key))
            .await
            .refused(500, "InternalError");
    }

    let adopting = Direct::with(gateway::operation::config::Config {
        adopted_buckets: vec![BUCKET.to_owned()],
        ..gateway::operation::config::Config::default()
    })
    .await;
    plant(&adopting);
    let got = adopting.get(Request::new("old")).await.ok();
    assert_eq!(
        (&got.body[..], got.header("x-sealgate-unsealed")),
        (&b"plain text"[..], "true")
    );
    assert_eq!(got.header("x-amz-server-side-encryption"), "");
    for (range, expected) in [
        ("bytes=6-", "text"),
        ("bytes=-4", "text"),
        ("bytes=0-4", "plain"),
    ] {
        let got = adopting
            .get(Request::new("old").header("range", range))
            .await
            .ok();
        assert_eq!(
            (&got.body[..], got.status.as_u16()),
            (expected.as_bytes(), 206),
            "{range}"
        );
    }
    assert_eq!(
        adopting
            .head(Request::new("old"))
            .await
            .ok()
            .header("content-length"),
        "10"
    );
    assert_eq!(adopting.get(Request::new("empty")).await.ok().body.len(), 0);
    adopting
        .get(Request::new("lost"))
        .await
        .refused(500, "InternalError");
    adopting
        .get(Request::new("lost").header("range", "bytes=9-"))
        .await
        .refused(500, "InternalError");
    let with_key = Request::new("old").customer_key(&[1; 32]);
    adopting.get(with_key).await.refused(400, "InvalidRequest");
}

#[tokio::test]
async fn an_unsealed_object_is_read_whole_by_one_request_and_judged_by_its_conditions() {
    let world = Direct::with(gateway::operation::config::Config {
        adopted_buckets: vec![BUCKET.to_owned()],
        ..gateway::operation::config::Config::default()
    })
    .await;
    for (key, body) in [
        ("old", &b"plain text"[..]),
        ("seven", b"sealgat"),
        ("lost", b"sealgate"),
    ] {
        let object = tests::backend::Stored::new(body.to_vec(), Vec::new());
        world.backend.plant(BUCKET, key, object);
    }
    world.backend.forget();
    let got = world.get(Request::new("old")).await.ok();
    assert_eq!(got.body, &b"plain text"[..]);
    assert_eq!(
        world.backend.requests_on(&Method::GET, BUCKET, "old").len(),
        1
    );
    let etag = got.header("etag").to_owned();

    // Shorter than what a sealed object begins with, and all of that.
    assert_eq!(
        world.get(Request::new("seven")).await.ok().body,
        &b"sealgat"[..]
    );
    let lost = world.get(Request::new("lost")).await;
    lost.refused(500, "InternalError");

    let conditions = [
        ("if-match", etag.as_str(), 200),
        ("if-match", "\"another\"", 412),
        ("if-none-match", etag.as_str(), 304),
        ("if-none-match", "\"another\"", 200),
    ];
    for (name, value, status) in conditions {
        let got = world.get(Request::new("old").header(name, value)).await;
        assert_eq!(got.status.as_u16(), status, "{name}: {value}");
    }
    let renamed = Request::new("old").query("response-content-type", "text/x-renamed");
    let got = world.get(renamed).await.ok();
    assert_eq!(got.header("content-type"), "text/x-renamed");
}

#[tokio::test]
async fn a_range_of_another_version_than_the_one_begun_is_answered_whole() {
    let world = Direct::start().await;
    let old = world
        .put(Request::new("k").body(content(300_000)))
        .await
        .ok();
    let old = old.header("etag").to_owned();
    let resume = |etag: &str, range: &str| {
        let request = Request::new("k").header("range", range);
        request.header("if-range", etag)
    };
    let got = world.get(resume(&old, "bytes=100-199")).await.ok();
    assert_eq!((got.status.as_u16(), got.body.len()), (206, 100));
    world
        .get(resume(&old, "bytes=400000-"))
        .await
        .refused(416, "InvalidRange");

    world.put(Request::new("k").body(content(200))).await.ok();
    for range in ["bytes=100-199", "bytes=250000-"] {
        let got = world.get(resume(&old, range)).await.ok();
        assert_eq!((got.status.as_u16(), got.body), (200, content(200)));
        let head = world.head(resume(&old, range)).await.ok();
        assert_eq!(head.header("content-length"), "200");
    }
}

#[tokio::test]
async fn a_body_whose_length_nobody_told_is_refused() {
    let world = Direct::start().await;
    let mut request = Request::new("k").body(content(10));
    request.announces_length = false;
    world
        .put(request)
        .await
        .refused(411, "MissingContentLength");
    assert!(world.backend.requests().is_empty());
}
