//! PutObject, CopyObject and GetObject through gateways that are killed.

use std::time::Duration;

use aws_sdk_s3::types::ServerSideEncryption;
use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::signed::Draft;
use tokio::io::AsyncWriteExt as _;

use crate::BUCKET;
use crate::Crash;
use crate::content;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_the_old_one_or_the_new_one_wherever_a_put_is_killed() {
    let crash = Crash::start().await;
    for (length, mode) in [
        (1_000, ServerSideEncryption::Aes256),
        (400_000, ServerSideEncryption::AwsKms),
    ] {
        let (old, new) = (content("old", 2_000), content("new", length));
        let killed = crash
            .at_each_step(
                async |key| crash.put(key, &old).await,
                async |s3, key, ()| {
                    let put = s3.put_object().bucket(BUCKET).key(key);
                    let put = put.server_side_encryption(mode.clone());
                    put.body(new.clone().into()).send().await.is_ok()
                },
                async |key, ()| {
                    let read = crash.read(key).await.unwrap();
                    assert!(read == old || read == new, "{key}");
                    crash.put(key, &new).await;
                    assert!(crash.read(key).await.unwrap() == new, "{key}");
                },
            )
            .await;
        assert!(killed >= 2, "{killed}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_leaves_its_source_and_the_old_or_the_new_target_wherever_it_is_killed() {
    let crash = Crash::start().await;
    let (source, old) = (content("source", 300_000), content("old", 5));
    // The first has the backend copy the bytes, the second is sealed anew.
    for mode in [
        ServerSideEncryption::AwsKms,
        ServerSideEncryption::AwsKmsDsse,
    ] {
        let killed = crash
            .at_each_step(
                async |key| {
                    crash.put("source", &source).await;
                    crash.put(key, &old).await;
                },
                async |s3, key, ()| {
                    let copy = s3.copy_object().bucket(BUCKET).key(key);
                    let copy = copy.copy_source(format!("{BUCKET}/source"));
                    let copy = copy.server_side_encryption(mode.clone());
                    copy.send().await.is_ok()
                },
                async |key, ()| {
                    let read = crash.read(key).await.unwrap();
                    assert!(read == old || read == source, "{key}");
                    assert!(crash.read("source").await.unwrap() == source, "{key}");
                },
            )
            .await;
        assert!(killed >= 4, "{killed}");
    }
}

/// A request of which a part is sent, so that the gateway has begun to pass it on.
async fn begin(
    crash: &Crash,
    draft: Draft,
    address: std::net::SocketAddr,
) -> tokio::net::TcpStream {
    let host = address.to_string();
    let bytes = draft
        .sign(&crash.world.main, crash.world.now(), &host)
        .to_bytes();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(&bytes[..bytes.len() / 2]).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_gateway_was_killed_in_the_middle_of_receiving_is_not_there() {
    let crash = Crash::start().await;
    crash.put("k", b"old").await;
    let s3 = crash.s3();
    let create = s3.create_multipart_upload().bucket(BUCKET).key("k");
    let id = create.send().await.unwrap().upload_id.unwrap();
    let body = content("half", 8 << 20);
    let put = || Draft::new(Method::PUT, BUCKET, "k").body(body.clone());
    let part = put().query("partNumber", "1").query("uploadId", &id);
    for draft in [put(), part] {
        let mut victim = crash.victim();
        let gate = Gate::default();
        let tell = Action::TellAfterRequestBytes(2 << 20, gate.clone());
        crash
            .world
            .backend
            .inject(Fault::on_path(Method::PUT, "/k", tell));
        let _stream = begin(&crash, draft, victim.address).await;
        gate.reached().await;
        victim.kill();
        crash.world.backend.heal();
        assert_eq!(crash.read("k").await.unwrap(), b"old");
        let parts = s3.list_parts().bucket(BUCKET).key("k").upload_id(&id);
        assert!(parts.send().await.unwrap().parts().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_read_through_a_gateway_that_is_killed_ends_short_and_never_well() {
    let crash = Crash::start().await;
    let body = content("long", 2 << 20);
    crash.put("k", &body).await;
    let mut victim = crash.victim();
    let stall = Action::StallAfter(1 << 20, Duration::from_secs(3_600));
    crash
        .world
        .backend
        .inject(Fault::on_path(Method::GET, "/k", stall));
    let s3 = tests::clients::s3(&victim.endpoint(), &crash.world.main, None);
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    let mut stream = got.body;
    let mut read = stream.next().await.unwrap().unwrap().to_vec();
    victim.kill();
    let broken = loop {
        match stream.next().await {
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
            Some(Err(_)) => break true,
            None => break false,
        }
    };
    assert!(broken && read.len() < body.len());
    assert!(body.starts_with(&read));
}
