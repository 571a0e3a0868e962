//! Access control lists as XML: `AccessControlPolicy`.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_AccessControlPolicy.html>

use super::ANONYMOUS;
use super::Acl;
use super::Grant;
use super::Grantee;
use super::Group;
use super::Permission;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

impl Acl {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// `MalformedACLError`; `InvalidArgument` for an owner or a grantee that cannot be; `MethodNotAllowed` for one by e-mail
    /// address, which AWS takes no more since October 2025.
    pub(super) fn parse(document: &[u8]) -> Result<Self, S3Error> {
        let root = Element::parse(document, Limits::REQUEST).map_err(|_| malformed())?;
        let only = |element: &Element, names: &[&str]| {
            let mut children = element.children().iter();
            children.all(|child| names.contains(&child.name()) && is_single(element, child))
        };
        if !root.is_named(ROOT) || !only(&root, &["Owner", "AccessControlList"]) {
            return Err(malformed());
        }
        let owner = root.child("Owner").and_then(|owner| owner.text_of("ID"));
        let list = root.child("AccessControlList").ok_or_else(malformed)?;
        if !list.children().iter().all(|child| child.is_named("Grant"))
            || list.children().len() > GRANTS_MAX
        {
            return Err(malformed());
        }
        let grants = list.children().iter().map(|grant| {
            if !only(grant, &["Grantee", "Permission"]) {
                return Err(malformed());
            }
            parse_grant(grant)
        });
        let owner = owner.ok_or_else(malformed)?.trim();
        if owner != ANONYMOUS {
            Grantee::user(owner, USER_ID)?;
        }
        Ok(Self {
            owner: owner.to_owned(),
            grants: grants.collect::<Result<_, _>>()?,
        })
    }

    /// The document.
    #[must_use]
    pub fn to_xml(&self) -> Element {
        let list = self.grants.iter().map(|grant| {
            Element::new("Grant")
                .with(grant.grantee.to_xml())
                .field("Permission", grant.permission.name())
        });
        Element::root(ROOT)
            .with(Element::new("Owner").field("ID", &self.owner))
            .with(Element::new("AccessControlList").with_all(list))
    }
}

impl Grantee {
    fn to_xml(&self) -> Element {
        let grantee = |kind| {
            Element::new("Grantee")
                .with_attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
                .with_attribute("xsi:type", kind)
        };
        match self {
            Self::User(id) => grantee("CanonicalUser").field("ID", id),
            Self::Group(group) => grantee("Group").field("URI", group.uri()),
        }
    }

    /// The account with this canonical user id, from the argument of this name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for what can be no such id. Whether any account has it is not looked at.
    pub(super) fn user(id: &str, argument: &'static str) -> Result<Self, S3Error> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if id.len() == ID_DIGITS && id.bytes().all(is_digit) {
            return Ok(Self::User(id.to_owned()));
        }
        Err(S3Error::invalid_argument("Invalid id", argument, id))
    }

    /// The group of this URI, from the argument of this name.
    ///
    /// # Errors
    ///
    /// `InvalidArgument`.
    pub(super) fn group(uri: &str, argument: &'static str) -> Result<Self, S3Error> {
        let group = Group::from_uri(uri).map(Self::Group);
        group.ok_or_else(|| S3Error::invalid_argument("Invalid group uri", argument, uri))
    }
}

fn parse_grant(grant: &Element) -> Result<Grant, S3Error> {
    let grantee = grant.child("Grantee").ok_or_else(malformed)?;
    let permission = grant.text_of("Permission").ok_or_else(malformed)?.trim();
    let permission = Permission::ALL
        .into_iter()
        .find(|it| it.name() == permission);
    let text = |name| grantee.text_of(name).map(str::trim).ok_or_else(malformed);
    let grantee = match grantee.attribute("type") {
        Some("CanonicalUser") => Grantee::user(text("ID")?, USER_ID)?,
        Some("Group") => Grantee::group(text("URI")?, "Group/URI")?,
        Some("AmazonCustomerByEmail") => return Err(S3Code::MethodNotAllowed.into()),
        _ => return Err(malformed()),
    };
    Ok(Grant::new(grantee, permission.ok_or_else(malformed)?))
}

fn is_single(parent: &Element, child: &Element) -> bool {
    parent.all(child.name()).count() == 1
}

pub(super) fn malformed() -> S3Error {
    S3Error::new(S3Code::MalformedAcl)
}

const ROOT: &str = "AccessControlPolicy";

/// Most grants of one list.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
pub(super) const GRANTS_MAX: usize = 100;

/// AWS's name of a canonical user id in a document (recorded by LocalStack).
const USER_ID: &str = "CanonicalUser/ID";

/// Length of a canonical user id.
const ID_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn document(grants: &str) -> String {
        format!(
            "<AccessControlPolicy xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"><Owner><ID>{}</ID>\
             </Owner><AccessControlList>{grants}</AccessControlList></AccessControlPolicy>",
            "a".repeat(64)
        )
    }

    fn grant(kind: &str, grantee: &str, permission: &str) -> String {
        format!(
            "<Grant><Grantee xsi:type=\"{kind}\">{grantee}</Grantee><Permission>{permission}</Permission></Grant>"
        )
    }

    #[test]
    fn a_list_is_read_as_it_is_shown() {
        let user = Grantee::User("b".repeat(64));
        let mut acl = Acl::private(&"a".repeat(64));
        acl.grants.push(Grant::new(user, Permission::ReadAcp));
        let group = Grantee::Group(Group::LogDelivery);
        acl.grants.push(Grant::new(group, Permission::Write));
        let read = Acl::parse(&acl.to_xml().to_document()).unwrap();
        assert_eq!(read, acl);
    }

    #[test]
    fn a_document_that_is_no_list_is_malformed() {
        let uri = format!("<URI>{}</URI>", Group::AllUsers.uri());
        let good = grant("Group", &uri, "READ");
        assert!(Acl::parse(document(&good).as_bytes()).is_ok());
        for bad in [
            "<AccessControlPolicy/>".to_owned(),
            "<AccessControlPolicy><Owner><ID>a</ID></Owner></AccessControlPolicy>".to_owned(),
            document(&grant("Group", &uri, "LIST")),
            document(&grant("Somebody", &uri, "READ")),
            document(&grant("CanonicalUser", &uri, "READ")),
            document(&good.repeat(GRANTS_MAX + 1)),
            document("<Granted/>"),
            "<x".to_owned(),
        ] {
            let error = Acl::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(error.code(), S3Code::MalformedAcl, "{bad}");
        }
    }

    #[test]
    fn a_grantee_that_cannot_be_is_refused_by_its_kind() {
        for (kind, grantee, code) in [
            ("CanonicalUser", "<ID>_foo</ID>", S3Code::InvalidArgument),
            ("Group", "<URI>http://x/</URI>", S3Code::InvalidArgument),
            (
                "AmazonCustomerByEmail",
                "<EmailAddress>a@b.c</EmailAddress>",
                S3Code::MethodNotAllowed,
            ),
        ] {
            let bad = document(&grant(kind, grantee, "READ"));
            assert_eq!(Acl::parse(bad.as_bytes()).unwrap_err().code(), code);
        }
    }

    #[test]
    fn an_owner_that_cannot_be_is_refused_and_the_anonymous_one_is_taken() {
        let good = document("").replace(
            "<AccessControlList></AccessControlList>",
            "<AccessControlList/>",
        );
        let named = |owner: &str| good.replace(&"a".repeat(64), owner);
        let error = Acl::parse(named("wrong-id").as_bytes()).unwrap_err();
        assert_eq!(error.code(), S3Code::InvalidArgument);
        assert_eq!(error.details()[0], ("ArgumentName", USER_ID.to_owned()));
        assert!(Acl::parse(named(ANONYMOUS).as_bytes()).is_ok());
    }
}
