//! Gateways that are killed, at every step of what they do: nothing acknowledged is lost, no object
//! is half there, and another gateway goes on.
//!
//! The victims are processes of the binary. The backend holds the request at which one is killed,
//! once before and once after it carried out the request, and then the next request, until a
//! victim lives to answer. The gateway that looks at what is left, and goes on, is another one.

#[cfg(target_os = "linux")]
mod files;
mod histories;
mod root_keys;
mod single;
mod upload;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::backend::SECRET_ACCESS_KEY;
use tests::clients;
use tests::process::Process;
use tests::world::SERVICE_SECRET;
use tests::world::World;

const BUCKET: &str = "crash";
const MIB: usize = 1 << 20;

/// How the backend holds the request at which a gateway is killed.
type Hold = fn(Gate) -> Action;

/// A backend, a KMS, a gateway that lives, and what victims are started with.
struct Crash {
    world: World,
    config: String,
    _secret: tempfile::TempDir,
}

impl Crash {
    async fn start() -> Self {
        let world = World::start().await;
        world.create_bucket(BUCKET).await;
        let secret = tempfile::tempdir().unwrap();
        let file = secret.path().join("service.secret");
        std::fs::write(&file, SERVICE_SECRET).unwrap();
        let config = format!(
            r#"
            [listen]
            http = "127.0.0.1:0"
            admin = "127.0.0.1:0"
            [backend]
            url = "{}"
            [backend_credentials]
            access_key_id = "{ACCESS_KEY_ID}"
            secret_access_key = "{SECRET_ACCESS_KEY}"
            [kms]
            url = "grpc://{}"
            secret_file = "{}"
            account = "{account}"
            [state]
            gateways = "many"
            [objects]
            allow_insecure_sse = true
            [[users]]
            access_key_id = "{}"
            secret_access_key = "{}"
            account = "{account}"
            "#,
            world.backend.endpoint(),
            world.kms.address,
            file.display(),
            world.main.access_key_id,
            world.main.secret_access_key,
            account = sealgate::credentials::MAIN_ACCOUNT,
        );
        Self {
            world,
            config,
            _secret: secret,
        }
    }

    fn victim(&self) -> Process {
        Self::process(&self.config)
    }

    fn process(config: &str) -> Process {
        Process::gateway(env!("CARGO_BIN_EXE_sealgate-under-test"), config)
    }

    /// The gateway that lives.
    fn s3(&self) -> Client {
        self.world.s3()
    }

    /// Kills a gateway at every request that `act` makes it send to the backend; the number of
    /// gateways killed. `act` returns whether it received a success.
    async fn at_each_step<T>(
        &self,
        prepare: impl AsyncFn(&str) -> T,
        act: impl AsyncFn(&Client, &str, &T) -> bool,
        check: impl AsyncFn(&str, T),
    ) -> usize {
        let holds: [(&str, Hold); 2] =
            [("before", Action::HoldBefore), ("after", Action::HoldAfter)];
        let mut killed = 0;
        for (moment, hold) in holds {
            for step in 0.. {
                let key = format!("{moment} request {step}");
                let prepared = prepare(&key).await;
                let mut victim = self.victim();
                let client = clients::s3(&victim.endpoint(), &self.world.main, None);
                let gate = Gate::default();
                let fault = Fault::always(hold(gate.clone())).skip(step).times(1);
                self.world.backend.inject(fault);
                let survived = {
                    let acting = act(&client, &key, &prepared);
                    tokio::pin!(acting);
                    tokio::select! {
                        () = gate.reached() => {
                            victim.kill();
                            assert!(!acting.await, "{key}: a dead gateway reports no success");
                            false
                        }
                        success = &mut acting => {
                            assert!(success, "{key}");
                            true
                        }
                    }
                };
                self.world.backend.heal();
                check(&key, prepared).await;
                self.world.backend.forget();
                if survived {
                    break;
                }
                killed += 1;
            }
        }
        killed
    }

    /// What the living gateway reads, if anything. HEAD and LIST must agree.
    async fn read(&self, key: &str) -> Option<Vec<u8>> {
        let s3 = self.s3();
        let list = s3.list_objects_v2().bucket(BUCKET).prefix(key);
        let list = list.send().await.unwrap();
        let listed = list
            .contents()
            .iter()
            .find(|object| object.key() == Some(key));
        let got = s3.get_object().bucket(BUCKET).key(key).send().await;
        let got = match got {
            Ok(got) => got,
            Err(error) => {
                assert_eq!(error.code(), Some("NoSuchKey"), "{key}: {error:?}");
                assert!(listed.is_none(), "{key}");
                return None;
            }
        };
        let body = got.body.collect().await.unwrap().to_vec();
        let head = s3
            .head_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .unwrap();
        let size = i64::try_from(body.len()).ok();
        assert_eq!(head.content_length(), size, "{key}");
        assert_eq!(listed.unwrap().size(), size, "{key}");
        let stored = self.world.backend.object(BUCKET, key).unwrap();
        assert!(stored.body.starts_with(b"sealgate"), "{key}");
        Some(body)
    }

    /// Puts an object through the living gateway.
    async fn put(&self, key: &str, body: &[u8]) {
        let put = self.s3().put_object().bucket(BUCKET).key(key);
        put.body(body.to_vec().into()).send().await.unwrap();
    }
}

/// Content of this length that differs with its name everywhere.
fn content(name: &str, length: usize) -> Vec<u8> {
    let line = format!("{name} ");
    line.bytes().cycle().take(length).collect()
}
