//! A gateway that has no file descriptors left.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use tests::clients;
use tests::process::Process;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::BUCKET;
use crate::Crash;

/// Longer than anything here should take.
const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_ran_out_of_file_descriptors_serves_when_it_has_some_again() {
    const FILES_MAX: usize = 64;
    let crash = Crash::start().await;
    let program = env!("CARGO_BIN_EXE_sealgate-under-test");
    let poor = Process::gateway_with_files(program, &crash.config, FILES_MAX);
    let client = clients::s3(&poor.endpoint(), &crash.world.main, None);
    let put = || {
        let body = ByteStream::from_static(b"still here");
        client.put_object().bucket(BUCKET).key("key").body(body)
    };
    put().send().await.unwrap();

    let mut held = Vec::new();
    for _ in 0..2 * FILES_MAX {
        held.push(TcpStream::connect(poor.address).await.unwrap());
    }
    let exhausted = async {
        while poor.open_files() < FILES_MAX {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, exhausted).await.unwrap();

    drop(held);
    timeout(SOON, put().send()).await.unwrap().unwrap();
    assert_eq!(crash.read("key").await.as_deref(), Some(&b"still here"[..]));
}
