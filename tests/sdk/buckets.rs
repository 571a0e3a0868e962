//! aws-sdk-s3 on buckets, listings and deletions: what passes through, and what the gateway does.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::BucketVersioningStatus;
use aws_sdk_s3::types::CorsConfiguration;
use aws_sdk_s3::types::CorsRule;
use aws_sdk_s3::types::Delete;
use aws_sdk_s3::types::IndexDocument;
use aws_sdk_s3::types::ObjectIdentifier;
use aws_sdk_s3::types::ServerSideEncryption;
use aws_sdk_s3::types::ServerSideEncryptionByDefault;
use aws_sdk_s3::types::ServerSideEncryptionConfiguration;
use aws_sdk_s3::types::ServerSideEncryptionRule;
use aws_sdk_s3::types::Tag;
use aws_sdk_s3::types::Tagging;
use aws_sdk_s3::types::VersioningConfiguration;
use aws_sdk_s3::types::WebsiteConfiguration;
use tests::world::World;

async fn put(world: &World, key: &str, body: &[u8]) -> String {
    let body = ByteStream::from(body.to_vec());
    let put = world
        .s3()
        .put_object()
        .bucket("demo")
        .key(key)
        .body(body)
        .send()
        .await;
    put.unwrap().e_tag().unwrap().to_owned()
}

fn tags() -> Tagging {
    let tag = Tag::builder().key("team").value("a&b").build().unwrap();
    Tagging::builder().tag_set(tag).build().unwrap()
}

#[tokio::test]
async fn tags_versioning_and_website_pass_through_and_come_back() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    s3.put_bucket_tagging()
        .bucket("demo")
        .tagging(tags())
        .send()
        .await
        .unwrap();
    let got = s3.get_bucket_tagging().bucket("demo").send().await.unwrap();
    assert_eq!(got.tag_set(), tags().tag_set());
    s3.delete_bucket_tagging()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    assert!(s3.get_bucket_tagging().bucket("demo").send().await.is_err());

    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    s3.put_bucket_versioning()
        .bucket("demo")
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    let got = s3
        .get_bucket_versioning()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    assert_eq!(got.status(), Some(&BucketVersioningStatus::Enabled));

    let index = IndexDocument::builder()
        .suffix("index.html")
        .build()
        .unwrap();
    let website = WebsiteConfiguration::builder()
        .index_document(index.clone())
        .build();
    s3.put_bucket_website()
        .bucket("demo")
        .website_configuration(website)
        .send()
        .await
        .unwrap();
    let got = s3.get_bucket_website().bucket("demo").send().await.unwrap();
    assert_eq!(got.index_document(), Some(&index));

    put(&world, "k", b"x").await;
    s3.put_object_tagging()
        .bucket("demo")
        .key("k")
        .tagging(tags())
        .send()
        .await
        .unwrap();
    let got = s3
        .get_object_tagging()
        .bucket("demo")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.tag_set(), tags().tag_set());
    s3.get_bucket_acl().bucket("demo").send().await.unwrap();
}

#[allow(clippy::too_many_lines, reason = "one list of cases, read as a table")]
#[tokio::test]
async fn a_default_of_a_bucket_encrypts_what_asks_for_nothing() {
    let world = World::start().await;
    let (s3, arn) = (world.s3(), world.create_key("alias/demo").await);
    world.create_bucket("demo").await;
    let fresh = s3
        .get_bucket_encryption()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    let rules = fresh
        .server_side_encryption_configuration()
        .unwrap()
        .rules();
    let algorithm = rules[0].apply_server_side_encryption_by_default().unwrap();
    assert_eq!(algorithm.sse_algorithm(), &ServerSideEncryption::Aes256);
    assert_eq!(rules[0].bucket_key_enabled(), Some(false));

    let by_default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(ServerSideEncryption::AwsKms)
        .kms_master_key_id("alias/demo")
        .build()
        .unwrap();
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(by_default)
        .bucket_key_enabled(true)
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    s3.put_bucket_encryption()
        .bucket("demo")
        .server_side_encryption_configuration(configuration)
        .send()
        .await
        .unwrap();
    put(&world, "k", b"hello").await;
    let head = s3
        .head_object()
        .bucket("demo")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        head.server_side_encryption(),
        Some(&ServerSideEncryption::AwsKms)
    );
    assert_eq!(head.ssekms_key_id(), Some(arn.as_str()));
    assert_eq!(head.bucket_key_enabled(), Some(true));

    s3.delete_bucket_encryption()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    put(&world, "k", b"hello").await;
    let head = s3
        .head_object()
        .bucket("demo")
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(
        head.server_side_encryption(),
        Some(&ServerSideEncryption::Aes256)
    );
    for request in world.backend.requests() {
        assert!(!request.query.contains("encryption"), "{request:?}");
        assert!(
            request
                .headers
                .keys()
                .all(|name| !name.as_str().contains("encryption"))
        );
    }
}

#[tokio::test]
async fn cross_origin_rules_come_back_as_they_were_put_until_they_are_deleted() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let rule = CorsRule::builder()
        .id("one")
        .allowed_origins("https://*.example.com")
        .allowed_origins("")
        .allowed_methods("PUT")
        .allowed_methods("GET")
        .allowed_headers("x-AMZ-*")
        .expose_headers("ETag")
        .max_age_seconds(3000)
        .build()
        .unwrap();
    let configuration = CorsConfiguration::builder().cors_rules(rule).build();
    let configuration = configuration.unwrap();
    let put = s3.put_bucket_cors().bucket("demo");
    put.cors_configuration(configuration.clone())
        .send()
        .await
        .unwrap();
    let got = s3.get_bucket_cors().bucket("demo").send().await.unwrap();
    assert_eq!(got.cors_rules(), configuration.cors_rules());
    s3.delete_bucket_cors().bucket("demo").send().await.unwrap();
    let gone = s3.get_bucket_cors().bucket("demo").send().await;
    assert_eq!(gone.unwrap_err().code(), Some("NoSuchCORSConfiguration"));
}

#[tokio::test]
async fn objects_are_listed_page_by_page_and_deleted_at_once() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let mut written = Vec::new();
    for number in 0..7 {
        let key = format!("a b/{number}+é");
        let etag = put(&world, &key, &vec![b'x'; 5000 * number]).await;
        written.push((key, i64::try_from(5000 * number).unwrap(), etag));
    }
    let mut pages = s3
        .list_objects_v2()
        .bucket("demo")
        .prefix("a b/")
        .max_keys(3)
        .into_paginator()
        .send();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let (key, etag) = (object.key().unwrap(), object.e_tag().unwrap());
            listed.push((key.to_owned(), object.size().unwrap(), etag.to_owned()));
        }
    }
    assert_eq!(listed, written);

    let objects = written
        .iter()
        .map(|(key, ..)| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder()
        .set_objects(Some(objects.collect()))
        .build()
        .unwrap();
    let deleted = s3
        .delete_objects()
        .bucket("demo")
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (7, 0));
    let empty = s3.list_objects_v2().bucket("demo").send().await.unwrap();
    assert_eq!(empty.key_count(), Some(0));
    s3.delete_bucket().bucket("demo").send().await.unwrap();
}

#[tokio::test]
async fn versions_are_listed_with_the_sizes_and_etags_of_their_own() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let enabled = VersioningConfiguration::builder()
        .status(BucketVersioningStatus::Enabled)
        .build();
    s3.put_bucket_versioning()
        .bucket("demo")
        .versioning_configuration(enabled)
        .send()
        .await
        .unwrap();
    let first = put(&world, "k", b"one").await;
    let second = put(&world, "k", b"second").await;
    s3.delete_object()
        .bucket("demo")
        .key("k")
        .send()
        .await
        .unwrap();
    let listed = s3
        .list_object_versions()
        .bucket("demo")
        .send()
        .await
        .unwrap();
    let mut versions: Vec<_> = listed
        .versions()
        .iter()
        .map(|version| (version.size().unwrap(), version.e_tag().unwrap().to_owned()))
        .collect();
    versions.sort();
    assert_eq!(versions, [(3, first), (6, second)]);
    assert_eq!(listed.delete_markers().len(), 1);
    for version in listed.versions() {
        let head = s3
            .head_object()
            .bucket("demo")
            .key("k")
            .version_id(version.version_id().unwrap())
            .send()
            .await
            .unwrap();
        assert_eq!(head.e_tag(), version.e_tag());
        assert_eq!(head.content_length(), version.size());
    }
}

#[tokio::test]
async fn the_state_bucket_is_there_for_no_client() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    put(&world, "k", b"x").await;
    assert!(
        world
            .backend
            .buckets()
            .contains(&"sealgate-state".to_owned())
    );
    let listed = s3.list_buckets().send().await.unwrap();
    let names: Vec<_> = listed
        .buckets()
        .iter()
        .map(|bucket| bucket.name().unwrap())
        .collect();
    assert_eq!(names, ["demo"]);
    world.backend.forget();
    let refused = s3
        .list_objects_v2()
        .bucket("sealgate-state")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    let refused = s3
        .delete_bucket()
        .bucket("sealgate-state")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    let refused = s3
        .copy_object()
        .bucket("demo")
        .key("stolen")
        .copy_source("sealgate-state/root-keys/1")
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    // Whether the buckets have a policy, and whose they are, is all that was asked.
    let asked = world.backend.requests();
    assert!(asked.iter().all(|seen| seen.path.ends_with("/record")));
}

#[tokio::test]
async fn the_state_buckets_of_other_gateways_are_there_for_no_client() {
    let world = World::start().await;
    let s3 = world.s3();
    world.create_bucket("demo").await;
    let other = "sealgate-ephemeral-0123456789abcdef";
    world.backend.create_bucket(other);
    let listed = s3.list_buckets().send().await.unwrap();
    assert_eq!(listed.buckets().len(), 1);
    world.backend.forget();
    let refused = s3.create_bucket().bucket(other).send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
    let put = s3.put_object().bucket(other).key("identity");
    assert_eq!(put.send().await.unwrap_err().code(), Some("AccessDenied"));
    let copy = s3.copy_object().bucket("demo").key("stolen");
    let copy = copy.copy_source(format!("{other}/identity")).send().await;
    assert_eq!(copy.unwrap_err().code(), Some("AccessDenied"));
    assert!(world.backend.requests_in(other).is_empty());
}
