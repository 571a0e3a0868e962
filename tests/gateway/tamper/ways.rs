//! Objects of every kind, changed in every way, and read in every way: whole, by ranges, by parts, as the
//! sources of copies and of parts.
//!
//! Whatever a client gets is a beginning of what was written at that place, or an error. A copy that is
//! sealed anew leaves no target; one that is re-wrapped opens as little as its source.

use bytes::Bytes;
use gateway::operation::config::Config;
use gateway::operation::config::CopyMode;
use http::Method;

use crate::copy::copy;
use crate::direct::Answer;
use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::direct::content;
use crate::multipart::MIB;
use crate::multipart::joined;
use crate::multipart::parts;
use crate::tamper::assert_authentic;
use crate::tamper::assert_stopped;

const SSE: &str = "x-amz-server-side-encryption";

/// An object that is attacked, and how it is read.
struct Victim {
    key: &'static str,
    plaintext: Bytes,
    read: fn(Request) -> Request,
    from: fn(Request) -> Request,
}

/// A change of stored bytes; none if it does not fit them.
type Change = Box<dyn Fn(&[u8]) -> Option<Vec<u8>>>;

async fn victims(world: &Direct) -> Vec<Victim> {
    let put = |key: &str, bytes| Request::new(key).body(content(bytes));
    world.put(put("inline", 40_000)).await.ok();
    world
        .put(put("kms", 300_000).header(SSE, "aws:kms"))
        .await
        .ok();
    world
        .put(put("customer", 300_000).customer_key(&[1; 32]))
        .await
        .ok();
    world
        .put(put("dsse", 300_000).header(SSE, "aws:kms:dsse"))
        .await
        .ok();
    world.put(put("s3", 300_000)).await.ok();
    let rewrapped = copy("rewrapped", "bucket/s3").header(SSE, "aws:kms");
    world.copy(rewrapped).await.ok();
    let sent = parts(&[5 * MIB, 40_000]);
    let request = Request::new("parts");
    world
        .uploading()
        .upload(request.clone(), &request, &sent)
        .await;
    let same: fn(Request) -> Request = |request| request;
    let victim = |key, plaintext| Victim {
        key,
        plaintext,
        read: same,
        from: same,
    };
    vec![
        victim("inline", content(40_000)),
        victim("kms", content(300_000)),
        Victim {
            read: |request| request.customer_key(&[1; 32]),
            from: |request| request.source_customer_key(&[1; 32]),
            ..victim("customer", content(300_000))
        },
        victim("dsse", content(300_000)),
        victim("rewrapped", content(300_000)),
        victim("parts", joined(&sent)),
    ]
}

/// A gateway that remembers nothing, and one that besides opens what it copies.
fn readers(world: &Direct) -> (Direct, Direct) {
    let anew = Config {
        copy: CopyMode::Reencrypt,
        ..Config::default()
    };
    (world.another(), world.another_with(anew))
}

/// Reads the object in every way after it was changed.
async fn expect_nothing_of_it(world: &Direct, victim: &Victim, what: &str) {
    let what = format!("{}: {what}", victim.key);
    let read = || (victim.read)(Request::new(victim.key));
    let (fresh, anew) = readers(world);
    let whole = fresh.get(read()).await;
    assert_stopped(&whole, &victim.plaintext, &what);

    let end = victim.plaintext.len();
    for (first, last) in [
        (0, 0),
        (16_383, 16_384),
        (17_000, 39_000),
        (end - 1, end - 1),
        (end - 40_000, end - 1),
    ] {
        let range = format!("bytes={first}-{last}");
        let got = world.another().get(read().header("range", &range)).await;
        assert_authentic(
            &got,
            &victim.plaintext[first..=last],
            &format!("{what}, {range}"),
        );
    }
    let suffix = fresh.get(read().header("range", "bytes=-100")).await;
    assert_authentic(
        &suffix,
        &victim.plaintext[end - 100..],
        &format!("{what}, suffix"),
    );
    let part = fresh.get(read().query("partNumber", "1")).await;
    let first = if victim.key == "parts" { 5 * MIB } else { end };
    assert_authentic(
        &part,
        &victim.plaintext[..first],
        &format!("{what}, part 1"),
    );

    expect_no_copy(world, &anew, victim, &what).await;
}

async fn expect_no_copy(world: &Direct, anew: &Direct, victim: &Victim, what: &str) {
    let source = format!("bucket/{}", victim.key);
    let request = (victim.from)(copy("target", &source)).header(SSE, "aws:kms");
    let refused = anew.copy(request.clone()).await;
    assert!(refused.error.is_some(), "{what}: copied");
    assert!(
        world.backend.object(BUCKET, "target").is_none(),
        "{what}: a target"
    );
    // Re-wrapped, the target is there and opens no more than its source.
    if world.another().copy(request).await.error.is_none() {
        let got = world.another().get(Request::new("target")).await;
        assert_stopped(&got, &victim.plaintext, &format!("{what}, copied"));
        world.delete(Request::new("target")).await.ok();
    }

    let uploading = anew.uploading();
    let id = uploading.begin(Request::new("target")).await;
    let request = (victim.from)(Request::new("target").header("x-amz-copy-source", &source));
    let refused = uploading.part_copy(request, &id, 1).await;
    assert!(refused.error.is_some(), "{what}: copied as a part");
    uploading.abort(Request::new("target"), &id).await.ok();
}

/// Changes each victim in each way.
async fn expect_refused(changes: impl Fn(&Victim, usize) -> Vec<(String, Change)>) {
    let world = Direct::start().await;
    for victim in victims(&world).await {
        let good = world.backend.object(BUCKET, victim.key).unwrap();
        for (what, change) in changes(&victim, good.body.len()) {
            let Some(bad) = change(&good.body) else {
                continue;
            };
            assert_ne!(bad, good.body, "{what}");
            world
                .backend
                .tamper(BUCKET, victim.key, |stored| stored.body = bad.into());
            expect_nothing_of_it(&world, &victim, &what).await;
            world
                .backend
                .tamper(BUCKET, victim.key, |stored| stored.body = good.body.clone());
        }
        // It was the change, and nothing else.
        let read = (victim.read)(Request::new(victim.key));
        assert!(world.another().get(read).await.ok().body == victim.plaintext);
    }
}

fn changed(change: impl Fn(&mut Vec<u8>) -> Option<()> + 'static) -> Change {
    Box::new(move |good| {
        let mut bytes = good.to_vec();
        change(&mut bytes)?;
        Some(bytes)
    })
}

#[tokio::test]
async fn no_flipped_bit_reaches_a_reader_whichever_way_it_reads() {
    expect_refused(|victim, end| {
        let ahead = [0, 9, 12, 20, 71, 72, 16_455, 16_456, 16_471, 16_472];
        let behind = [1, 9, 20, 40, 41, 100, 144, 145].map(|before| end - before);
        let places = ahead.into_iter().chain([end / 2]).chain(behind);
        let step = if victim.key == "parts" { 2 } else { 1 };
        places
            .step_by(step)
            .map(|at| {
                let flip = changed(move |bytes| {
                    bytes[at] ^= 1 << (at % 8);
                    Some(())
                });
                (format!("bit at {at} of {end}"), flip)
            })
            .collect()
    })
    .await;
}

#[tokio::test]
async fn an_object_cut_or_extended_is_not_read_whichever_way() {
    expect_refused(|_, end| {
        let cuts = [
            0,
            71,
            88,
            16_472,
            end / 2,
            end - 145,
            end - 144,
            end - 40,
            end - 1,
        ];
        let cuts = cuts.into_iter().map(|to| {
            let cut = changed(move |bytes| {
                bytes.truncate(to);
                Some(())
            });
            (format!("cut to {to} of {end}"), cut)
        });
        let more = [1, 16, 16_400].into_iter().map(|more| {
            let extend = changed(move |bytes| {
                bytes.resize(bytes.len() + more, 0);
                Some(())
            });
            (format!("{more} bytes more"), extend)
        });
        cuts.chain(more).collect()
    })
    .await;
}

#[tokio::test]
async fn chunks_in_another_order_or_of_another_object_are_not_read() {
    let first = 72..72 + 16_400;
    let second = 72 + 16_400..72 + 2 * 16_400;
    expect_refused(move |_, _| {
        let (one, two) = (first.clone(), second.clone());
        let swapped = changed(move |bytes| {
            let (a, b) = (bytes[one.clone()].to_vec(), bytes[two.clone()].to_vec());
            bytes[one.clone()].copy_from_slice(&b);
            bytes[two.clone()].copy_from_slice(&a);
            Some(())
        });
        let (one, two) = (first.clone(), second.clone());
        let repeated = changed(move |bytes| {
            bytes.copy_within(one.clone(), two.start);
            Some(())
        });
        let two = second.clone();
        let dropped = changed(move |bytes| {
            bytes.drain(two.clone());
            bytes.resize(bytes.len() + 16_400, 0);
            Some(())
        });
        vec![
            ("chunks swapped".to_owned(), swapped),
            ("a chunk repeated".to_owned(), repeated),
            ("a chunk dropped".to_owned(), dropped),
        ]
    })
    .await;

    // Of an object of the same size and key, and of this one before it was overwritten.
    let world = Direct::start().await;
    for victim in victims(&world).await.into_iter().take(4) {
        let older = world.backend.object(BUCKET, victim.key).unwrap();
        let other = content(victim.plaintext.len() + 8).slice(8..);
        let mode: fn(Request) -> Request = match victim.key {
            "kms" => |request| request.header(SSE, "aws:kms"),
            "dsse" => |request| request.header(SSE, "aws:kms:dsse"),
            "customer" => |request| request.customer_key(&[1; 32]),
            _ => |request| request,
        };
        world
            .put(mode(Request::new("other").body(other)))
            .await
            .ok();
        let body = victim.plaintext.clone();
        world
            .put(mode(Request::new(victim.key).body(body)))
            .await
            .ok();
        let foreign = world.backend.object(BUCKET, "other").unwrap();
        let good = world.backend.object(BUCKET, victim.key).unwrap();
        for (from, what) in [(foreign, "another's"), (older, "an older version's")] {
            for range in [
                0..16_472,
                72..16_472,
                16_472..good.body.len(),
                0..good.body.len(),
            ] {
                let mut bytes = good.body.to_vec();
                bytes[range.clone()].copy_from_slice(&from.body[range.clone()]);
                world
                    .backend
                    .tamper(BUCKET, victim.key, |stored| stored.body = bytes.into());
                let what = format!("{what} bytes {range:?}");
                expect_nothing_of_it(&world, &victim, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn an_object_with_two_envelopes_or_none_is_not_read_whichever_way() {
    let world = Direct::start().await;
    let all = victims(&world).await;
    let other = world.backend.object(BUCKET, "inline").unwrap();
    for victim in all {
        let good = world.backend.object(BUCKET, victim.key).unwrap();
        let own = good.header("x-amz-meta-sealgate").to_owned();
        let another = other.header("x-amz-meta-sealgate").to_owned();
        for envelopes in [
            vec![],
            vec![own.clone(), another.clone()],
            vec![another, own],
        ] {
            world.backend.tamper(BUCKET, victim.key, |stored| {
                stored
                    .headers
                    .retain(|(name, _)| name != "x-amz-meta-sealgate");
                let name = || "x-amz-meta-sealgate".to_owned();
                stored
                    .headers
                    .extend(envelopes.iter().map(|it| (name(), it.clone())));
            });
            let what = format!("{} envelopes", envelopes.len());
            expect_nothing_of_it(&world, &victim, &what).await;
        }
    }
}

#[tokio::test]
async fn an_object_moved_or_a_copy_put_in_its_sources_place_is_not_read() {
    let world = Direct::start().await;
    let victims = victims(&world).await;
    // The copy has the bytes and the data key of its source, and still another name.
    let source = world.backend.object(BUCKET, "s3").unwrap();
    let target = world.backend.object(BUCKET, "rewrapped").unwrap();
    assert_eq!(source.body, target.body);
    for (key, envelope) in [("s3", &target), ("rewrapped", &source)] {
        let good = world.backend.object(BUCKET, key).unwrap();
        world.backend.tamper(BUCKET, key, |stored| {
            stored.set_header(
                "x-amz-meta-sealgate",
                envelope.header("x-amz-meta-sealgate"),
            );
        });
        let got = world.another().get(Request::new(key)).await;
        got.refused(500, "InternalError");
        world.backend.plant(BUCKET, key, good);
    }
    for victim in victims {
        let object = world.backend.object(BUCKET, victim.key).unwrap();
        world.backend.plant(BUCKET, "moved", object);
        let moved = Victim {
            key: "moved",
            ..victim
        };
        expect_nothing_of_it(&world, &moved, "moved").await;
    }
}

#[tokio::test]
async fn an_object_in_parts_that_changes_while_it_is_read_is_never_mixed() {
    use tests::backend::Action;
    use tests::backend::Fault;
    let world = Direct::start().await;
    let (old, new) = (parts(&[5 * MIB, 40_000]), parts(&[5 * MIB, 50_000]));
    let request = Request::new("k");
    world
        .uploading()
        .upload(request.clone(), &request, &new)
        .await;
    let later = world.backend.object(BUCKET, "k").unwrap();
    world
        .uploading()
        .upload(request.clone(), &request, &old)
        .await;
    let whole = joined(&old);
    // The footer and the chunks are read under conditions: a backend that ignores them answers with
    // another version's bytes, under that version's ETag or under the old one.
    for etag in [Some(format!("\"{}\"", later.etag)), None] {
        for range in ["", "bytes=17000-17999", "bytes=-5"] {
            let bytes = later.body.clone();
            world.backend.inject(
                Fault::on(
                    |request| {
                        request.method == Method::GET && !request.header("if-match").is_empty()
                    },
                    match &etag {
                        Some(etag) => Action::SetHeader("etag", etag.clone()),
                        None => Action::Replace(bytes[..40_000].to_vec()),
                    },
                )
                .times(1),
            );
            let mut read = Request::new("k");
            if !range.is_empty() {
                read = read.header("range", range);
            }
            let got: Answer = world.another().get(read).await;
            let expected = match range {
                "" => &whole[..],
                "bytes=-5" => &whole[whole.len() - 5..],
                _ => &whole[17_000..18_000],
            };
            assert_authentic(&got, expected, &format!("{etag:?} {range}"));
            world.backend.heal();
        }
    }
    // Deleted between two requests: the reader receives an error, not half an object.
    world.backend.inject(Fault::on(
        |request| !request.header("if-match").is_empty(),
        Action::Refuse(404, "NoSuchKey"),
    ));
    let got = world
        .another()
        .get(Request::new("k").header("range", "bytes=-5"))
        .await;
    got.refused(409, "ConditionalRequestConflict");
}

#[tokio::test]
async fn an_earlier_or_an_aborted_upload_of_a_part_is_not_read_in_its_place() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    let whole = content(5 * MIB + 9);
    let (first, last) = (whole.slice(..5 * MIB), whole.slice(5 * MIB..));
    let stored_part = |id: &str| world.backend.uploads()[id].parts[&1].body.clone();

    let aborted = uploading.begin(Request::new("k")).await;
    uploading
        .part(Request::new("k"), &aborted, 1, first.clone())
        .await
        .ok();
    let of_aborted = stored_part(&aborted);
    uploading.abort(Request::new("k"), &aborted).await.ok();

    let id = uploading.begin(Request::new("k")).await;
    uploading
        .part(Request::new("k"), &id, 1, first.clone())
        .await
        .ok();
    let earlier = stored_part(&id);
    let sent = [(1, first), (2, last)];
    let etags = uploading.send(&Request::new("k"), &id, &sent).await;
    uploading
        .complete(Request::new("k"), &id, &etags)
        .await
        .ok();

    let victim = Victim {
        key: "k",
        plaintext: whole,
        read: |request| request,
        from: |request| request,
    };
    let good = world.backend.object(BUCKET, "k").unwrap();
    for (what, part) in [("aborted", of_aborted), ("earlier", earlier)] {
        let bytes = [&part[..], &good.body[part.len()..]].concat();
        assert_ne!(bytes, good.body, "sealed alike");
        world
            .backend
            .tamper(BUCKET, "k", |stored| stored.body = bytes.into());
        let got = world.another().get(Request::new("k")).await;
        assert_stopped(&got, &victim.plaintext, what);
        let range = Request::new("k").header("range", "bytes=100-200");
        let got = world.another().get(range).await;
        assert_stopped(&got, &victim.plaintext[100..=200], what);
        let (_, anew) = readers(&world);
        expect_no_copy(&world, &anew, &victim, what).await;
    }
}
