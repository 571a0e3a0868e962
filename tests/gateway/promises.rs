//! Backends that answer yes to what they do not do.

use bytes::Bytes;
use gateway::state::Gateways;
use http::Method;
use http::Response;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::world::World;

fn put(key: &str) -> Draft {
    Draft::new(Method::PUT, "bkt", key).body("body")
}

/// A world with a bucket.
async fn world() -> World {
    let setup = World::setup().gateway(|config| config.state.gateways = Gateways::One);
    let world = setup.start().await;
    world.create_bucket("bkt").await;
    world
}

const FOLDED: [&str; 6] = ["a//b", "a/./b", "a/c/../b", "/a/b", "a\\b", "a/b//"];

#[tokio::test]
async fn a_key_that_the_backend_would_take_for_another_is_refused_in_every_operation() {
    let world = world().await;
    world.backend.fold_keys();
    assert_eq!(world.send(put("a/b")).await.status(), 200);
    let stored = world.backend.object("bkt", "a/b").unwrap();
    for key in FOLDED {
        for draft in [
            put(key),
            Draft::new(Method::GET, "bkt", key),
            Draft::new(Method::DELETE, "bkt", key),
            Draft::new(Method::POST, "bkt", key).query("uploads", ""),
        ] {
            expect_s3_error(&world.send(draft).await, "InvalidArgument", 400);
        }
        let copy = Draft::new(Method::PUT, "bkt", "copy");
        let copy = copy.header(
            "x-amz-copy-source",
            &format!("bkt/{}", key.replace('\\', "%5C")),
        );
        expect_s3_error(&world.send(copy).await, "InvalidArgument", 400);
        let answer = delete_objects(&world, key).await;
        assert_eq!(answer.status(), 200);
        let text = String::from_utf8_lossy(answer.body());
        assert!(text.contains("<Code>InvalidArgument</Code>"), "{text}");
    }
    let left = world.backend.object("bkt", "a/b").unwrap();
    assert_eq!(
        (world.backend.keys("bkt").len(), left.body),
        (1, stored.body)
    );
}

#[tokio::test]
async fn a_key_that_ends_in_a_slash_is_refused_and_not_found_where_the_backend_takes_it_for_a_folder()
 {
    let world = world().await;
    world.backend.fold_keys();
    expect_s3_error(&world.send(put("folder/")).await, "InvalidArgument", 400);
    let upload = Draft::new(Method::POST, "bkt", "folder/").query("uploads", "");
    expect_s3_error(&world.send(upload).await, "InvalidArgument", 400);
    assert!(world.backend.keys("bkt").is_empty());
    let get = world.send(Draft::new(Method::GET, "bkt", "folder/")).await;
    expect_s3_error(&get, "NoSuchKey", 404);
    let head = world.send(Draft::new(Method::HEAD, "bkt", "folder/")).await;
    assert_eq!(head.status(), 404);
    let copy = Draft::new(Method::PUT, "bkt", "copy").header("x-amz-copy-source", "bkt/folder/");
    expect_s3_error(&world.send(copy).await, "NoSuchKey", 404);
}

#[tokio::test]
async fn a_key_that_ends_in_a_slash_is_one_of_its_own_where_the_backend_stores_it_so() {
    let world = world().await;
    assert_eq!(world.send(put("folder/")).await.status(), 200);
    assert_eq!(world.send(put("folder")).await.status(), 200);
    let get = world.send(Draft::new(Method::GET, "bkt", "folder/")).await;
    assert_eq!(get.status(), 200);
    assert_eq!(world.backend.keys("bkt").len(), 2);
}

#[tokio::test]
async fn a_form_is_held_to_what_the_backend_does_as_a_put_is() {
    let world = world().await;
    world.backend.fold_keys();
    world.backend.drop_tags();
    let without_lock = "<ObjectLockConfiguration/>";
    world
        .backend
        .set_subresource("bkt", "object-lock", without_lock);
    let tagging = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    for (form, code, status) in [
        (Form::new("bkt", "folder/", "body"), "InvalidArgument", 400),
        (Form::new("bkt", "a//b", "body"), "InvalidArgument", 400),
        (
            Form::new("bkt", "k", "body").field("tagging", tagging),
            "NotImplemented",
            501,
        ),
        (
            Form::new("bkt", "k", "body")
                .field("x-amz-object-lock-mode", "GOVERNANCE")
                .field(
                    "x-amz-object-lock-retain-until-date",
                    "2099-01-01T00:00:00Z",
                ),
            "InvalidRequest",
            400,
        ),
    ] {
        let target = world.tls_target();
        let request = form.sign(&world.main, world.now(), &target.address.to_string());
        expect_s3_error(&request.send(&target).await.unwrap(), code, status);
    }
    assert!(world.backend.keys("bkt").is_empty());
}

async fn delete_objects(world: &World, key: &str) -> Response<Bytes> {
    use base64::Engine as _;
    use md5::Digest as _;
    let body = format!("<Delete><Object><Key>{key}</Key></Object></Delete>");
    let md5 = md5::Md5::digest(&body);
    let md5 = base64::engine::general_purpose::STANDARD.encode(md5);
    let delete = Draft::new(Method::POST, "bkt", "").query("delete", "");
    world
        .send(delete.header("content-md5", &md5).body(body))
        .await
}

#[tokio::test]
async fn a_key_that_the_backend_stores_as_it_is_is_taken() {
    let world = world().await;
    for key in FOLDED {
        assert_eq!(world.send(put(key)).await.status(), 200, "{key}");
        assert!(world.backend.object("bkt", key).is_some(), "{key}");
        let got = world.send(Draft::new(Method::GET, "bkt", key)).await;
        assert_eq!(got.body(), "body");
    }
    assert_eq!(world.backend.keys("bkt").len(), FOLDED.len());
}

#[tokio::test]
async fn a_key_that_climbs_above_its_bucket_is_refused_on_every_backend() {
    let world = world().await;
    for key in ["..", "../b", "a/../../other/k"] {
        world.backend.forget();
        expect_s3_error(&world.send(put(key)).await, "InvalidURI", 400);
        assert!(world.backend.requests_in("bkt").is_empty(), "{key}");
    }
}

#[tokio::test]
async fn tags_that_the_backend_would_drop_are_refused_with_their_object() {
    let world = world().await;
    world.backend.drop_tags();
    let tagged = |draft: Draft| draft.header("x-amz-tagging", "class=secret");
    let create = Draft::new(Method::POST, "bkt", "k").query("uploads", "");
    for draft in [put("k"), create] {
        expect_s3_error(&world.send(tagged(draft)).await, "NotImplemented", 501);
    }
    assert!(world.backend.keys("bkt").is_empty() && world.backend.uploads().is_empty());
    assert_eq!(world.send(put("k")).await.status(), 200);
}

#[tokio::test]
async fn tags_that_the_backend_stores_are_taken() {
    let world = world().await;
    let tagged = put("k").header("x-amz-tagging", "class=open");
    assert_eq!(world.send(tagged).await.status(), 200);
    assert!(world.backend.object("bkt", "k").unwrap().tags.is_some());
}

#[tokio::test]
async fn an_object_with_a_lock_is_refused_where_the_bucket_has_none() {
    let world = world().await;
    let locked = || {
        put("k")
            .header("content-md5", "hBotaJrYa9FhFEdFPCLG/A==")
            .header("x-amz-object-lock-mode", "COMPLIANCE")
            .header(
                "x-amz-object-lock-retain-until-date",
                "2099-01-01T00:00:00Z",
            )
    };
    let configure = |document: &'static str| {
        let put = Draft::new(Method::PUT, "bkt", "").query("object-lock", "");
        put.body(document)
    };
    let none = "<ObjectLockConfiguration/>";
    assert_eq!(world.send(configure(none)).await.status(), 200);
    expect_s3_error(&world.send(locked()).await, "InvalidRequest", 400);
    assert!(world.backend.keys("bkt").is_empty());
    let on = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
        </ObjectLockConfiguration>";
    assert_eq!(world.send(configure(on)).await.status(), 200);
    assert_eq!(world.send(locked()).await.status(), 200);
}

#[tokio::test]
async fn an_encryption_is_not_updated_where_that_could_undo_a_put() {
    let world = world().await;
    assert_eq!(world.send(put("k")).await.status(), 200);
    world.backend.ignore_conditions();
    let update = put("k").query("encryption", "");
    expect_s3_error(&world.send(update).await, "NotImplemented", 501);
}

#[tokio::test]
async fn of_many_that_create_one_object_one_wins_also_where_the_backend_lets_all() {
    let setup = World::setup().gateway(|config| config.state.gateways = Gateways::One);
    let world = setup.start().await;
    world.backend.ignore_conditions();
    world.create_bucket("bkt").await;
    for round in 0..4 {
        let key = format!("k{round}");
        let create = || put(&key).header("if-none-match", "*");
        let creators = (0..16).map(|_| world.send(create()));
        let answers = futures_util::future::join_all(creators).await;
        let won = answers.iter().filter(|answer| answer.status() == 200);
        assert_eq!(won.count(), 1);
    }
}
