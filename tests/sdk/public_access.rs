//! aws-sdk-s3 on Block Public Access: what new buckets block, and each setting by itself.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ObjectCannedAcl;
use aws_sdk_s3::types::PublicAccessBlockConfiguration;
use gateway::bucket::ownership::ObjectOwnership;
use tests::world::World;

const PUBLIC: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
    "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::demo/*"}]}"#;

async fn world(new_buckets: bool) -> World {
    let world = World::setup()
        .gateway(move |config| {
            config.public_access_block.new_buckets = new_buckets;
            config.object_ownership.new_buckets = ObjectOwnership::ObjectWriter;
        })
        .start()
        .await;
    world.create_bucket("demo").await;
    world
}

/// The code of a refusal.
async fn put_policy(s3: &Client) -> Result<(), String> {
    let sent = s3.put_bucket_policy().bucket("demo").policy(PUBLIC).send();
    sent.await.map(drop).map_err(code)
}

/// The code of a refusal.
async fn put_public(s3: &Client) -> Result<(), String> {
    let request = s3.put_object().bucket("demo").key("k");
    let request = request
        .acl(ObjectCannedAcl::PublicRead)
        .body(ByteStream::from_static(b"body"));
    request.send().await.map(drop).map_err(code)
}

fn code<E: ProvideErrorMetadata>(error: E) -> String {
    error.code().unwrap_or_default().to_owned()
}

async fn put_block(s3: &Client, block: PublicAccessBlockConfiguration) {
    s3.put_public_access_block()
        .bucket("demo")
        .public_access_block_configuration(block)
        .send()
        .await
        .unwrap();
}

async fn block(s3: &Client) -> Result<[bool; 4], String> {
    let answer = s3.get_public_access_block().bucket("demo").send().await;
    let answer = answer.map_err(code)?;
    let block = answer.public_access_block_configuration.unwrap();
    let settings = [
        block.block_public_acls,
        block.ignore_public_acls,
        block.block_public_policy,
        block.restrict_public_buckets,
    ];
    Ok(settings.map(|setting| setting.unwrap()))
}

#[tokio::test]
async fn a_new_bucket_blocks_public_access_until_its_owner_says_otherwise() {
    let world = world(true).await;
    let s3 = world.s3();
    assert_eq!(block(&s3).await, Ok([true; 4]));
    let denied = Err("AccessDenied".to_owned());
    assert_eq!(put_policy(&s3).await, denied);
    assert_eq!(put_public(&s3).await, denied);
    assert!(world.backend.keys("demo").is_empty());

    s3.delete_public_access_block()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    let missing = "NoSuchPublicAccessBlockConfiguration".to_owned();
    assert_eq!(block(&s3).await, Err(missing));
    assert_eq!(put_policy(&s3).await, Ok(()));
    assert_eq!(put_public(&s3).await, Ok(()));
}

#[tokio::test]
async fn each_setting_blocks_its_own_and_nothing_else() {
    let world = world(false).await;
    let s3 = world.s3();
    let denied = Err("AccessDenied".to_owned());
    let settings = PublicAccessBlockConfiguration::builder;

    put_block(&s3, settings().block_public_acls(true).build()).await;
    assert_eq!(block(&s3).await, Ok([true, false, false, false]));
    assert_eq!(put_public(&s3).await, denied);
    assert_eq!(put_policy(&s3).await, Ok(()));

    put_block(&s3, settings().block_public_policy(true).build()).await;
    assert_eq!(put_public(&s3).await, Ok(()));
    assert_eq!(put_policy(&s3).await, denied);

    // The policy from before still stands.
    let alt = world.s3_as(&world.alt);
    let get = || alt.get_object().bucket("demo").key("k").send();
    assert!(get().await.is_ok());
    put_block(&s3, settings().restrict_public_buckets(true).build()).await;
    assert_eq!(get().await.map(drop).map_err(code), denied);
    assert!(s3.get_object().bucket("demo").key("k").send().await.is_ok());
}

#[tokio::test]
async fn a_bucket_that_is_created_with_a_public_list_is_refused_where_new_buckets_block_it() {
    for new_buckets in [true, false] {
        let world = world(new_buckets).await;
        let create = world.s3().create_bucket().bucket("open");
        let create = create.acl(aws_sdk_s3::types::BucketCannedAcl::PublicRead);
        assert_eq!(create.send().await.is_err(), new_buckets);
    }
}
