//! Pages of objects.

use aws_sdk_s3::types::EncodingType;

use crate::Fixture;
use crate::fixture::BUCKET;

#[tokio::test]
async fn a_page_has_a_thousand_names_at_most_and_the_next_goes_on() {
    let fixture = Fixture::start().await;
    let puts = (0..1_003).map(|number| {
        let put = fixture.s3.put_object().bucket(BUCKET);
        let put = put
            .key(format!("key{number:05}"))
            .body(b"x".to_vec().into());
        put.send()
    });
    for put in futures_util::future::join_all(puts).await {
        put.unwrap();
    }
    let list = fixture.s3.list_objects_v2().bucket(BUCKET).max_keys(5_000);
    let page = list.send().await.unwrap();
    assert_eq!(
        (page.contents().len(), page.is_truncated()),
        (1_000, Some(true))
    );
    let list = fixture.s3.list_objects_v2().bucket(BUCKET);
    let list = list.set_continuation_token(page.next_continuation_token);
    let rest = list.send().await.unwrap();
    let names: Vec<&str> = rest.contents().iter().filter_map(|it| it.key()).collect();
    assert_eq!(names, ["key01000", "key01001", "key01002"]);
}

#[tokio::test]
async fn names_are_rolled_up_and_owners_are_shown_when_asked_for() {
    let fixture = Fixture::start().await;
    for key in ["a b/1", "a b/2", "a", "é--x", "é--y"] {
        fixture.put(key, b"x").await;
    }
    let list = fixture.s3.list_objects_v2().bucket(BUCKET).delimiter("/");
    let list = list.fetch_owner(true).encoding_type(EncodingType::Url);
    let page = list.send().await.unwrap();
    let prefixes: Vec<&str> = page
        .common_prefixes()
        .iter()
        .filter_map(|it| it.prefix())
        .collect();
    assert_eq!(prefixes, ["a%20b/"]);
    assert!(page.contents().iter().all(|it| it.owner().is_some()));
    let list = fixture.s3.list_objects_v2().bucket(BUCKET).delimiter("--");
    let page = list.send().await.unwrap();
    let prefixes: Vec<&str> = page
        .common_prefixes()
        .iter()
        .filter_map(|it| it.prefix())
        .collect();
    assert_eq!(prefixes, ["é--"]);
}

#[tokio::test]
async fn a_carriage_return_in_a_key_comes_back_in_each_listing() {
    let fixture = Fixture::start().await;
    let key = "a\r\n\tb/\rc";
    fixture.put(key, b"x").await;
    let s3 = &fixture.s3;
    let list = s3.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!(list.contents()[0].key(), Some(key));
    let list = s3.list_object_versions().bucket(BUCKET);
    let list = list.prefix("a\r\n").send().await.unwrap();
    assert_eq!(list.prefix(), Some("a\r\n"));
    assert_eq!(list.versions()[0].key(), Some(key));
    let list = s3.list_object_versions().bucket(BUCKET).delimiter("/");
    let list = list.send().await.unwrap();
    assert_eq!(list.common_prefixes()[0].prefix(), Some("a\r\n\tb/"));
    s3.create_multipart_upload()
        .bucket(BUCKET)
        .key(key)
        .send()
        .await
        .unwrap();
    let list = s3.list_multipart_uploads().bucket(BUCKET);
    assert_eq!(list.send().await.unwrap().uploads()[0].key(), Some(key));
}
