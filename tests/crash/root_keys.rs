//! What an operator does with root keys of SSE-S3 by the command line, and what gateways started afterwards read.

use std::process::Command;
use std::process::Output;

use tests::clients;

use crate::BUCKET;
use crate::Crash;
use crate::content;

/// The state bucket, by its default name, and the start of the names of root keys.
const STATE: &str = "sealgate-state";
const ROOT_KEYS: &str = "root-keys/";

/// Runs a task of `sealgate gateway` with a configuration until it ends.
fn run(config: &str, task: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, config).unwrap();
    Command::new(env!("CARGO_BIN_EXE_sealgate-under-test"))
        .arg("gateway")
        .arg("--config")
        .arg(&file)
        .args(task)
        .output()
        .unwrap()
}

fn succeed(config: &str, task: &[&str]) {
    let output = run(config, task);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{task:?}: {log}");
}

impl Crash {
    fn root_keys(&self) -> Vec<String> {
        let mut names = self.world.backend.keys(STATE);
        names.retain(|name| name.starts_with(ROOT_KEYS));
        names
    }

    /// What a gateway that was just started with this configuration reads.
    async fn read_anew(&self, config: &str, key: &str) -> Option<Vec<u8>> {
        let process = Self::process(config);
        let s3 = clients::s3(&process.endpoint(), &self.world.main, None);
        let got = s3.get_object().bucket(BUCKET).key(key).send().await.ok()?;
        Some(got.body.collect().await.unwrap().to_vec())
    }

    async fn put_anew(&self, config: &str, key: &str, body: &[u8]) {
        let process = Self::process(config);
        let s3 = clients::s3(&process.endpoint(), &self.world.main, None);
        let put = s3.put_object().bucket(BUCKET).key(key);
        put.body(body.to_vec().into()).send().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotated_root_key_encrypts_what_is_new_and_the_old_one_opens_what_was_there() {
    let crash = Crash::start().await;
    let (old, new) = (content("old", 3_000), content("new", 3_000));
    crash.put("old", &old).await;
    let before = crash.root_keys();
    assert_eq!(before.len(), 1);

    succeed(&crash.config, &["rotate-root-key"]);
    let after = crash.root_keys();
    assert_eq!(after.len(), 2);
    assert!(after[1] > before[0], "{after:?}");
    crash.put_anew(&crash.config, "new", &new).await;
    for (key, body) in [("old", &old), ("new", &new)] {
        let read = crash.read_anew(&crash.config, key).await;
        assert_eq!(read.as_ref(), Some(body), "{key}");
    }

    // Each object needs the key that it was sealed under, and no other.
    crash.world.backend.remove(STATE, &after[1]);
    assert_eq!(crash.read_anew(&crash.config, "new").await, None);
    assert_eq!(crash.read_anew(&crash.config, "old").await, Some(old));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_keys_wrapped_anew_need_the_new_kms_key_and_no_longer_the_old_one() {
    let crash = Crash::start().await;
    let (old, new) = (content("old", 3_000), content("new", 3_000));
    crash.put("old", &old).await;
    succeed(&crash.config, &["rotate-root-key"]);
    crash.put_anew(&crash.config, "new", &new).await;

    let arn = crash.world.create_key("alias/root").await;
    let changed = crash
        .config
        .replacen("[kms]", &format!("[kms]\nroot_key = \"{arn}\""), 1);
    assert_eq!(crash.read_anew(&changed, "old").await, None, "too early");
    succeed(
        &changed,
        &["rewrap-root-keys", "--from", "alias/sealgate/sse-s3"],
    );
    for (key, body) in [("old", &old), ("new", &new)] {
        let read = crash.read_anew(&changed, key).await;
        assert_eq!(read.as_ref(), Some(body), "{key}");
        assert_eq!(crash.read_anew(&crash.config, key).await, None, "{key}");
    }
    // Again, as after a run that was interrupted: those that are wrapped already stay as they are.
    let wrapped: Vec<_> = crash.root_keys();
    let stored = |name: &String| crash.world.backend.object(STATE, name).unwrap().body;
    let before: Vec<_> = wrapped.iter().map(stored).collect();
    succeed(
        &changed,
        &["rewrap-root-keys", "--from", "alias/sealgate/sse-s3"],
    );
    assert_eq!(wrapped.iter().map(stored).collect::<Vec<_>>(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn root_keys_that_another_kms_key_does_not_open_are_left_as_they_are() {
    let crash = Crash::start().await;
    crash.put("old", &content("old", 3_000)).await;
    let before = crash.root_keys();
    let stored = |name: &String| crash.world.backend.object(STATE, name).unwrap().body;
    let bytes: Vec<_> = before.iter().map(stored).collect();
    let arn = crash.world.create_key("alias/root").await;
    let wrong = crash.world.create_key("alias/wrong").await;
    let changed = crash
        .config
        .replacen("[kms]", &format!("[kms]\nroot_key = \"{arn}\""), 1);
    let output = run(&changed, &["rewrap-root-keys", "--from", &wrong]);
    assert!(!output.status.success());
    assert!(!output.stderr.is_empty());
    assert_eq!(crash.root_keys(), before);
    assert_eq!(before.iter().map(stored).collect::<Vec<_>>(), bytes);
}
