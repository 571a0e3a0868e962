//! Answers of S3 Control.

use std::collections::BTreeMap;

use proto::arn;

use crate::access_point::listing::Page;
use crate::access_point::record::AccessPoint;
use crate::bucket::document::policy::BucketPolicy;
use crate::bucket::document::public_access;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::protocol::xml::Element;

/// The answer of CreateAccessPoint.
#[must_use]
pub fn created(access_point: &AccessPoint) -> Element {
    root("CreateAccessPointResult")
        .field("AccessPointArn", access_point.arn())
        .field("Alias", &access_point.alias)
}

/// The answer of GetAccessPoint. The bucket belongs to `owner`.
#[must_use]
pub fn access_point(access_point: &AccessPoint, owner: &str) -> Element {
    let region = access_point.region.as_str();
    let domain = match arn::partition(region) {
        "aws-cn" => "amazonaws.com.cn",
        _ => "amazonaws.com",
    };
    let endpoint = |(kind, host): (&'static str, &str)| {
        Element::new("entry")
            .field("key", kind)
            .field("value", format!("s3-accesspoint{host}.{region}.{domain}"))
    };
    let block = Element::new(public_access::ROOT);
    let described = root("GetAccessPointResult")
        .field("Name", &access_point.name)
        .field("Bucket", &access_point.bucket)
        .with_all(origin(access_point))
        .with(access_point.public_access_block.write(block))
        .field("CreationDate", &access_point.created)
        .field("Alias", &access_point.alias)
        .field("AccessPointArn", access_point.arn())
        .with(Element::new("Endpoints").with_all(ENDPOINTS.map(endpoint)));
    described.field("BucketAccountId", owner)
}

/// The answer of ListAccessPoints. The buckets belong to `owners`, in the same order.
#[must_use]
pub fn page(page: &Page, owners: &[String]) -> Element {
    let entries = page.access_points.iter().zip(owners).map(|(it, owner)| {
        Element::new("AccessPoint")
            .field("Name", &it.name)
            .with_all(origin(it))
            .field("Bucket", &it.bucket)
            .field("AccessPointArn", it.arn())
            .field("Alias", &it.alias)
            .field("BucketAccountId", owner)
    });
    let list = Element::new("AccessPointList").with_all(entries);
    let next = page.next_token.as_ref();
    root("ListAccessPointsResult")
        .with(list)
        .with_all(next.map(|token| Element::with_text("NextToken", token)))
}

/// The answer of GetAccessPointPolicy.
#[must_use]
pub fn policy(policy: &BucketPolicy) -> Element {
    root("GetAccessPointPolicyResult").field("Policy", policy.text())
}

/// The answer of GetAccessPointPolicyStatus.
#[must_use]
pub fn policy_status(is_public: bool) -> Element {
    let status = Element::new("PolicyStatus").field("IsPublic", is_public.to_string());
    root("GetAccessPointPolicyStatusResult").with(status)
}

/// The answer of GetPublicAccessBlock about an account.
#[must_use]
pub fn account_block(block: PublicAccessBlock) -> Element {
    block.write(root(public_access::ROOT))
}

/// The answer of ListTagsForResource.
#[must_use]
pub fn tags(tags: &BTreeMap<String, String>) -> Element {
    let tags = tags
        .iter()
        .map(|(key, value)| Element::new("Tag").field("Key", key).field("Value", value));
    root("ListTagsForResourceResult").with(Element::new("Tags").with_all(tags))
}

/// Where requests come from.
fn origin(access_point: &AccessPoint) -> Vec<Element> {
    let mut elements = vec![Element::with_text(
        "NetworkOrigin",
        access_point.network_origin(),
    )];
    if let Some(id) = &access_point.vpc {
        elements.push(Element::new("VpcConfiguration").field("VpcId", id));
    }
    elements
}

/// The root of an answer of S3 Control.
#[must_use]
pub fn root(name: &'static str) -> Element {
    Element::new(name).with_attribute("xmlns", NAMESPACE)
}

/// The kinds of endpoints, and what their host names have behind `s3-accesspoint`.
const ENDPOINTS: [(&str, &str); 4] = [
    ("dualstack", ".dualstack"),
    ("fips", "-fips"),
    ("fips_dualstack", "-fips.dualstack"),
    ("ipv4", ""),
];

/// The namespace of S3 Control's documents.
const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";
