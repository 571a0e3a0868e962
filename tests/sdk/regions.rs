//! aws-sdk-s3 on buckets of other Regions than the gateway's.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketLocationConstraint;
use aws_sdk_s3::types::CreateBucketConfiguration;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_s3::types::Tag;
use tests::world::World;

async fn create(
    s3: &aws_sdk_s3::Client,
    bucket: &str,
    location: &str,
) -> Result<(), Option<String>> {
    let location = BucketLocationConstraint::from(location);
    let configuration = CreateBucketConfiguration::builder().location_constraint(location);
    let create = s3.create_bucket().bucket(bucket);
    let create = create.create_bucket_configuration(configuration.build());
    let created = create.send().await;
    created.map_err(|error| error.code().map(str::to_owned))?;
    Ok(())
}

#[tokio::test]
async fn a_bucket_is_created_in_another_region_and_used_by_requests_signed_for_either() {
    let world = World::start().await;
    let (here, there) = (
        world.s3(),
        world.s3_as(&world.main.in_region("eu-central-1")),
    );
    create(&here, "from-here", "eu-central-1").await.unwrap();
    create(&there, "from-there", "eu-central-1").await.unwrap();
    world.create_bucket("own").await;
    for s3 in [&here, &there] {
        for (bucket, region) in [
            ("from-here", "eu-central-1"),
            ("from-there", "eu-central-1"),
            ("own", "us-east-1"),
        ] {
            let head = s3.head_bucket().bucket(bucket).send().await.unwrap();
            assert_eq!(head.bucket_region(), Some(region), "{bucket}");
            let put = s3.put_object().bucket(bucket).key("k");
            let put = put.server_side_encryption(ServerSideEncryption::AwsKms);
            let put = put
                .body(ByteStream::from_static(b"v"))
                .send()
                .await
                .unwrap();
            let key = put.ssekms_key_id().unwrap();
            assert!(key.starts_with("arn:aws:kms:us-east-1:"), "{key}");
        }
        let located = s3.get_bucket_location().bucket("from-here");
        let located = located.send().await.unwrap();
        let location = located.location_constraint().unwrap();
        assert_eq!(location.as_str(), "eu-central-1");
        let listed = s3.list_buckets().bucket_region("eu-central-1");
        let listed = listed.send().await.unwrap();
        let names: Vec<_> = listed.buckets().iter().filter_map(|it| it.name()).collect();
        assert_eq!(names, ["from-here", "from-there"]);
    }
}

#[tokio::test]
async fn a_bucket_is_created_with_its_tags_or_not_at_all() {
    let world = World::start().await;
    let s3 = world.s3();
    let create = |bucket: &str, key: &str| {
        let tag = Tag::builder().key(key).value("a").build().unwrap();
        let configuration = CreateBucketConfiguration::builder().tags(tag).build();
        let create = s3.create_bucket().bucket(bucket);
        create.create_bucket_configuration(configuration).send()
    };
    create("tagged", "team").await.unwrap();
    let sent = world.backend.requests_in("tagged");
    let sent = sent.iter().find(|seen| seen.query == "tagging=").unwrap();
    let document = String::from_utf8_lossy(&sent.body);
    assert!(
        document.contains("<Key>team</Key><Value>a</Value>"),
        "{document}"
    );
    let refused = create("refused", "aws:team").await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidTag"));
    assert!(s3.head_bucket().bucket("refused").send().await.is_err());
    let again = create("tagged", "team").await.unwrap_err();
    assert_eq!(again.code(), Some("BucketAlreadyOwnedByYou"));
}

#[tokio::test]
async fn a_location_that_the_endpoint_of_a_region_does_not_have_is_refused_as_at_aws() {
    let world = World::start().await;
    let (here, there) = (
        world.s3(),
        world.s3_as(&world.main.in_region("eu-central-1")),
    );
    for (s3, location, code) in [
        (&here, "us-east-1", "InvalidLocationConstraint"),
        (&here, "mars-north-1", "InvalidLocationConstraint"),
        (&there, "us-east-1", "IllegalLocationConstraintException"),
        (&there, "eu-west-1", "IllegalLocationConstraintException"),
    ] {
        let refused = create(s3, "refused", location).await;
        assert_eq!(refused, Err(Some(code.to_owned())), "{location}");
    }
    let unspecified = there.create_bucket().bucket("refused").send().await;
    let code = "IllegalLocationConstraintException";
    assert_eq!(unspecified.unwrap_err().code(), Some(code));
    create(&here, "twice", "eu-west-1").await.unwrap();
    let again = create(&here, "twice", "eu-west-1").await;
    assert_eq!(again, Err(Some("BucketAlreadyOwnedByYou".to_owned())));
    let unknown = world.s3_as(&world.main.in_region("mars-north-1"));
    let refused = unknown.list_buckets().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AuthorizationHeaderMalformed"));
}
