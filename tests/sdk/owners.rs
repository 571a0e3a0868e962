//! Buckets of several accounts, as the AWS SDK sees them.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::operation::list_buckets::ListBucketsOutput;
use aws_sdk_s3::primitives::ByteStream;
use http::Method;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::world::World;

/// The error code of a refusal; `ok` for a success.
fn code<T, E: ProvideErrorMetadata>(outcome: Result<T, E>) -> String {
    outcome.map_or_else(
        |error| error.code().unwrap_or("no document").to_owned(),
        |_| "ok".to_owned(),
    )
}

async fn create(s3: &Client, bucket: &str) -> String {
    code(s3.create_bucket().bucket(bucket).send().await)
}

async fn put(s3: &Client, bucket: &str) -> String {
    let put = s3.put_object().bucket(bucket).key("k");
    code(put.body(ByteStream::from_static(b"body")).send().await)
}

async fn get(s3: &Client, bucket: &str) -> String {
    code(s3.get_object().bucket(bucket).key("k").send().await)
}

async fn buckets(s3: &Client) -> Vec<String> {
    let listed = s3.list_buckets().send().await.unwrap();
    let names = listed.buckets().iter().filter_map(|bucket| bucket.name());
    names.map(str::to_owned).collect()
}

/// Main's and alt's clients, each with a bucket and an object in it.
async fn two(world: &World) -> (Client, Client) {
    let (main, alt) = (world.s3(), world.s3_as(&world.alt));
    for (s3, bucket) in [(&main, "mains"), (&alt, "alts")] {
        assert_eq!(create(s3, bucket).await, "ok");
        assert_eq!(put(s3, bucket).await, "ok");
    }
    (main, alt)
}

#[tokio::test]
async fn a_bucket_belongs_to_the_account_that_created_it() {
    let world = World::start().await;
    let (main, alt) = two(&world).await;
    assert_eq!(buckets(&main).await, ["mains"]);
    assert_eq!(buckets(&alt).await, ["alts"]);
    for (other_account, owner, bucket) in [(&alt, &main, "mains"), (&main, &alt, "alts")] {
        assert_eq!(create(other_account, bucket).await, "BucketAlreadyExists");
        assert_eq!(create(owner, bucket).await, "ok");
        world.backend.forget();
        assert_eq!(put(other_account, bucket).await, "AccessDenied");
        assert_eq!(get(other_account, bucket).await, "AccessDenied");
        let list = other_account.list_objects_v2().bucket(bucket).send().await;
        assert_eq!(code(list), "AccessDenied");
        let copy = other_account.copy_object().bucket("mains").key("copy");
        let copy = copy.copy_source(format!("{bucket}/k")).send().await;
        assert_eq!(code(copy), "AccessDenied");
        let delete = other_account.delete_bucket().bucket(bucket).send().await;
        assert_eq!(code(delete), "AccessDenied");
        // No more than whether the bucket is there was asked.
        let seen = world.backend.requests_in(bucket);
        assert!(seen.iter().all(|request| request.method == Method::HEAD));
        assert!(seen.iter().all(|request| !request.path.ends_with("/k")));
        assert_eq!(get(owner, bucket).await, "ok");
    }
    let nowhere = alt.list_objects_v2().bucket("nowhere").send().await;
    assert_eq!(code(nowhere), "NoSuchBucket");
}

#[tokio::test]
async fn a_page_of_buckets_has_no_gaps_where_other_accounts_have_theirs() {
    let world = World::start().await;
    let (main, alt) = (world.s3(), world.s3_as(&world.alt));
    for (s3, buckets) in [
        (&alt, ["a-alt", "c-alt", "e-alt"]),
        (&main, ["b-main", "d-main", "f-main"]),
    ] {
        for bucket in buckets {
            assert_eq!(create(s3, bucket).await, "ok");
        }
    }
    let names = |listed: &ListBucketsOutput| -> Vec<String> {
        let names = listed.buckets().iter().filter_map(|bucket| bucket.name());
        names.map(str::to_owned).collect()
    };
    let mut token = None;
    for (page, is_last) in [
        (["b-main", "d-main"].as_slice(), false),
        (&["f-main"], true),
    ] {
        let list = main.list_buckets().max_buckets(2);
        let listed = list.set_continuation_token(token).send().await.unwrap();
        assert_eq!(names(&listed), page);
        token = listed.continuation_token().map(str::to_owned);
        assert_eq!(token.is_none(), is_last);
    }
    // A page that holds the last of them is the last.
    let listed = main.list_buckets().max_buckets(3).send().await.unwrap();
    assert_eq!(
        (listed.buckets().len(), listed.continuation_token()),
        (3, None)
    );
    let listed = main.list_buckets().prefix("d-").send().await.unwrap();
    assert_eq!(
        (names(&listed), listed.prefix()),
        (vec!["d-main".to_owned()], Some("d-"))
    );
    let elsewhere = main.list_buckets().bucket_region("eu-south-2").send().await;
    assert!(elsewhere.unwrap().buckets().is_empty());
    for refused in [
        main.list_buckets().max_buckets(0),
        main.list_buckets().max_buckets(10_001),
        main.list_buckets().continuation_token("!"),
    ] {
        assert_eq!(code(refused.send().await), "InvalidArgument");
    }
}

#[tokio::test]
async fn another_account_may_do_what_the_owners_policy_allows() {
    let world = World::start().await;
    let (main, alt) = two(&world).await;
    let policy = format!(
        r#"{{"Statement": [{{"Effect": "Allow", "Principal": {{"AWS": "{ALT_ACCOUNT}"}},
        "Action": "s3:GetObject", "Resource": "arn:aws:s3:::mains/*"}}]}}"#
    );
    let request = main.put_bucket_policy().bucket("mains").policy(policy);
    request.send().await.unwrap();
    assert_eq!(get(&alt, "mains").await, "ok");
    assert_eq!(put(&alt, "mains").await, "AccessDenied");
    let copy = alt.copy_object().bucket("alts").key("copy");
    assert_eq!(code(copy.copy_source("mains/k").send().await), "ok");
    // Not even its root user may mend a policy that is not its own.
    let mend = alt.delete_bucket_policy().bucket("mains").send().await;
    assert_eq!(code(mend), "AccessDenied");
    assert_eq!(buckets(&alt).await, ["alts"]);
}

#[tokio::test]
async fn a_request_that_expects_another_owner_of_a_bucket_is_refused() {
    let world = World::start().await;
    let (main, _) = two(&world).await;
    for (expected, outcome) in [(MAIN_ACCOUNT, "ok"), (ALT_ACCOUNT, "AccessDenied")] {
        let get = main.get_object().bucket("mains").key("k");
        let get = get.expected_bucket_owner(expected).send().await;
        assert_eq!(code(get), outcome);
        let copy = main.copy_object().bucket("mains").key("copy");
        let copy = copy.copy_source("mains/k");
        let copy = copy.expected_source_bucket_owner(expected).send().await;
        assert_eq!(code(copy), outcome);
    }
}

#[tokio::test]
async fn a_bucket_without_a_record_belongs_to_nobody_until_an_operator_adopts_it() {
    let world = World::start().await;
    world.backend.create_bucket("before");
    let (main, alt) = (world.s3(), world.s3_as(&world.alt));
    for s3 in [&main, &alt] {
        assert_eq!(put(s3, "before").await, "AccessDenied");
        assert_eq!(create(s3, "before").await, "BucketAlreadyExists");
        assert!(buckets(s3).await.is_empty());
    }
    world.adopt("before").await;
    assert_eq!(put(&main, "before").await, "ok");
    assert_eq!(get(&alt, "before").await, "AccessDenied");
    assert_eq!(buckets(&main).await, ["before"]);
    // Its name is free again once it is deleted.
    let delete = main.delete_object().bucket("before").key("k").send().await;
    assert_eq!(code(delete), "ok");
    let delete = main.delete_bucket().bucket("before").send().await;
    assert_eq!(code(delete), "ok");
    assert_eq!(create(&alt, "before").await, "ok");
    assert_eq!(put(&alt, "before").await, "ok");
    assert_eq!(put(&main, "before").await, "AccessDenied");
    // So it is through every gateway.
    let another = world.another_gateway().await;
    let endpoint = format!("http://{}", another.s3_addr.unwrap());
    let main = tests::clients::s3(&endpoint, &world.main, None);
    assert_eq!(get(&main, "before").await, "AccessDenied");
}

#[tokio::test]
async fn whose_a_bucket_is_costs_an_object_no_request() {
    let world = World::start().await;
    let (_, alt) = two(&world).await;
    world.backend.forget();
    assert_eq!(get(&alt, "alts").await, "ok");
    let seen = world.backend.requests();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn an_owner_that_cannot_be_read_stops_the_request() {
    let world = World::start().await;
    two(&world).await;
    let another = world.another_gateway().await;
    let endpoint = format!("http://{}", another.s3_addr.unwrap());
    let alt = tests::clients::s3(&endpoint, &world.alt, None);
    let refuse = tests::backend::Action::Refuse(500, "InternalError");
    let fault = tests::backend::Fault::on_path(Method::GET, "/alts/record", refuse);
    world.backend.inject(fault);
    assert_eq!(get(&alt, "alts").await, "ServiceUnavailable");
    world.backend.heal();
    assert_eq!(get(&alt, "alts").await, "ok");
}
