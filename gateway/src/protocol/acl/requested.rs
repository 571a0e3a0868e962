//! Access control lists as requests name them: by a name ("canned"), by grants in headers, or by a document.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectAcl.html>

use http::HeaderMap;

use super::Acl;
use super::Grant;
use super::Grantee;
use super::Group;
use super::Permission;
use super::document::GRANTS_MAX;
use super::document::malformed;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::headers;

/// What a list is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// A list in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestedAcl {
    /// None is named.
    Absent,
    /// One by its name.
    Canned(Canned),
    /// One of these grants alone.
    Grants(Vec<Grant>),
    /// One with its owner.
    Document(Acl),
}

/// A list that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canned {
    /// Nothing for others.
    Private,
    /// Everyone may read.
    PublicRead,
    /// Everyone may read and write.
    PublicReadWrite,
    /// Everyone who signs may read.
    AuthenticatedRead,
    /// Amazon EC2 may read, which does not exist here: as [`Canned::Private`].
    AwsExecRead,
    /// The owner of the bucket may read.
    BucketOwnerRead,
    /// The owner of the bucket may do everything.
    BucketOwnerFullControl,
    /// The log service may write, and read the list.
    LogDeliveryWrite,
}

impl Canned {
    fn from_name(name: &str, level: Level) -> Option<Self> {
        Some(match name {
            "private" => Self::Private,
            "public-read" => Self::PublicRead,
            "public-read-write" => Self::PublicReadWrite,
            "authenticated-read" => Self::AuthenticatedRead,
            "aws-exec-read" => Self::AwsExecRead,
            "bucket-owner-read" => Self::BucketOwnerRead,
            "bucket-owner-full-control" => Self::BucketOwnerFullControl,
            "log-delivery-write" if level == Level::Bucket => Self::LogDeliveryWrite,
            _ => return None,
        })
    }

    /// The grants beside the owner's.
    fn grants(self, bucket_owner: &str) -> Vec<Grant> {
        let to = |group, permission| Grant::new(Grantee::Group(group), permission);
        let to_bucket_owner =
            |permission| Grant::new(Grantee::User(bucket_owner.to_owned()), permission);
        match self {
            Self::Private | Self::AwsExecRead => Vec::new(),
            Self::PublicRead => vec![to(Group::AllUsers, Permission::Read)],
            Self::PublicReadWrite => vec![
                to(Group::AllUsers, Permission::Read),
                to(Group::AllUsers, Permission::Write),
            ],
            Self::AuthenticatedRead => vec![to(Group::AuthenticatedUsers, Permission::Read)],
            Self::BucketOwnerRead => vec![to_bucket_owner(Permission::Read)],
            Self::BucketOwnerFullControl => vec![to_bucket_owner(Permission::FullControl)],
            Self::LogDeliveryWrite => vec![
                to(Group::LogDelivery, Permission::Write),
                to(Group::LogDelivery, Permission::ReadAcp),
            ],
        }
    }
}

impl RequestedAcl {
    /// Reads the list of a request whose headers and body may name one; `None` for a body that is about something
    /// else.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`, `InvalidRequest`, `UnexpectedContent`, `MalformedACLError`, `MethodNotAllowed`; where a
    /// body may be one, `MissingSecurityHeader` for a request without any list.
    pub fn read(
        request: &HeaderMap,
        document: Option<&[u8]>,
        level: Level,
    ) -> Result<Self, S3Error> {
        let from_headers = Self::from_headers(request, level)?;
        match (from_headers, document) {
            (Self::Absent, None) => Ok(Self::Absent),
            (Self::Absent, Some([])) => Err(S3Error::new(S3Code::MissingSecurityHeader)
                .detail("MissingHeaderName", "x-amz-acl")),
            (Self::Absent, Some(document)) => Ok(Self::Document(Acl::parse(document)?)),
            (_, Some([_, ..])) => Err(S3Error::new(S3Code::UnexpectedContent)),
            (named, _) => Ok(named),
        }
    }

    fn from_headers(request: &HeaderMap, level: Level) -> Result<Self, S3Error> {
        let mut names = request.keys();
        let has_grants = names.any(|name| name.as_str().starts_with("x-amz-grant-"));
        let Some(canned) = request.get("x-amz-acl") else {
            return match has_grants {
                true => Ok(Self::Grants(grants(request)?)),
                false => Ok(Self::Absent),
            };
        };
        if has_grants {
            return Err(S3Error::invalid_request(BOTH));
        }
        let canned = String::from_utf8_lossy(canned.as_bytes());
        let is_single = request.get_all("x-amz-acl").iter().count() == 1;
        let named = Canned::from_name(&canned, level).filter(|_| is_single);
        // AWS sends no message with it.
        let unknown = || S3Error::invalid_argument("", "x-amz-acl", &*canned);
        named.map(Self::Canned).ok_or_else(unknown)
    }

    /// The list, of what `owner` has in a bucket of `bucket_owner`, both canonical user ids.
    ///
    /// # Errors
    ///
    /// `AccessDenied` for a document that names another owner: a list does not give its object away.
    pub fn resolve(&self, owner: &str, bucket_owner: &str) -> Result<Acl, S3Error> {
        match self {
            Self::Absent => Ok(Acl::private(owner)),
            Self::Canned(canned) => {
                let mut acl = Acl::private(owner);
                let of_others = canned.grants(bucket_owner).into_iter();
                let is_of_owner = |grant: &Grant| grant.grantee == Grantee::User(owner.to_owned());
                acl.grants
                    .extend(of_others.filter(|grant| !is_of_owner(grant)));
                Ok(acl)
            }
            Self::Grants(grants) => Ok(Acl {
                owner: owner.to_owned(),
                grants: grants.clone(),
            }),
            Self::Document(acl) if acl.owner == owner => Ok(acl.clone()),
            Self::Document(_) => Err(S3Error::access_denied()),
        }
    }

    /// Whether it is the list of the name `bucket-owner-full-control`.
    #[must_use]
    pub fn is_canned_for_bucket_owner(&self) -> bool {
        *self == Self::Canned(Canned::BucketOwnerFullControl)
    }

    /// Whether it grants something to everyone, whoever owns what it is for.
    #[must_use]
    pub fn is_public(&self) -> bool {
        let public = |grants: &[Grant]| grants.iter().any(|grant| grant.grantee.is_public());
        match self {
            Self::Absent => false,
            Self::Canned(canned) => public(&canned.grants("")),
            Self::Grants(grants) => public(grants),
            Self::Document(acl) => acl.is_public(),
        }
    }

    /// Whether a bucket takes it whose access control lists are disabled: it grants everything to `bucket_owner`,
    /// and nothing to others. The list of the name `private` is refused though it does the same: AWS does so on
    /// every request except CreateBucket.
    ///
    /// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/about-object-ownership.html>
    #[must_use]
    pub fn is_of_bucket_owner(&self, bucket_owner: &str) -> bool {
        let only = |grants: &[Grant]| grants == Acl::private(bucket_owner).grants;
        match self {
            Self::Absent => true,
            Self::Canned(canned) => *canned == Canned::BucketOwnerFullControl,
            Self::Grants(grants) => only(grants),
            Self::Document(acl) => acl.owner == bucket_owner && only(&acl.grants),
        }
    }
}

/// The grants of headers.
fn grants(request: &HeaderMap) -> Result<Vec<Grant>, S3Error> {
    let mut grants = Vec::new();
    // AWS shows them in this order.
    let order = [
        Permission::FullControl,
        Permission::Read,
        Permission::ReadAcp,
        Permission::Write,
        Permission::WriteAcp,
    ];
    for permission in order {
        if !request.contains_key(permission.header()) {
            continue;
        }
        let text = headers::text(request, permission.header());
        let value = text.unwrap_or_default();
        // The names of arguments are those that AWS answered with (recorded by LocalStack).
        let unknown = "Argument format not recognized";
        let invalid = || S3Error::invalid_argument(unknown, permission.header(), value);
        if text.is_none() || request.get_all(permission.header()).iter().count() != 1 {
            return Err(invalid());
        }
        for entry in value.split(',') {
            let (kind, grantee) = entry.split_once('=').ok_or_else(invalid)?;
            let grantee = grantee.trim().trim_matches('"');
            let grantee = match kind.trim() {
                kind if kind.eq_ignore_ascii_case("id") => Grantee::user(grantee, "id")?,
                kind if kind.eq_ignore_ascii_case("uri") => Grantee::group(grantee, "uri")?,
                kind if kind.eq_ignore_ascii_case("emailAddress") => {
                    return Err(S3Code::MethodNotAllowed.into());
                }
                _ => return Err(invalid()),
            };
            grants.push(Grant::new(grantee, permission));
        }
    }
    match grants.len() {
        // A header of this family that grants nothing known.
        0 => Err(S3Error::invalid_request(NO_GRANT)),
        count if count > GRANTS_MAX => Err(malformed()),
        _ => Ok(grants),
    }
}

const BOTH: &str = "Specifying both Canned ACLs and Header Grants is not allowed";
const NO_GRANT: &str = "The request has a header of grants that names no permission.";

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    const ID: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    #[test]
    fn what_is_wrong_with_a_list_in_headers_has_the_answer_of_aws() {
        let grant = ("x-amz-grant-read", "id=\"0\"");
        for (pairs, code) in [
            (
                &[("x-amz-acl", "private"), grant][..],
                S3Code::InvalidRequest,
            ),
            (&[("x-amz-acl", "other")], S3Code::InvalidArgument),
            (
                &[("x-amz-acl", "log-delivery-write")],
                S3Code::InvalidArgument,
            ),
            (&[grant], S3Code::InvalidArgument),
            (
                &[("x-amz-grant-read", "emailAddress=\"a@b.c\"")],
                S3Code::MethodNotAllowed,
            ),
            (
                &[("x-amz-grant-read", "uri=\"http://x/\"")],
                S3Code::InvalidArgument,
            ),
            (&[("x-amz-grant-read", "id")], S3Code::InvalidArgument),
            (&[("x-amz-grant-list", "id=\"0\"")], S3Code::InvalidRequest),
        ] {
            let read = RequestedAcl::read(&headers(pairs), None, Level::Object);
            assert_eq!(read.unwrap_err().code(), code, "{pairs:?}");
        }
    }

    #[test]
    fn a_list_is_in_the_headers_or_in_the_body() {
        let canned = headers(&[("x-amz-acl", "private")]);
        let read = |headers: &HeaderMap, body: &[u8]| {
            RequestedAcl::read(headers, Some(body), Level::Bucket).map_err(|error| error.code())
        };
        assert_eq!(read(&canned, b"<x/>"), Err(S3Code::UnexpectedContent));
        let nothing = HeaderMap::new();
        assert_eq!(read(&nothing, b""), Err(S3Code::MissingSecurityHeader));
        assert_eq!(read(&nothing, b"<x/>"), Err(S3Code::MalformedAcl));
        assert_eq!(
            read(&canned, b""),
            Ok(RequestedAcl::Canned(Canned::Private))
        );
    }

    #[test]
    fn a_canned_list_grants_what_its_name_means() {
        use Permission::*;
        let group = Grantee::Group;
        let owner = || Grantee::User("bucket".into());
        for (name, expected) in [
            ("private", vec![]),
            ("public-read", vec![(group(Group::AllUsers), Read)]),
            (
                "public-read-write",
                vec![
                    (group(Group::AllUsers), Read),
                    (group(Group::AllUsers), Write),
                ],
            ),
            (
                "authenticated-read",
                vec![(group(Group::AuthenticatedUsers), Read)],
            ),
            ("aws-exec-read", vec![]),
            ("bucket-owner-read", vec![(owner(), Read)]),
            ("bucket-owner-full-control", vec![(owner(), FullControl)]),
        ] {
            let read = RequestedAcl::read(&headers(&[("x-amz-acl", name)]), None, Level::Object);
            let acl = read.unwrap().resolve("writer", "bucket").unwrap();
            let mut grants = acl.grants.into_iter();
            assert_eq!(grants.next(), Acl::private("writer").grants.pop());
            let rest: Vec<_> = grants.map(|it| (it.grantee, it.permission)).collect();
            assert_eq!(rest, expected, "{name}");
        }
    }

    #[test]
    fn lists_where_they_are_disabled_are_the_bucket_owners_or_none() {
        let full = Grant::new(Grantee::User(ID.into()), Permission::FullControl);
        let read = Grant::new(Grantee::User(ID.into()), Permission::Read);
        for (list, taken) in [
            (RequestedAcl::Absent, true),
            (RequestedAcl::Canned(Canned::BucketOwnerFullControl), true),
            (RequestedAcl::Canned(Canned::Private), false),
            (RequestedAcl::Canned(Canned::PublicRead), false),
            (RequestedAcl::Grants(vec![full.clone()]), true),
            (RequestedAcl::Grants(vec![read]), false),
            (RequestedAcl::Document(Acl::private(ID)), true),
            (RequestedAcl::Document(Acl::private("b")), false),
        ] {
            assert_eq!(list.is_of_bucket_owner(ID), taken, "{list:?}");
        }
    }

    #[test]
    fn a_grant_in_a_header_is_refused_by_the_names_that_aws_gives() {
        let group = "http://acs.amazonaws.com/groups/s3/FakeGroup";
        let uri: &'static str = "uri=\"http://acs.amazonaws.com/groups/s3/FakeGroup\"";
        let cases = [
            (uri, "uri", group),
            ("id=\"wrong-id\"", "id", "wrong-id"),
            ("fakekey=\"1234\"", "x-amz-grant-write", "fakekey=\"1234\""),
        ];
        for (value, name, shown) in cases {
            let request = headers(&[("x-amz-grant-write", value)]);
            let error = RequestedAcl::read(&request, None, Level::Bucket).unwrap_err();
            let named = [
                ("ArgumentName", name.to_owned()),
                ("ArgumentValue", shown.to_owned()),
            ];
            assert_eq!(error.details(), named, "{value}");
        }
    }
}
