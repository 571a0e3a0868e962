//! The secret that gateway and KMS share, replaced while both run.

use std::path::Path;
use std::path::PathBuf;

use aws_sdk_s3::types::ServerSideEncryption;
use gateway::config::Config;
use gateway::keys::kms::KeyService as _;
use gateway::keys::kms::KeyServiceError;
use gateway::keys::kms::RetryPolicy;
use gateway::keys::kms::endpoint::GrpcEndpoint;
use gateway::keys::kms::endpoint::TlsFiles;
use gateway::keys::kms::grpc::GrpcKeyService;
use proto::identity::Secret;
use tests::world::World;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::unbounded_channel;

const OLD: &str = "old-service-secret-canary-0c7d51";
const NEW: &str = "new-service-secret-canary-92ab4e";

/// Both services with files of their own for the secret, which is the old one.
struct Sharing {
    world: World,
    config: Config,
    of_kms: PathBuf,
    of_gateway: PathBuf,
    _folder: tempfile::TempDir,
}

impl Sharing {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let [of_kms, of_gateway] = ["kms", "gateway"].map(|name| folder.path().join(name));
        for file in [&of_kms, &of_gateway] {
            std::fs::write(file, format!("{OLD}\n")).unwrap();
        }
        let (kms_file, gateway_file) = (of_kms.clone(), of_gateway.clone());
        let (tell, told) = std::sync::mpsc::channel();
        let setup = World::setup()
            .kms(|config| {
                config.authenticate.service_secret = None;
                config.authenticate.service_secret_file = Some(kms_file);
            })
            .gateway(move |config| {
                config.kms.secret_file = Some(gateway_file);
                tell.send(config.clone()).unwrap();
            });
        let world = setup.start().await;
        world.create_key("alias/blue").await;
        world.create_bucket("demo").await;
        Self {
            world,
            config: told.recv().unwrap(),
            of_kms,
            of_gateway,
            _folder: folder,
        }
    }

    fn change_kms(&self, text: &str) {
        std::fs::write(&self.of_kms, text).unwrap();
        self.world.kms.reload().unwrap();
    }

    fn change_gateway(&self, text: &str) {
        std::fs::write(&self.of_gateway, text).unwrap();
        self.world.gateway.reload(&self.config).unwrap();
    }

    /// Another gateway's way to the KMS, by that secret.
    fn key_service(&self, secret: &str) -> GrpcKeyService {
        let endpoint = format!("grpc://{}", self.world.kms.address);
        let (region, retry) = ("us-east-1".parse().unwrap(), RetryPolicy::default());
        let endpoint = GrpcEndpoint::parse(&endpoint).unwrap();
        let secret = Secret::new(secret);
        GrpcKeyService::new(&endpoint, TlsFiles::default(), &secret, &region, retry).unwrap()
    }
}

/// One object under a KMS key, which takes a call of the KMS; or the code of the refusal.
async fn put(s3: &aws_sdk_s3::Client, key: &str) -> Result<(), String> {
    let put = s3.put_object().bucket("demo").key(key);
    let put = put.server_side_encryption(ServerSideEncryption::AwsKms);
    let answer = put.ssekms_key_id("alias/blue").send().await;
    answer.map(drop).map_err(|error| format!("{error:?}"))
}

/// What clients that put one object after the other receive, with the number of the client, until the receiver is
/// dropped.
fn load(world: &World) -> UnboundedReceiver<(usize, Result<(), String>)> {
    let (tell, told) = unbounded_channel();
    for client in 0..CLIENTS {
        let (s3, tell) = (world.s3(), tell.clone());
        tokio::spawn(async move {
            let key = format!("key-{client}");
            while tell.send((client, put(&s3, &key).await)).is_ok() {}
        });
    }
    told
}

/// Waits until every client has received two answers, of which the second was requested since; how many were received.
async fn served(answers: &mut UnboundedReceiver<(usize, Result<(), String>)>) -> usize {
    let (mut received, mut count) = ([0; CLIENTS], 0);
    // What was received before.
    while let Ok((_, answer)) = answers.try_recv() {
        answer.unwrap();
        count += 1;
    }
    while received.iter().any(|answers| *answers < 2) {
        let (client, answer) = answers.recv().await.unwrap();
        answer.unwrap();
        received[client] += 1;
        count += 1;
    }
    count
}

#[tokio::test]
async fn the_secret_changes_under_load_by_its_steps_without_a_failed_request() {
    let sharing = Sharing::start().await;
    let earlier = sharing.key_service(OLD);
    earlier.check().await.unwrap();
    let mut answers = load(&sharing.world);
    let mut count = served(&mut answers).await;
    let (both, reversed) = (format!("{OLD}\n{NEW}\n"), format!("{NEW}\n{OLD}\n"));
    for text in [&both, &reversed, NEW] {
        // Each step in another order.
        if text == reversed {
            sharing.change_gateway(text);
            count += served(&mut answers).await;
            sharing.change_kms(text);
        } else {
            sharing.change_kms(text);
            count += served(&mut answers).await;
            sharing.change_gateway(text);
        }
        count += served(&mut answers).await;
    }
    assert!(count >= 7 * 2 * CLIENTS, "{count}");

    // By its open connection, too.
    for refused in [earlier, sharing.key_service(OLD)] {
        let refusal = refused.check().await.unwrap_err();
        let KeyServiceError::Refused { code, message } = refusal else {
            panic!("{refusal}");
        };
        assert_eq!(code, "UnrecognizedClientException");
        assert!(!message.contains(OLD), "{message}");
    }
    sharing.key_service(NEW).check().await.unwrap();
}

#[tokio::test]
async fn a_gateway_whose_secret_was_taken_out_at_the_kms_is_refused_until_it_sends_the_new_one() {
    let sharing = Sharing::start().await;
    let s3 = sharing.world.s3();
    put(&s3, "k").await.unwrap();
    sharing.change_kms(NEW);
    put(&s3, "k").await.unwrap_err();
    sharing.change_gateway(NEW);
    put(&s3, "k").await.unwrap();
}

#[tokio::test]
async fn a_file_of_the_secret_that_cannot_be_used_leaves_the_gateway_the_one_before() {
    let sharing = Sharing::start().await;
    let s3 = sharing.world.s3();
    let three = format!("{NEW}\n{NEW}\n{NEW}");
    for (broken, why) in [
        ("", "is empty"),
        (&three, "more than two lines"),
        ("short", "line 1 is too short"),
    ] {
        std::fs::write(&sharing.of_gateway, broken).unwrap();
        let refusal = sharing.world.gateway.reload(&sharing.config);
        let refusal = refusal.unwrap_err().to_string();
        assert!(is_about(&refusal, &sharing.of_gateway, why), "{refusal}");
        assert!(!refusal.contains(NEW), "{refusal}");
        put(&s3, "k").await.unwrap();
    }
    let metrics = sharing.world.metrics.render();
    assert!(
        metrics.contains("\nsealgate_config_reload_failed 1\n"),
        "{metrics}"
    );
}

fn is_about(refusal: &str, file: &Path, why: &str) -> bool {
    let named = format!("the secret for the KMS: {}: ", file.display());
    refusal.starts_with(&named) && refusal.contains(why)
}

const CLIENTS: usize = 4;
