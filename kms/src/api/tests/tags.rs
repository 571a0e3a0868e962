//! Tags.

use serde_json::Value;
use serde_json::json;

use crate::api::tests::World;

fn tag(name: &str, value: &str) -> Value {
    json!({"TagKey": name, "TagValue": value})
}

#[test]
fn tags_are_added_changed_and_taken_away() {
    let world = World::new();
    let made = world.ok("CreateKey", json!({"Tags": [tag("a", "1"), tag("b", "2")]}));
    let id = &made["KeyMetadata"]["KeyId"];
    let tags = || world.ok("ListResourceTags", json!({"KeyId": id}))["Tags"].clone();
    assert_eq!(tags(), json!([tag("a", "1"), tag("b", "2")]));
    world.ok(
        "TagResource",
        json!({"KeyId": id, "Tags": [tag("b", "3"), tag("c", "")]}),
    );
    assert_eq!(tags(), json!([tag("a", "1"), tag("b", "3"), tag("c", "")]));
    world.ok(
        "UntagResource",
        json!({"KeyId": id, "TagKeys": ["a", "none"]}),
    );
    assert_eq!(tags(), json!([tag("b", "3"), tag("c", "")]));
}

#[test]
fn tags_that_aws_refuses_are_refused_in_its_words() {
    let world = World::new();
    let (id, _) = world.key();
    let put = |tags: Value| world.refusal("TagResource", json!({"KeyId": id, "Tags": tags}));
    let many: Vec<Value> = (0..51).map(|n| tag(&n.to_string(), "")).collect();
    assert_eq!(put(json!(many)), "TagException: Too many tags");
    assert_eq!(
        put(json!([tag("a", "1"), tag("a", "2")])),
        "TagException: Duplicate tag keys"
    );
    assert_eq!(
        put(json!([tag("aws:a", "1")])),
        "TagException: Tags beginning with aws: are reserved"
    );
    let made = world.refusal("CreateKey", json!({"Tags": [tag("a", "1"), tag("a", "2")]}));
    assert_eq!(made, "TagException: Duplicate tag keys");
}

#[test]
fn tags_are_listed_in_pages() {
    let world = World::new();
    let (id, _) = world.key();
    let tags: Vec<Value> = (10..40).map(|n| tag(&n.to_string(), "")).collect();
    world.ok("TagResource", json!({"KeyId": id, "Tags": tags}));
    let first = world.ok("ListResourceTags", json!({"KeyId": id, "Limit": 20}));
    assert_eq!(first["Truncated"], true);
    let marker = &first["NextMarker"];
    let second = world.ok(
        "ListResourceTags",
        json!({"KeyId": id, "Limit": 20, "Marker": marker}),
    );
    assert_eq!(second["Tags"], json!(tags[20..]));
}
