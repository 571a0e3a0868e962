//! Bearer tokens of the KMS's gRPC protocol: forged, expired, replayed, and the service secret in their place.

use std::sync::Arc;
use std::time::Duration;

use kms::config::Config;
use kms::config::Credential;
use kms::config::Signatures;
use kms::server::Running;
use proto::identity::Secret;
use proto::kms::v1::CreateKeyRequest;
use proto::kms::v1::DescribeKeyRequest;
use proto::kms::v1::key_management_client::KeyManagementClient;
use proto::time::Clock as _;
use proto::time::SystemClock;
use proto::token::issue_token;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tonic::Code;
use tonic::transport::Channel;

const ANA: &str = "ANAEXAMPLEACCESSKEY1";
const BEN: &str = "BENEXAMPLEACCESSKEY1";
const SERVICE_SECRET: &str = "service-secret-canary-5b1d";

/// A KMS with a user in each of two accounts.
struct Kms {
    running: Running,
    client: KeyManagementClient<Channel>,
}

impl Kms {
    async fn start() -> Self {
        Self::start_with(&[(ANA, "111122223333"), (BEN, "444455556666")]).await
    }

    async fn start_with(users: &[(&str, &str)]) -> Self {
        let mut config = Config::fixture();
        config.authenticate.signatures = Signatures::Checked;
        config.authenticate.service_secret = Some(Secret::new(SERVICE_SECRET));
        let credential = |(id, account): &(&str, &str)| Credential {
            access_key_id: (*id).to_owned(),
            secret_access_key: secret(id),
            account: account.parse().unwrap(),
            principal_arn: None,
        };
        config.authenticate.credentials = users.iter().map(credential).collect();
        let running = kms::server::start(config, Arc::new(SystemClock)).await;
        let running = running.unwrap();
        let endpoint = running.endpoint.clone();
        let channel = Channel::from_shared(endpoint).unwrap();
        let client = KeyManagementClient::new(channel.connect().await.unwrap());
        Self { running, client }
    }

    /// Creates a key with that token and those metadata: the key's ARN, or the code of the refusal.
    async fn create_key(
        &self,
        bearer: &str,
        metadata: &[(&'static str, &str)],
    ) -> Result<String, Code> {
        let mut request = tonic::Request::new(CreateKeyRequest::default());
        let headers = request.metadata_mut();
        headers.insert("authorization", format!("Bearer {bearer}").parse().unwrap());
        for (name, value) in metadata {
            headers.insert(*name, value.parse().unwrap());
        }
        let made = self.client.clone().create_key(request).await;
        let made = made.map_err(|status| {
            assert!(!status.message().contains("sealgate1."), "{status}");
            status.code()
        })?;
        Ok(made.into_inner().key_metadata.unwrap().arn.unwrap())
    }

    /// It is refused, and nothing was done or counted.
    async fn refuses(&self, bearer: &str, metadata: &[(&'static str, &str)]) {
        let outcome = self.create_key(bearer, metadata).await;
        assert_eq!(outcome, Err(Code::Unauthenticated), "{metadata:?}");
        assert!(self.running.quotas.usage().is_empty());
        assert!(self.running.audit.lookup(1, |_| true).is_empty());
    }
}

fn secret(access_key_id: &str) -> Secret {
    Secret::new(format!("secret of {access_key_id}"))
}

/// A token for ten minutes, signed by the secret of `signer`.
fn token(access_key_id: &str, signer: &str, region: Option<&str>) -> String {
    let expires = SystemClock.now().plus(Duration::from_secs(600));
    let region = region.map(|name| name.parse().unwrap());
    let token = issue_token(access_key_id, &secret(signer), expires, region.as_ref());
    token.unwrap().expose().to_owned()
}

#[tokio::test]
async fn a_forged_token_is_refused_whatever_was_changed() {
    let kms = Kms::start().await;
    let good = token(ANA, ANA, None);
    let (head, mac) = good.rsplit_once('.').unwrap();
    let (user, _) = head.rsplit_once('.').unwrap();
    let (user, _) = user.rsplit_once('.').unwrap();
    for forged in [
        token(ANA, BEN, None),
        good.replace(ANA, BEN),
        format!("{user}.99999999999.*.{mac}"),
        format!("{head}.{}", "A".repeat(43)),
        format!("{head}."),
        head.to_owned(),
        good.to_uppercase(),
        format!("{good}.{mac}"),
        good.replace("sealgate1", "sealgate0"),
        token("NOBODYEXAMPLEACCESSK", ANA, None),
        format!("sealgate1.{}.{mac}", "A".repeat(8_000)),
        String::new(),
        "null".to_owned(),
    ] {
        kms.refuses(&forged, &[]).await;
    }
    assert!(kms.create_key(&good, &[]).await.is_ok());
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let kms = Kms::start().await;
    let token = token(ANA, ANA, None);
    kms.running.clock.advance(Duration::from_secs(601));
    kms.refuses(&token, &[]).await;
}

#[tokio::test]
async fn a_token_for_one_region_is_refused_in_another() {
    let kms = Kms::start().await;
    let token = token(ANA, ANA, Some("eu-west-1"));
    kms.refuses(&token, &[("sealgate-region", "us-east-1")])
        .await;
    let there = kms.create_key(&token, &[]).await.unwrap();
    assert!(
        there.starts_with("arn:aws:kms:eu-west-1:111122223333:"),
        "{there}"
    );
}

#[tokio::test]
async fn a_token_calls_for_no_other_account_principal_or_service() {
    let kms = Kms::start().await;
    let token = token(ANA, ANA, None);
    for name_and_value in [
        ("sealgate-account", "444455556666"),
        ("sealgate-principal", "arn:aws:iam::444455556666:root"),
        ("sealgate-principal", "s3.amazonaws.com"),
        ("sealgate-via-service", "s3.us-east-1.amazonaws.com"),
        ("sealgate-source-ip", "192.0.2.1"),
    ] {
        kms.refuses(&token, &[name_and_value]).await;
    }
}

#[tokio::test]
async fn keys_of_one_account_are_not_the_other_users() {
    let kms = Kms::start().await;
    let key = kms.create_key(&token(ANA, ANA, None), &[]).await.unwrap();
    let mut request = tonic::Request::new(DescribeKeyRequest {
        key_id: Some(key),
        ..DescribeKeyRequest::default()
    });
    let bearer = format!("Bearer {}", token(BEN, BEN, None)).parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let refused = kms.client.clone().describe_key(request).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_token_of_a_removed_user_is_refused() {
    let token = token(ANA, ANA, None);
    let kms = Kms::start_with(&[(BEN, "444455556666")]).await;
    kms.refuses(&token, &[]).await;
}

#[tokio::test]
async fn the_service_secret_is_not_a_users_token() {
    let kms = Kms::start().await;
    kms.refuses(SERVICE_SECRET, &[]).await;
    kms.refuses(SERVICE_SECRET, &[("sealgate-account", "111122223333")])
        .await;
    let root = ("sealgate-principal", "arn:aws:iam::111122223333:root");
    kms.refuses(SERVICE_SECRET, &[root]).await;
}

#[tokio::test]
async fn a_token_is_worth_nothing_over_json() {
    let kms = Kms::start().await;
    let token = token(ANA, ANA, None);
    for header in [
        format!("authorization: Bearer {token}"),
        format!("x-amz-security-token: {token}"),
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential={ANA}/20260101/us-east-1/kms/aws4_request, \
             SignedHeaders=host, Signature={token}"
        ),
    ] {
        let address = kms.running.address;
        let request = format!(
            "POST / HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/x-amz-json-1.1\r\n\
             x-amz-target: TrentService.CreateKey\r\n{header}\r\nconnection: close\r\n\
             content-length: 2\r\n\r\n{{}}"
        );
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(!answer.contains(&token), "{answer}");
    }
    assert!(kms.running.quotas.usage().is_empty());
}
