//! The secret that services share, in a file, of the binary.

use std::io::BufRead as _;
use std::io::BufReader;
use std::process::Command;
use std::process::Stdio;

use aws_sdk_s3::primitives::ByteStream;
use proto::kms::v1::GenerateRandomRequest;
use proto::kms::v1::key_management_client::KeyManagementClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::Up;
use crate::command;

const OLD: &str = "the old secret of the services";
const NEW: &str = "the new secret of the services";

/// Whether a KMS accepts the call of a service by that secret.
async fn is_accepted(endpoint: &str, secret: &str) -> bool {
    let channel = Channel::from_shared(endpoint.to_owned()).unwrap();
    let mut client = KeyManagementClient::new(channel.connect().await.unwrap());
    let mut request = tonic::Request::new(GenerateRandomRequest {
        number_of_bytes: Some(16),
        ..GenerateRandomRequest::default()
    });
    let metadata = request.metadata_mut();
    let bearer = format!("Bearer {secret}").parse().unwrap();
    metadata.insert("authorization", bearer);
    let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
    metadata.insert("sealgate-via-service", via);
    match client.generate_random(request).await {
        Ok(_) => true,
        Err(status) if status.code() == Code::Unauthenticated => false,
        Err(status) => panic!("{status}"),
    }
}

#[tokio::test]
async fn a_kms_that_is_hung_up_on_reads_the_file_that_a_variable_names_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("service");
    std::fs::write(&file, OLD).unwrap();
    let configuration = "listen = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n\
         [authenticate]\nservice_secret = \"that the variable replaces\"\n";
    std::fs::write(folder.path().join("kms.toml"), configuration).unwrap();
    let mut child = command(folder.path())
        .args(["kms", "--config", "kms.toml"])
        .env("SEALGATE_SERVICE_SECRET_FILE", &file)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    let up = lines.find(|line| line.contains("the KMS is up")).unwrap();
    let (_, endpoint) = up.split_once(" endpoint=\"").expect(&up);
    let (endpoint, _) = endpoint.split_once('"').expect(&up);
    let before = (
        is_accepted(endpoint, OLD).await,
        is_accepted(endpoint, "that the variable replaces").await,
    );

    std::fs::write(&file, NEW).unwrap();
    let hung_up = Command::new("kill")
        .args(["-HUP", &child.id().to_string()])
        .status();
    assert!(hung_up.unwrap().success());
    let is_read_again = lines.any(|line| line.contains("were read again"));
    let since = (
        is_accepted(endpoint, OLD).await,
        is_accepted(endpoint, NEW).await,
    );
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(is_read_again, "it ended");
    assert_eq!((before, since), ((true, false), (false, true)));
}

#[tokio::test]
async fn both_services_of_up_read_the_file_that_the_kms_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("service"), format!("{NEW}\n{OLD}\n")).unwrap();
    let configuration = "[kms.authenticate]\nservice_secret_file = \"service\"\n";
    std::fs::write(folder.path().join("up.toml"), configuration).unwrap();
    let up = Up::start(folder.path(), &["--ephemeral", "--config", "up.toml"]);
    for secret in [OLD, NEW] {
        assert!(is_accepted(up.text("kms_endpoint"), secret).await);
    }
    // The gateway calls the KMS for the key of the object.
    let s3 = up.s3();
    s3.create_bucket().bucket("demo-2").send().await.unwrap();
    let put = s3.put_object().bucket("demo-2").key("k");
    let put = put.body(ByteStream::from_static(b"sealed"));
    put.send().await.unwrap();
    up.end();
}
