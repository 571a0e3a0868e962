//! `kill -9` of `up` while objects are overwritten: each key holds what was acknowledged last, or what
//! was being written.

use std::io::BufRead as _;
use std::io::BufReader;
use std::path::Path;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_s3::Client;
use tests::clients;
use tests::clients::Access;

use crate::code;
use crate::fixture::BUCKET;

/// A process with a data directory.
struct Up {
    child: Child,
    s3: Client,
}

impl Up {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sealgate-under-test"))
            .args(["up", "--fixture", "--data"])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let up: serde_json::Value = serde_json::from_str(&line).expect("it starts");
        let text = |name: &str| up[name].as_str().unwrap().to_owned();
        let access = Access::new(&text("access_key_id"), &text("secret_access_key"));
        let s3 = clients::s3(&text("s3_endpoint"), &access, None);
        Self { child, s3 }
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_while_objects_are_overwritten_it_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path());
    let created = up.s3.create_bucket().bucket(BUCKET).send().await;
    assert_eq!(code(created), "");
    up.kill();
    // Of each key: what was acknowledged last, and what was begun after it.
    let mut states = [(0_u8, 0_u8); KEYS];
    for round in 0..KILLS {
        let up = Up::start(folder.path());
        for (key, state) in states.iter_mut().enumerate() {
            if *state != (0, 0) {
                let read = read(&up.s3, key).await;
                assert!(
                    read == state.0 || read == state.1,
                    "key {key}, round {round}"
                );
                *state = (read, read);
            }
        }
        let writers: Vec<_> = states
            .iter()
            .enumerate()
            .map(|(key, state)| tokio::spawn(overwrite(up.s3.clone(), key, *state)))
            .collect();
        tokio::time::sleep(Duration::from_millis(50 + 37 * round)).await;
        up.kill();
        for (key, writer) in writers.into_iter().enumerate() {
            states[key] = writer.await.unwrap();
        }
    }
}

/// Overwrites a key until the process is gone.
async fn overwrite(s3: Client, key: usize, mut state: (u8, u8)) -> (u8, u8) {
    loop {
        state.1 = state.0.checked_add(1).unwrap_or(1);
        // Small ones are in the index, others in files.
        let length = [900, 90_000][key % 2];
        let put = s3.put_object().bucket(BUCKET).key(format!("key{key}"));
        match put.body(vec![state.1; length].into()).send().await {
            Ok(_) => state.0 = state.1,
            Err(_) => return state,
        }
    }
}

/// The byte that an object is full of; 0 if there is none.
async fn read(s3: &Client, key: usize) -> u8 {
    let get = s3.get_object().bucket(BUCKET).key(format!("key{key}"));
    match get.send().await {
        Ok(got) => {
            let bytes = got.body.collect().await.expect("it opens").to_vec();
            assert!(bytes.iter().all(|byte| *byte == bytes[0]));
            bytes[0]
        }
        Err(error) => {
            assert_eq!(code::<(), _, _>(Err(error)), "NoSuchKey");
            0
        }
    }
}

const KEYS: usize = 8;

const KILLS: u64 = 12;
