//! What clients send to S3 Control, read.

use std::collections::BTreeMap;

use crate::bucket::document::public_access;
use crate::bucket::document::public_access::PublicAccessBlock;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;

/// A `CreateAccessPointRequest`.
#[derive(Debug)]
pub struct CreationRequest {
    /// The bucket.
    pub bucket: String,
    /// The account that the bucket belongs to; the caller's if absent.
    pub bucket_account: Option<String>,
    /// The VPC that requests must come from.
    pub vpc: Option<String>,
    /// What is blocked of public access: everything where the request names nothing, and what it leaves out
    /// is not where it names something (recorded from AWS).
    pub public_access_block: PublicAccessBlock,
    /// The tags.
    pub tags: BTreeMap<String, String>,
}

impl CreationRequest {
    /// Reads one.
    ///
    /// # Errors
    ///
    /// `MalformedXML`; `InvalidTag`; `NotImplemented` for a scope, which only directory buckets have.
    pub fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let root = read(document, "CreateAccessPointRequest")?;
        for child in root.children() {
            if !CHILDREN.contains(&child.name()) || root.all(child.name()).count() > 1 {
                return Err(S3Code::MalformedXml.into());
            }
        }
        if root.child("Scope").is_some() {
            return Err(S3Error::not_implemented(SCOPE));
        }
        let text = |name| {
            root.text_of(name)
                .map(str::trim)
                .filter(|it| !it.is_empty())
        };
        let bucket = text("Bucket").ok_or(S3Code::MalformedXml)?;
        let vpc = match root.child("VpcConfiguration") {
            Some(vpc) => {
                let id = vpc.text_of("VpcId").map(str::trim);
                let id = id.filter(|id| !id.is_empty()).ok_or(S3Code::MalformedXml)?;
                Some(id.to_owned())
            }
            None => None,
        };
        let block = root.child(public_access::ROOT);
        let block = block.map(PublicAccessBlock::from_element).transpose()?;
        let tags = root.child("Tags").map(tags).transpose()?;
        Ok(Self {
            bucket: bucket.to_owned(),
            bucket_account: text("BucketAccountId").map(str::to_owned),
            vpc,
            public_access_block: block.unwrap_or(PublicAccessBlock::ALL),
            tags: tags.unwrap_or_default(),
        })
    }
}

/// The text of the policy in a `PutAccessPointPolicyRequest`.
pub(super) fn policy(document: &[u8]) -> Result<String, S3Error> {
    let root = read(document, "PutAccessPointPolicyRequest")?;
    let mut policies = root.all("Policy");
    match (policies.next(), policies.next()) {
        (Some(policy), None) => Ok(policy.text().to_owned()),
        _ => Err(S3Code::MalformedXml.into()),
    }
}

/// The tags of a `TagResourceRequest`.
pub(super) fn new_tags(document: &[u8]) -> Result<BTreeMap<String, String>, S3Error> {
    let root = read(document, "TagResourceRequest")?;
    tags(root.child("Tags").ok_or(S3Code::MalformedXml)?)
}

/// The block of an account.
///
/// # Errors
///
/// `MalformedXML`; `InvalidRequest` for one without any setting.
pub fn account_block(document: &[u8]) -> Result<PublicAccessBlock, S3Error> {
    PublicAccessBlock::requested(&read(document, public_access::ROOT)?)
}

fn tags(element: &Element) -> Result<BTreeMap<String, String>, S3Error> {
    let mut tags = BTreeMap::new();
    for tag in element.all("Tag") {
        let key = tag.text_of("Key").unwrap_or_default();
        let value = tag.text_of("Value").unwrap_or_default();
        let is_sound = (1..=128).contains(&key.chars().count())
            && value.chars().count() <= 256
            && !key.to_ascii_lowercase().starts_with("aws:");
        if !is_sound || tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(S3Error::new(S3Code::InvalidTag).detail("TagKey", key));
        }
    }
    check_number(&tags)?;
    Ok(tags)
}

/// Refuses more tags than a resource can have.
pub(super) fn check_number(tags: &BTreeMap<String, String>) -> Result<(), S3Error> {
    match tags.len() > TAGS_MAX {
        true => Err(S3Error::with_message(
            S3Code::BadRequest,
            "Object tags cannot be greater than 50",
        )),
        false => Ok(()),
    }
}

fn read(document: &[u8], root: &str) -> Result<Element, S3Error> {
    let element = document::parse(document)?;
    match element.is_named(root) {
        true => Ok(element),
        false => Err(S3Code::MalformedXml.into()),
    }
}

/// The elements of a `CreateAccessPointRequest`.
const CHILDREN: [&str; 6] = [
    "Bucket",
    "BucketAccountId",
    "PublicAccessBlockConfiguration",
    "Scope",
    "Tags",
    "VpcConfiguration",
];

/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_TagResource.html>
const TAGS_MAX: usize = 50;

const SCOPE: &str =
    "A scope belongs to the access points of directory buckets, which this gateway does not have.";

#[cfg(test)]
mod tests {
    use super::*;

    fn block(settings: &str) -> PublicAccessBlock {
        let document = format!(
            "<CreateAccessPointRequest xmlns='http://awss3control.amazonaws.com/doc/2018-08-20/'>\
             <Bucket>b</Bucket>{settings}</CreateAccessPointRequest>"
        );
        let request = CreationRequest::parse(document.as_bytes()).unwrap();
        request.public_access_block
    }

    #[test]
    fn a_block_that_is_left_out_blocks_everything_and_a_partial_one_what_it_names() {
        assert_eq!(block(""), PublicAccessBlock::ALL);
        let empty = "<PublicAccessBlockConfiguration/>";
        assert_eq!(block(empty), PublicAccessBlock::default());
        let partial = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
                       </PublicAccessBlockConfiguration>";
        let expected = PublicAccessBlock {
            block_public_acls: true,
            ..PublicAccessBlock::default()
        };
        assert_eq!(block(partial), expected);
    }

    #[test]
    fn what_is_no_creation_is_refused() {
        for inner in [
            "",
            "<Bucket/>",
            "<Bucket>b</Bucket><Bucket>c</Bucket>",
            "<Bucket>b</Bucket><Policy/>",
            "<Bucket>b</Bucket><VpcConfiguration/>",
        ] {
            let document = format!("<CreateAccessPointRequest>{inner}</CreateAccessPointRequest>");
            let error = CreationRequest::parse(document.as_bytes()).unwrap_err();
            assert_eq!(error.code(), S3Code::MalformedXml, "{inner}");
        }
    }
}
