//! Listings as the gateway of the same process takes them.

use gateway::protocol::xml::Element;
use gateway::protocol::xml::Limits;

use crate::embedded::tests::api::Api;

/// A document with its elements in one order, and without what is about sealed bytes.
fn sorted(mut root: Element) -> Element {
    let children = std::mem::take(root.children_mut());
    let mut children: Vec<Element> = children.into_iter().map(sorted).collect();
    children.retain(|child| !child.name().starts_with("Checksum"));
    // In this order by their names and texts; those of one name stay as they were listed.
    children.sort_by_key(|child| child.name().to_owned());
    root.with_all(children)
}

#[tokio::test]
async fn entries_beside_a_listing_are_those_that_would_stand_in_it() {
    let api = Api::start().await;
    for (key, headers) in [
        ("a%20b", &[][..]),
        ("a/1", &[("x-amz-storage-class", "STANDARD_IA")][..]),
        ("a/2", &[("x-amz-checksum-crc32", "AAAAAA==")][..]),
        ("c%3Cd%3E%26", &[][..]),
    ] {
        let put = api.put(&format!("/bucket/{key}"), headers, "").await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    for query in [
        "",
        "encoding-type=url",
        "delimiter=/",
        "list-type=2",
        "list-type=2&fetch-owner=true&encoding-type=url",
        "list-type=2&max-keys=2",
        "list-type=2&prefix=nothing",
    ] {
        let uri = format!("/bucket?{query}");
        let parse = |body: &str| Element::parse(body.as_bytes(), Limits::ANSWER).unwrap();
        let whole = parse(&api.get(&uri).await.body);
        let (answer, entries) = api.list(&uri).await;
        assert!(!answer.body.contains("<Contents>"), "{}", answer.body);
        let beside = parse(&answer.body).with_all(entries);
        assert_eq!(sorted(beside), sorted(whole), "{query}");
    }
    // Versions stay in their document.
    let (answer, entries) = api.list("/bucket?versions").await;
    assert!(answer.body.contains("<Version>") && entries.is_empty());
}

#[tokio::test]
async fn a_key_with_a_carriage_return_is_listed_as_it_is() {
    let api = Api::start().await;
    assert_eq!(api.put("/bucket/a%0D%0Ab", &[], "").await.status, 200);
    let (_, entries) = api.list("/bucket").await;
    let keys: Vec<_> = entries.iter().map(|it| it.text_of("Key")).collect();
    assert_eq!(keys, [Some("a\r\nb")]);
}

#[tokio::test]
async fn a_number_without_a_value_is_as_good_as_none() {
    let api = Api::start().await;
    assert_eq!(api.put("/bucket/k", &[], "").await.status, 200);
    for query in [
        "max-keys=",
        "list-type=2&max-keys=",
        "list-type=2&fetch-owner=maybe",
        "versions&max-keys=",
    ] {
        let answer = api.get(&format!("/bucket?{query}")).await;
        answer.has(200, "<Key>k</Key>");
    }
    let uploads = api.get("/bucket?uploads&max-uploads=").await;
    uploads.has(200, "<MaxUploads>1000</MaxUploads>");
}

#[tokio::test]
async fn the_marker_of_an_upload_that_never_was_is_an_invalid_argument() {
    let api = Api::start().await;
    let unknown = "0".repeat(32);
    for (marker, status) in [("wrong", 400), ("", 200), (unknown.as_str(), 200)] {
        let uri = format!("/bucket?uploads&key-marker=k&upload-id-marker={marker}");
        let answer = api.get(&uri).await;
        assert_eq!(answer.status, status, "{marker}: {}", answer.body);
        if status == 400 {
            answer.has(400, "Invalid uploadId marker");
        }
    }
    let elsewhere = "/missing?uploads&key-marker=k&upload-id-marker=wrong";
    api.get(elsewhere).await.has(404, "NoSuchBucket");
}

#[tokio::test]
async fn versions_behind_a_null_version_that_was_deleted_between_pages_are_listed() {
    let api = Api::start().await;
    let versioning = |status: &str| {
        format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>")
    };
    for (status, body) in [("Enabled", "1"), ("Suspended", "22"), ("Enabled", "333")] {
        let put = api
            .put("/bucket?versioning", &[], &versioning(status))
            .await;
        assert_eq!(put.status, 200, "{}", put.body);
        assert_eq!(api.put("/bucket/k", &[], body).await.status, 200);
    }
    let page = api.get("/bucket?versions&max-keys=2").await;
    page.has(200, "<NextVersionIdMarker>null</NextVersionIdMarker>");
    let next = "/bucket?versions&key-marker=k&version-id-marker=null";
    let rest = api.get(next).await;
    rest.has(200, "<Size>1</Size>");
    assert!(!rest.body.contains("<Size>3</Size>"), "{}", rest.body);
    assert_eq!(api.delete("/bucket/k?versionId=null").await.status, 204);
    api.get(next).await.has(200, "<Size>1</Size>");
}
