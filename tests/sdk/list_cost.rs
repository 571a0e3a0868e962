//! What a listing costs at the backend.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use gateway::protocol::xml::Element;
use gateway::protocol::xml::Limits;
use http::Method;
use md5::Digest as _;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

const SSE: &str = "x-amz-server-side-encryption";
const CUSTOMER_KEY: [u8; 32] = *b"customer-key-canary-0123456789ab";

async fn world() -> World {
    let setup = World::setup().gateway(|config| config.objects.allow_insecure_sse = true);
    let world = setup.start().await;
    world.create_bucket("demo").await;
    world
}

fn kms(draft: Draft) -> Draft {
    draft.header(SSE, "aws:kms")
}

fn customers(draft: Draft) -> Draft {
    let md5 = STANDARD.encode(md5::Md5::digest(CUSTOMER_KEY));
    draft
        .header(&format!("{SSE}-customer-algorithm"), "AES256")
        .header(
            &format!("{SSE}-customer-key"),
            &STANDARD.encode(CUSTOMER_KEY),
        )
        .header(&format!("{SSE}-customer-key-md5"), &md5)
}

/// Puts so many objects, each of another size.
async fn fill(world: &World, prefix: &str, count: usize, mode: fn(Draft) -> Draft) {
    let puts = (0..count).map(|number| async move {
        let key = format!("{prefix}/{number:04}");
        let put = Draft::new(Method::PUT, "demo", &key).body(vec![b'x'; number]);
        assert_eq!(world.send(mode(put)).await.status(), 200);
    });
    let puts: Vec<()> = futures_util::stream::iter(puts)
        .buffer_unordered(16)
        .collect()
        .await;
    assert_eq!(puts.len(), count);
}

/// Key, size and ETag of all that a gateway lists.
async fn list(world: &World, target: &Target) -> Vec<(String, u64, String)> {
    let host = target.address.to_string();
    let draft = Draft::new(Method::GET, "demo", "").query("list-type", "2");
    let signed = draft.sign(&world.main, world.now(), &host);
    let answer = signed.send(target).await.unwrap();
    assert_eq!(answer.status(), 200);
    let root = Element::parse(answer.body(), Limits::ANSWER).unwrap();
    let text = |entry: &Element, name| entry.text_of(name).unwrap().to_owned();
    let entry = |entry: &Element| {
        let size = text(entry, "Size").parse().unwrap();
        (text(entry, "Key"), size, text(entry, "ETag"))
    };
    root.all("Contents").map(entry).collect()
}

/// Requests since the backend last forgot: those with HEAD, and all.
fn asked(world: &World) -> (usize, usize) {
    let seen = world.backend.requests();
    world.backend.forget();
    let heads = seen.iter().filter(|seen| seen.method == Method::HEAD);
    (heads.count(), seen.len())
}

async fn expect_as_head(world: &World, entry: &(String, u64, String), mode: fn(Draft) -> Draft) {
    let head = mode(Draft::new(Method::HEAD, "demo", &entry.0));
    let head = world.send(head).await;
    let header = |name: &str| head.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-length"), entry.1.to_string());
    assert_eq!(header("etag"), entry.2);
}

#[tokio::test]
async fn a_page_of_a_thousand_keys_under_kms_and_customer_keys_costs_no_request_per_key() {
    let world = world().await;
    fill(&world, "c", 500, customers).await;
    fill(&world, "k", 500, kms).await;
    let another = world.another_gateway().await;
    let cold = Target {
        address: another.s3_addr.unwrap(),
        tls: None,
    };
    for target in [world.target(), cold.clone(), cold.clone()] {
        world.backend.forget();
        let listed = list(&world, &target).await;
        let (heads, all) = asked(&world);
        // The listing itself, and what a fresh gateway must know of any bucket.
        assert!(heads == 0 && all <= 8, "{heads} of {all}");
        assert_eq!(listed.len(), 1_000);
        for number in [0, 1, 499] {
            assert_eq!(listed[number].1, number as u64);
            assert_eq!(listed[500 + number].1, number as u64);
            expect_as_head(&world, &listed[number], customers).await;
            expect_as_head(&world, &listed[500 + number], |draft| draft).await;
        }
    }
    world.backend.forget();
    list(&world, &cold).await;
    assert_eq!(asked(&world), (0, 2));
}

#[tokio::test]
async fn an_object_under_sse_s3_is_listed_by_its_md5_through_every_gateway_at_once() {
    let world = world().await;
    fill(&world, "k", 3, kms).await;
    let another = world.another_gateway().await;
    let cold = Target {
        address: another.s3_addr.unwrap(),
        tls: None,
    };
    // It found out just now that it need not ask.
    assert_eq!(list(&world, &cold).await.len(), 3);
    fill(&world, "s", 3, |draft| draft).await;
    for target in [&cold, &world.target()] {
        let listed = list(&world, target).await;
        for entry in &listed {
            expect_as_head(&world, entry, |draft| draft).await;
        }
        let md5 = hex::encode(md5::Md5::digest(b"xx"));
        assert_eq!(listed[5].2, format!("\"{md5}\""));
    }
    // So is one that comes to be under it without its bytes being sent.
    world.create_bucket("copies").await;
    let source = "demo/s/0002";
    let copy = Draft::new(Method::PUT, "copies", "copy").header("x-amz-copy-source", source);
    assert_eq!(world.send(copy).await.status(), 200);
    let third = world.another_gateway().await;
    let fresh = Target {
        address: third.s3_addr.unwrap(),
        tls: None,
    };
    let host = fresh.address.to_string();
    let list = Draft::new(Method::GET, "copies", "").sign(&world.main, world.now(), &host);
    let listed = list.send(&fresh).await.unwrap();
    let md5 = hex::encode(md5::Md5::digest(b"xx"));
    assert!(String::from_utf8_lossy(listed.body()).contains(&md5));
}

#[tokio::test]
async fn a_page_under_sse_s3_costs_a_head_for_each_key_once_and_then_none() {
    let world = world().await;
    fill(&world, "s", 100, |draft| draft).await;
    world.backend.forget();
    list(&world, &world.target()).await;
    assert_eq!(asked(&world).0, 0);
    let another = world.another_gateway().await;
    let cold = Target {
        address: another.s3_addr.unwrap(),
        tls: None,
    };
    for heads in [100, 0] {
        let listed = list(&world, &cold).await;
        assert_eq!(asked(&world).0, heads);
        expect_as_head(&world, &listed[99], |draft| draft).await;
        world.backend.forget();
    }
}
