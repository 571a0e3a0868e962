//! The bearer tokens that a fixture prints and that `sealgate token` makes.

use proto::kms::v1::CreateKeyRequest;
use proto::kms::v1::key_management_client::KeyManagementClient;
use tonic::transport::Channel;

use crate::Up;
use crate::command;

/// The account of a key that the bearer of `token` creates, or the message of the refusal.
async fn account_of_a_key(up: &Up, token: &str) -> Result<String, String> {
    let endpoint = up.text("kms_endpoint").to_owned();
    let channel = Channel::from_shared(endpoint).unwrap();
    let mut client = KeyManagementClient::new(channel.connect().await.unwrap());
    let mut request = tonic::Request::new(CreateKeyRequest::default());
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let made = client.create_key(request).await;
    let made = made.map_err(|status| status.message().to_owned())?;
    let metadata = made.into_inner().key_metadata.unwrap();
    Ok(metadata.aws_account_id.unwrap())
}

#[tokio::test]
async fn the_tokens_of_a_fixture_call_the_kms_as_its_two_users() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--ephemeral"]);
    for (name, account) in [
        ("grpc_token", "123456789012"),
        ("alt_grpc_token", "210987654321"),
    ] {
        let made = account_of_a_key(&up, up.text(name)).await;
        assert_eq!(made.as_deref(), Ok(account), "{name}");
    }
    up.end();
}

#[tokio::test]
async fn a_token_by_name_or_by_access_key_calls_the_kms_and_one_of_nobody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start(folder.path(), &["--data", "data"]);
    let token = |arguments: &[&str]| {
        let mut command = command(folder.path());
        command.arg("token").args(arguments);
        command.env("AWS_ACCESS_KEY_ID", up.text("access_key_id"));
        command.env("AWS_SECRET_ACCESS_KEY", up.text("secret_access_key"));
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        match output.status.success() {
            true => Ok(text(&output.stdout).trim_end().to_owned()),
            false => Err(text(&output.stderr)),
        }
    };
    let alt = token(&["--user", "alt", "--data", "data"]).unwrap();
    assert_eq!(
        account_of_a_key(&up, &alt).await.as_deref(),
        Ok("210987654321")
    );
    let main = token(&[]).unwrap();
    assert_eq!(
        account_of_a_key(&up, &main).await.as_deref(),
        Ok("123456789012")
    );
    let elsewhere = token(&["--region", "mars-1"]).unwrap();
    assert!(account_of_a_key(&up, &elsewhere).await.is_err());
    let nobody = token(&["--user", "nobody", "--data", "data"]).unwrap_err();
    assert!(nobody.contains("there are: main, alt"), "{nobody}");
    up.end();
}
