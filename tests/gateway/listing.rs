//! Listings show what HeadObject shows, at a bounded price.

use bytes::Bytes;
use gateway::operation::config::Config;
use gateway::operation::config::ListETag;
use gateway::operation::config::Listing;
use gateway::protocol::xml::Element;
use gateway::protocol::xml::Limits;
use gateway::state::Gateways;
use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::backend::Recorded;
use tests::backend::Stored;
use tests::signed::Draft;
use tests::world::World;

use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;

fn listing(answer: Answer) -> Element {
    Element::parse(&answer.ok().body, Limits::ANSWER).unwrap()
}

/// Key, size and ETag of each listed object.
fn entries(root: &Element, kind: &str) -> Vec<(String, u64, String)> {
    let text = |entry: &Element, name| entry.text_of(name).unwrap().to_owned();
    root.all(kind)
        .map(|entry| {
            let size = text(entry, "Size").parse().unwrap();
            (text(entry, "Key"), size, text(entry, "ETag"))
        })
        .collect()
}

async fn heads(direct: &Direct, keys: &[String]) -> Vec<(String, u64, String)> {
    let mut heads = Vec::new();
    for key in keys {
        let head = direct.head(Request::new(key)).await.ok();
        let size = head.header("content-length").parse().unwrap();
        heads.push((key.clone(), size, head.header("etag").to_owned()));
    }
    heads
}

/// A gateway over the same backend that remembers nothing.
fn forgotten(direct: &Direct) {
    direct.objects.forget_facts();
}

#[tokio::test]
async fn a_listing_shows_the_size_and_etag_of_head_for_every_mode_and_size() {
    let direct = Direct::start().await;
    let sizes = [0, 1, 16_383, 16_384, 16_385, 300_000];
    for (number, size) in sizes.into_iter().enumerate() {
        for mode in ["AES256", "aws:kms", "none"] {
            let request = Request::new(&format!("{number}/{mode}")).body(content(size));
            let request = match mode {
                "none" => request,
                mode => request.header("x-amz-server-side-encryption", mode),
            };
            direct.put(request).await.ok();
        }
    }
    let keys = direct.backend.keys(BUCKET);
    let heads = heads(&direct, &keys).await;
    for version in ["1", "2"] {
        for forget in [false, true] {
            if forget {
                forgotten(&direct);
            }
            let root = listing(
                direct
                    .list(Request::new("").query("list-type", version))
                    .await,
            );
            assert_eq!(
                entries(&root, "Contents"),
                heads,
                "list-type {version}, {forget}"
            );
        }
    }
}

#[tokio::test]
async fn an_object_with_a_customers_key_is_listed_without_it() {
    let direct = Direct::start().await;
    direct
        .put(Request::new("c").body("secret").customer_key(&[7; 32]))
        .await
        .ok();
    forgotten(&direct);
    let root = listing(direct.list(Request::new("")).await);
    let stored = direct.backend.object(BUCKET, "c").unwrap();
    assert_eq!(
        entries(&root, "Contents"),
        [("c".into(), 6, format!("\"{}\"", stored.etag))]
    );
}

#[tokio::test]
async fn a_listing_asks_the_backend_once_about_what_was_written_here_and_never_the_kms() {
    let direct = Direct::start().await;
    for number in 0..20 {
        direct
            .put(Request::new(&format!("k{number}")).body("x"))
            .await
            .ok();
    }
    direct.kms.calls();
    direct.backend.forget();
    listing(direct.list(Request::new("")).await);
    assert_eq!(direct.backend.requests().len(), 1);

    forgotten(&direct);
    for heads in [20, 0] {
        direct.backend.forget();
        listing(direct.list(Request::new("")).await);
        let requests = direct.backend.requests();
        let request = requests
            .iter()
            .filter(|request| request.method == Method::HEAD)
            .count();
        assert_eq!((requests.len(), request), (heads + 1, heads));
    }
    assert!(direct.kms.calls().is_empty());
}

#[tokio::test]
async fn a_listing_may_show_the_backends_etags_for_the_price_of_one_request() {
    let config = Listing {
        list_etag: ListETag::Backend,
        ..Listing::default()
    };
    let direct = Direct::with(Config {
        listing: config,
        ..Config::default()
    })
    .await;
    direct.put(Request::new("k").body("hello")).await.ok();
    forgotten(&direct);
    direct.backend.forget();
    let root = listing(direct.list(Request::new("")).await);
    assert_eq!(direct.backend.requests().len(), 1);
    let stored = direct.backend.object(BUCKET, "k").unwrap();
    assert_eq!(
        entries(&root, "Contents"),
        [("k".into(), 5, format!("\"{}\"", stored.etag))]
    );
}

#[tokio::test]
async fn a_listing_passes_prefixes_tokens_and_encoded_keys_through() {
    let direct = Direct::start().await;
    for key in ["a/1", "a/2", "b c+d/é", "z"] {
        direct
            .put(Request::new(key).body(key.to_owned()))
            .await
            .ok();
    }
    forgotten(&direct);
    let request = Request::new("")
        .query("list-type", "2")
        .query("delimiter", "/")
        .query("encoding-type", "url");
    let root = listing(direct.list(request).await);
    assert_eq!(root.all("CommonPrefixes").count(), 2);
    assert_eq!(entries(&root, "Contents").len(), 1);

    let request = Request::new("")
        .query("prefix", "b c+d/")
        .query("encoding-type", "url");
    let root = listing(direct.list(request).await);
    let head = direct.head(Request::new("b c+d/é")).await.ok();
    let [(_, size, etag)] = &entries(&root, "Contents")[..] else {
        panic!("{root:?}")
    };
    assert_eq!((*size, etag.as_str()), (8, head.header("etag")));

    let page = listing(
        direct
            .list(
                Request::new("")
                    .query("list-type", "2")
                    .query("max-keys", "1"),
            )
            .await,
    );
    let token = page.text_of("NextContinuationToken").unwrap();
    let request = Request::new("")
        .query("list-type", "2")
        .query("continuation-token", token);
    assert_eq!(
        entries(&listing(direct.list(request).await), "Contents").len(),
        3
    );
}

#[tokio::test]
async fn an_empty_delimiter_is_none_whatever_the_backend_makes_of_it() {
    let direct = Direct::start().await;
    direct.put(Request::new("a/1").body("x")).await.ok();
    let request = Request::new("")
        .query("list-type", "2")
        .query("delimiter", "");
    let root = listing(direct.list(request).await);
    assert_eq!(entries(&root, "Contents").len(), 1);
    let seen = direct.backend.requests().pop().unwrap();
    assert!(!seen.query.contains("delimiter"), "{}", seen.query);
}

#[tokio::test]
async fn one_object_that_is_not_as_it_was_written_does_not_hide_the_others() {
    let direct = Direct::start().await;
    for key in ["bad", "good"] {
        direct.put(Request::new(key).body("x")).await.ok();
    }
    direct.backend.tamper(BUCKET, "bad", |stored| {
        stored
            .headers
            .retain(|(name, _)| name != "x-amz-meta-sealgate");
    });
    forgotten(&direct);
    let root = listing(direct.list(Request::new("")).await);
    let good = direct.head(Request::new("good")).await.ok();
    assert_eq!(entries(&root, "Contents")[1].2, good.header("etag"));
    assert_eq!(entries(&root, "Contents").len(), 2);
}

#[tokio::test]
async fn a_listing_that_the_backend_does_not_finish_is_no_listing() {
    let direct = Direct::start().await;
    direct.put(Request::new("k").body("x")).await.ok();
    for (action, code) in [
        (Action::Drop, "ServiceUnavailable"),
        (Action::BreakAfter(20), "ServiceUnavailable"),
        (Action::Replace(b"<html/>".to_vec()), "ServiceUnavailable"),
        (
            Action::Replace(b"<!DOCTYPE a><ListBucketResult/>".to_vec()),
            "ServiceUnavailable",
        ),
        (Action::CutTo(40), "ServiceUnavailable"),
    ] {
        direct.backend.inject(Fault::always(action));
        direct.list(Request::new("")).await.refused(503, code);
        direct.backend.heal();
    }
    let mut request = Request::new("");
    request.bucket = "nowhere".into();
    direct.list(request).await.refused(404, "NoSuchBucket");
}

#[tokio::test]
async fn a_listing_shows_what_another_gateway_made_of_an_object_in_place() {
    let direct = Direct::start().await;
    for size in [10, 500_000] {
        let put = Request::new("k").body(content(size));
        direct.put(put).await.ok();
        let before = listing(direct.list(Request::new("")).await);
        let copy = Request::new("k").header("x-amz-copy-source", "bucket/k");
        let copy = copy.header("x-amz-server-side-encryption", "aws:kms");
        direct.another().copy(copy).await.ok();
        let after = listing(direct.list(Request::new("")).await);
        let (before, after) = (entries(&before, "Contents"), entries(&after, "Contents"));
        assert_ne!(before, after);
        assert_eq!(after, heads(&direct, &["k".to_owned()]).await);
    }
}

#[tokio::test]
async fn where_listings_tell_metadata_no_object_is_asked_about() {
    let direct = Direct::start().await;
    for (key, size) in [("a", 0), ("b", 70_000), ("c", 300_000)] {
        let put = Request::new(key)
            .body(content(size))
            .header("x-amz-meta-own", "1");
        direct.put(put).await.ok();
    }
    let keys = direct.backend.keys(BUCKET);
    let heads = heads(&direct, &keys).await;
    let is_minio = Action::SetHeader("server", "MinIO".to_owned());
    direct
        .backend
        .inject(Fault::on(|seen| seen.query.contains("list-type"), is_minio));
    // The first listing shows which backend it is; records of large objects are no metadata.
    for requests in [1 + 3 + 1, 1 + 1] {
        let fresh = || direct.objects.forget_facts();
        fresh();
        direct.backend.forget();
        let answer = direct
            .list(Request::new("").query("list-type", "2"))
            .await
            .ok();
        assert!(!answer.text().contains("etadata"), "{}", answer.text());
        let root = Element::parse(&answer.body, Limits::ANSWER).unwrap();
        assert_eq!(entries(&root, "Contents"), heads);
        let seen = direct.backend.requests();
        assert!(seen.len() <= requests, "{requests}: {seen:?}");
    }
    // A tampered object does not change the entry of another.
    let envelope = direct.backend.object(BUCKET, "a").unwrap();
    let envelope = envelope.header("x-amz-meta-sealgate").to_owned();
    direct.backend.tamper(BUCKET, "b", |stored| {
        stored.set_header("x-amz-meta-sealgate", &envelope);
    });
    direct.objects.forget_facts();
    let root = listing(direct.list(Request::new("").query("list-type", "2")).await);
    let listed = entries(&root, "Contents");
    assert_eq!((&listed[0], &listed[2]), (&heads[0], &heads[2]));
    assert_ne!(listed[1].2, heads[0].2);
}

#[tokio::test]
async fn an_emptied_folder_that_the_backend_lists_is_no_object_and_hides_none() {
    let direct = Direct::start().await;
    direct.put(Request::new("k").body("x")).await.ok();
    let query = || Request::new("").query("list-type", "2");
    let listed = direct.list(query()).await.ok().body;
    let folder = "<Contents><Key>folder/</Key><ETag>\"\"</ETag><Size>0</Size></Contents><Contents>";
    let listed = String::from_utf8(listed.to_vec()).unwrap();
    let with_folder = listed.replacen("<Contents>", folder, 1);
    let with_folder = with_folder.replace("<KeyCount>1<", "<KeyCount>2<");
    let replace = Action::Replace(with_folder.into_bytes());
    let fault = Fault::on(|seen| seen.path.trim_matches('/') == BUCKET, replace);
    direct.backend.inject(fault);
    let root = listing(direct.list(query()).await);
    let keys: Vec<_> = entries(&root, "Contents")
        .into_iter()
        .map(|it| it.0)
        .collect();
    assert_eq!(keys, ["k"]);
    assert_eq!(root.text_of("KeyCount"), Some("1"));
}

#[tokio::test]
async fn a_marker_of_a_folder_is_listed_only_where_the_backend_stores_objects_under_such_keys() {
    for folds in [false, true] {
        let setup = World::setup().gateway(|config| config.state.gateways = Gateways::One);
        let world = setup.start().await;
        world.create_bucket(BUCKET).await;
        let marker = Stored::new(Bytes::new(), Vec::new());
        world.backend.plant(BUCKET, "folder/", marker);
        let sealed = Draft::new(Method::PUT, BUCKET, if folds { "empty" } else { "empty/" });
        assert_eq!(world.send(sealed).await.status(), 200);
        if folds {
            world.backend.fold_keys();
        }
        for (name, value) in [("list-type", "1"), ("list-type", "2"), ("versions", "")] {
            let list = Draft::new(Method::GET, BUCKET, "").query(name, value);
            let answer = world.send(list).await;
            let text = String::from_utf8_lossy(answer.body());
            assert_eq!(
                text.contains("<Key>folder/</Key>"),
                !folds,
                "{name} {folds}"
            );
            assert!(text.contains("<Key>empty"), "{name} {folds}");
        }
    }
}

#[tokio::test]
async fn a_common_prefix_without_objects_is_left_out_where_the_backend_has_folders() {
    for folds in [false, true] {
        let setup = World::setup().gateway(|config| config.state.gateways = Gateways::One);
        let world = setup.start().await;
        world.create_bucket(BUCKET).await;
        let put = Draft::new(Method::PUT, BUCKET, "full+1/k");
        assert_eq!(world.send(put).await.status(), 200);
        if folds {
            world.backend.fold_keys();
        }
        for (name, value) in [("list-type", "1"), ("list-type", "2"), ("versions", "")] {
            for encoding in ["", "url"] {
                let list = || {
                    let list = Draft::new(Method::GET, BUCKET, "").query("delimiter", "/");
                    let list = list.query(name, value);
                    match encoding {
                        "" => list,
                        encoding => list.query("encoding-type", encoding),
                    }
                };
                let listed = world.send(list()).await;
                let listed = String::from_utf8_lossy(listed.body()).into_owned();
                let added =
                    "<CommonPrefixes><Prefix>empty/</Prefix></CommonPrefixes><CommonPrefixes>";
                let with_empty = listed.replacen("<CommonPrefixes>", added, 1);
                let replace = Action::Replace(with_empty.into_bytes());
                let groups = |seen: &Recorded| seen.query.contains("delimiter");
                world.backend.inject(Fault::on(groups, replace));
                let shown = world.send(list()).await;
                let shown = String::from_utf8_lossy(shown.body());
                assert_eq!(shown.contains("empty/"), !folds, "{name} {shown}");
                assert!(shown.contains("full"), "{name} {shown}");
                world.backend.heal();
            }
        }
    }
}

#[tokio::test]
async fn a_listing_shows_what_an_object_is_that_was_overwritten_meanwhile_and_not_one_deleted_meanwhile()
 {
    let direct = Direct::start().await;
    let writer = direct.another();
    for version in ["1", "2"] {
        for key in ["deleted", "overwritten", "same"] {
            writer.put(Request::new(key).body(content(9))).await.ok();
        }
        let (listed, go_on) = (Gate::default(), Gate::default());
        let pause = Action::PauseAfter(listed.clone(), go_on.clone());
        let is_listing = |request: &Recorded| {
            request.method == Method::GET && request.path.trim_end_matches('/') == "/bucket"
        };
        direct.backend.inject(Fault::on(is_listing, pause).times(1));
        let change = async {
            listed.reached().await;
            let new = Request::new("overwritten").body(content(20_000));
            writer.put(new).await.ok();
            writer.delete(Request::new("deleted")).await.ok();
            go_on.reach();
        };
        let list = direct.list(Request::new("").query("list-type", version));
        let (answer, ()) = futures_util::future::join(list, change).await;
        let root = listing(answer);
        let keys = ["overwritten", "same"].map(str::to_owned);
        let heads = heads(&direct, &keys).await;
        assert_eq!(entries(&root, "Contents"), heads, "list-type {version}");
        if version == "2" {
            assert_eq!(root.text_of("KeyCount"), Some("2"));
        }
    }
}
