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
