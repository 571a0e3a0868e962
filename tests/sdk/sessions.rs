//! aws-sdk-sts, and sessions of it with aws-sdk-s3 and aws-sdk-kms: both services accept the same ones.

use std::sync::Arc;

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_sts::types::Credentials;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::identity::Secret;
use proto::mfa::MfaDevice;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::time::Clock as _;
use proto::time::SystemClock;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients;
use tests::clients::Access;
use tests::world::World;

const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

fn ana() -> Access {
    Access::new("KEYOFANA", "secret-of-ana")
}

fn serial() -> String {
    format!("arn:aws:iam::{MAIN_ACCOUNT}:mfa/ana")
}

fn role() -> String {
    format!("arn:aws:iam::{MAIN_ACCOUNT}:role/reader")
}

/// A world with the user `ana`, who has an MFA device, and a role that it may take.
async fn world() -> World {
    let file = format!(
        "[[user]]\nname = 'ana'\naccess_key_id = 'KEYOFANA'\nsecret_access_key = 'secret-of-ana'\n\
         account = '{MAIN_ACCOUNT}'\nmfa = [{{ serial = '{}', secret = '{SEED}' }}]\n\
         [[role]]\nname = 'reader'\naccount = '{MAIN_ACCOUNT}'\n\
         trust_policy = {{ Statement = {{ Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' }} }}\n\
         policies = [{{ Statement = [{{ Effect = 'Allow', Action = ['s3:*', 'kms:*'], Resource = '*' }}] }}]\n",
        serial()
    );
    let principals = Principals::parse(&file).unwrap();
    let key = SessionKey::random().unwrap();
    let iam = Iam::in_memory(principals, key, Arc::new(VolatileMfa::default()));
    let world = World::setup().iam(Arc::new(iam)).start().await;
    world.create_bucket("demo").await;
    world
}

fn access(credentials: &Credentials) -> Access {
    Access {
        session_token: Some(credentials.session_token.clone()),
        ..Access::new(&credentials.access_key_id, &credentials.secret_access_key)
    }
}

/// Writes and reads an object under a KMS key, and calls the KMS itself.
async fn use_both(world: &World, access: &Access) {
    let s3 = world.s3_as(access);
    let put = s3.put_object().bucket("demo").key("k").body(vec![7].into());
    let put = put.server_side_encryption(ServerSideEncryption::AwsKms);
    put.send().await.unwrap();
    let read = s3.get_object().bucket("demo").key("k").send();
    let read = read.await.unwrap().body.collect().await.unwrap();
    assert_eq!(read.to_vec(), [7]);
    let keys = clients::kms(&world.kms.endpoint, access);
    let listed = keys.list_aliases().send().await.unwrap();
    let mut names = listed.aliases().iter().filter_map(|it| it.alias_name());
    assert!(names.any(|name| name == "alias/aws/s3"));
}

#[tokio::test]
async fn get_caller_identity_names_who_signed() {
    let world = world().await;
    let identity = world.sts_as(&ana()).get_caller_identity();
    let identity = identity.send().await.unwrap();
    let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/ana");
    assert_eq!(identity.arn(), Some(arn.as_str()));
    assert_eq!(identity.account(), Some(MAIN_ACCOUNT));
    let forger = Access::new("KEYOFANA", "another secret");
    let refused = world.sts_as(&forger).get_caller_identity().send().await;
    assert_eq!(refused.unwrap_err().code(), Some("SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_session_of_a_role_writes_and_reads_objects_and_calls_the_kms() {
    let world = world().await;
    let assume = world.sts_as(&ana()).assume_role().role_arn(role());
    let assumed = assume.role_session_name("at-work").send().await.unwrap();
    let access = access(assumed.credentials().unwrap());
    let identity = world.sts_as(&access).get_caller_identity();
    let identity = identity.send().await.unwrap();
    let arn = format!("arn:aws:sts::{MAIN_ACCOUNT}:assumed-role/reader/at-work");
    assert_eq!(identity.arn(), Some(arn.as_str()));
    use_both(&world, &access).await;
}

#[tokio::test]
async fn a_session_policy_limits_both_services_and_is_named_in_what_they_refuse() {
    let world = world().await;
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let assume = world.sts_as(&ana()).assume_role().role_arn(role());
    let assume = assume.role_session_name("narrow").policy(policy);
    let assumed = assume.send().await.unwrap();
    let access = access(assumed.credentials().unwrap());
    let s3 = world.s3_as(&access);
    let put = s3.put_object().bucket("demo").key("k").send().await;
    let refused = put.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    let message = refused.message().unwrap_or_default().to_owned();
    let expected = "because no session policy allows the s3:PutObject action";
    assert!(message.ends_with(expected), "{message}");
    let keys = clients::kms(&world.kms.endpoint, &access);
    let refused = keys.list_keys().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    let message = refused.message().unwrap_or_default().to_owned();
    let expected = "because no session policy allows the kms:ListKeys action";
    assert!(message.ends_with(expected), "{message}");
}

#[tokio::test]
async fn a_session_with_a_code_is_a_session_of_the_user_and_the_code_counts_once() {
    let world = world().await;
    let device = MfaDevice::new(&serial(), &Secret::new(SEED)).unwrap();
    let code = device.code(SystemClock.now());
    let session = || {
        let call = world.sts_as(&ana()).get_session_token();
        call.serial_number(serial()).token_code(code.clone()).send()
    };
    let issued = session().await.unwrap();
    let access = access(issued.credentials().unwrap());
    use_both(&world, &access).await;
    let again = session().await.unwrap_err();
    assert_eq!(again.code(), Some("AccessDenied"));
    let events = world
        .kms
        .audit
        .lookup(50, |event| event.name == "ListAliases");
    let event = serde_json::to_value(&*events[0]).unwrap();
    let attributes = &event["userIdentity"]["sessionContext"]["attributes"];
    assert_eq!(attributes["mfaAuthenticated"], "true");
}
