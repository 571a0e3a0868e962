//! The beginning of an upload: it is known to the gateway and to the backend, or can be aborted.

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::signed::Draft;
use tests::world::World;
use tokio::io::AsyncWriteExt as _;

use crate::direct::BUCKET;
use crate::direct::Direct;
use crate::direct::Request;
use crate::state::STATE_BUCKET;

#[tokio::test]
async fn an_upload_that_the_backend_alone_has_can_be_aborted() {
    let world = Direct::start().await;
    let uploading = world.uploading();
    world.put(Request::new("k").body("an object")).await.ok();
    let ids = [
        uploading.begin(Request::new("k")).await,
        uploading.begin(Request::new("k")).await,
    ];
    let state = world.backend.keys(STATE_BUCKET);
    for name in state.iter().filter(|name| name.contains("/uploads/")) {
        world.backend.remove(STATE_BUCKET, name);
    }
    let other = world.another();
    let uploading = other.uploading();
    for id in &ids {
        let request = || Request::new("k");
        uploading
            .parts(request(), id)
            .await
            .refused(404, "NoSuchUpload");
        let elsewhere = uploading.abort(Request::new("other"), id).await;
        elsewhere.refused(404, "NoSuchUpload");
        assert_eq!(uploading.abort(request(), id).await.ok().status, 204);
        uploading
            .abort(request(), id)
            .await
            .refused(404, "NoSuchUpload");
    }
    assert!(world.backend.uploads().is_empty());
    for id in ["", " "] {
        let refused = uploading.abort(Request::new("k"), id).await;
        refused.refused(404, "NoSuchUpload");
    }
    assert_eq!(world.backend.keys(BUCKET), ["k"]);
}

#[tokio::test]
async fn a_client_that_hangs_up_while_its_upload_begins_leaves_one_that_is_known() {
    let world = World::start().await;
    world.create_bucket("demo").await;
    let (begun, go_on) = (Gate::default(), Gate::default());
    let pause = Action::PauseAfter(begun.clone(), go_on.clone());
    let begins = Fault::on(
        |it| it.method == Method::POST && it.path == "/demo/k",
        pause,
    );
    world.backend.inject(begins.times(1));
    let (stored, passed) = (Gate::default(), Gate::default());
    let pause = Action::PauseAfter(stored.clone(), passed.clone());
    let stores = Fault::on_path(Method::PUT, "/buckets/demo/uploads/", pause);
    world.backend.inject(stores.times(1));

    let create = world.sign(Draft::new(Method::POST, "demo", "k").query("uploads", ""));
    let mut client = world.target().connect().await.unwrap();
    client.write_all(&create.to_bytes()).await.unwrap();
    begun.reached().await;
    drop(client);
    while world.gateway.requests_in_flight() > 0 {
        tokio::task::yield_now().await;
    }
    go_on.reach();
    stored.reached().await;
    passed.reach();

    let uploads = world.backend.uploads();
    let [id] = &uploads.keys().collect::<Vec<_>>()[..] else {
        panic!("{uploads:?}")
    };
    let list = Draft::new(Method::GET, "demo", "k").query("uploadId", id);
    assert_eq!(world.send(list).await.status(), 200);
}
