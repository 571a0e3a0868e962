//! Where the access log of a bucket goes, as it is stored and as clients put it.
//!
//! A document is accepted in S3's namespace, in the older one of AWS's own examples, and in none. What was put
//! is what is shown: no key format is added to a document that names none.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLogging.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_LoggingEnabled.html>

use http::Response;
use serde::Deserialize;
use serde::Serialize;

use crate::bucket::document::Document;
use crate::bucket::document::xml;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::document;
use crate::protocol::xml::Element;
use crate::request::Body;

/// The logging status of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggingStatus {
    /// Where the log goes; none where logging is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<LoggingEnabled>,
}

/// Where the log of a bucket goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggingEnabled {
    /// The bucket that receives log objects.
    pub target_bucket: String,
    /// What the keys of log objects begin with; may be empty.
    pub target_prefix: String,
    /// Who else may have log objects; none where the document has no such element. They are shown and have no
    /// effect, as all access control lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_grants: Option<Vec<TargetGrant>>,
    /// The form of the keys of log objects; none where the document has no such element.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_format: Option<KeyFormat>,
}

/// A grant on log objects.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetGrant {
    grantee: Grantee,
    permission: String,
}

/// Who has a grant.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Grantee {
    CanonicalUser {
        id: String,
        display_name: Option<String>,
    },
    Group {
        uri: String,
    },
}

/// The form of the keys of log objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyFormat {
    /// The prefix, then the time of delivery.
    Simple,
    /// The prefix, then account, Region, bucket and day; the day of the events where the document names no date.
    Partitioned(Option<DateSource>),
}

/// Which day is in the keys of log objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateSource {
    /// That of the requests.
    EventTime,
    /// That of the delivery.
    DeliveryTime,
}

impl LoggingEnabled {
    /// Whether all records of a log object are of the day in its key.
    #[must_use]
    pub fn is_by_event_day(&self) -> bool {
        match self.key_format {
            Some(KeyFormat::Partitioned(source)) => source != Some(DateSource::DeliveryTime),
            Some(KeyFormat::Simple) | None => false,
        }
    }

    fn parse(element: &Element) -> Result<Self, S3Error> {
        let names = [
            "TargetBucket",
            "TargetPrefix",
            "TargetGrants",
            "TargetObjectKeyFormat",
        ];
        check_children(element, &names)?;
        let text = |name| {
            element
                .text_of(name)
                .map(str::to_owned)
                .ok_or_else(malformed)
        };
        let target_prefix = text("TargetPrefix")?;
        if target_prefix.len() > PREFIX_BYTES_MAX {
            return Err(S3Error::new(S3Code::KeyTooLong));
        }
        let grants = element
            .child("TargetGrants")
            .map(parse_grants)
            .transpose()?;
        let format = element.child("TargetObjectKeyFormat").map(parse_format);
        Ok(Self {
            target_bucket: text("TargetBucket")?,
            target_prefix,
            target_grants: grants,
            key_format: format.transpose()?,
        })
    }

    fn to_xml(&self) -> Element {
        let mut enabled = Element::new("LoggingEnabled").field("TargetBucket", &self.target_bucket);
        if let Some(grants) = &self.target_grants {
            let grants = grants.iter().map(TargetGrant::to_xml);
            enabled = enabled.with(Element::new("TargetGrants").with_all(grants));
        }
        enabled = enabled.field("TargetPrefix", &self.target_prefix);
        if let Some(format) = self.key_format {
            enabled = enabled.with(Element::new("TargetObjectKeyFormat").with(format.to_xml()));
        }
        enabled
    }
}

impl KeyFormat {
    fn to_xml(self) -> Element {
        match self {
            Self::Simple => Element::new("SimplePrefix"),
            Self::Partitioned(source) => {
                let partitioned = Element::new("PartitionedPrefix");
                match source {
                    Some(DateSource::EventTime) => partitioned.field(DATE_SOURCE, "EventTime"),
                    Some(DateSource::DeliveryTime) => {
                        partitioned.field(DATE_SOURCE, "DeliveryTime")
                    }
                    None => partitioned,
                }
            }
        }
    }
}

impl TargetGrant {
    fn parse(grant: &Element) -> Result<Self, S3Error> {
        check_children(grant, &["Grantee", "Permission"])?;
        let grantee = grant.child("Grantee").ok_or_else(malformed)?;
        let permission = grant.text_of("Permission").ok_or_else(malformed)?.trim();
        if !PERMISSIONS.contains(&permission) {
            return Err(malformed());
        }
        let text = |name| grantee.text_of(name).map(|text| text.trim().to_owned());
        let grantee = match grantee.attribute("type") {
            Some("CanonicalUser") => Grantee::CanonicalUser {
                id: text("ID").ok_or_else(malformed)?,
                display_name: text("DisplayName"),
            },
            Some("Group") => Grantee::Group {
                uri: text("URI").ok_or_else(malformed)?,
            },
            // AWS refuses grants by e-mail address since 2025-10-01.
            // Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>
            Some("AmazonCustomerByEmail") => return Err(S3Code::MethodNotAllowed.into()),
            _ => return Err(malformed()),
        };
        let permission = permission.to_owned();
        Ok(Self {
            grantee,
            permission,
        })
    }

    fn to_xml(&self) -> Element {
        let grantee = |kind| {
            Element::new("Grantee")
                .with_attribute("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance")
                .with_attribute("xsi:type", kind)
        };
        let grantee = match &self.grantee {
            Grantee::CanonicalUser { id, display_name } => {
                let grantee = grantee("CanonicalUser").field("ID", id);
                match display_name {
                    Some(name) => grantee.field("DisplayName", name),
                    None => grantee,
                }
            }
            Grantee::Group { uri } => grantee("Group").field("URI", uri),
        };
        let grant = Element::new("Grant").with(grantee);
        grant.field("Permission", &self.permission)
    }
}

impl Document for LoggingStatus {
    /// Never returned: a bucket that has none has an empty status.
    const MISSING: S3Code = S3Code::InternalError;

    fn parse(document: &[u8], _bucket: &str, _partition: &str) -> Result<Self, S3Error> {
        let root = document::parse(document)?;
        if !root.is_named(ROOT) {
            return Err(malformed());
        }
        check_children(&root, &["LoggingEnabled"])?;
        let enabled = root.child("LoggingEnabled").map(LoggingEnabled::parse);
        Ok(Self {
            enabled: enabled.transpose()?,
        })
    }

    fn to_response(&self) -> Response<Body> {
        let enabled = self.enabled.as_ref().map(LoggingEnabled::to_xml);
        xml(&Element::root(ROOT).with_all(enabled))
    }
}

fn parse_grants(grants: &Element) -> Result<Vec<TargetGrant>, S3Error> {
    let mut children = grants.children().iter();
    match children.all(|child| child.is_named("Grant")) {
        true => grants.all("Grant").map(TargetGrant::parse).collect(),
        false => Err(malformed()),
    }
}

fn parse_format(format: &Element) -> Result<KeyFormat, S3Error> {
    let [format] = format.children() else {
        return Err(malformed());
    };
    match format.name() {
        "SimplePrefix" if format.children().is_empty() => Ok(KeyFormat::Simple),
        "PartitionedPrefix" => {
            check_children(format, &[DATE_SOURCE])?;
            let source = format.text_of(DATE_SOURCE).map(str::trim);
            Ok(KeyFormat::Partitioned(match source {
                None => None,
                Some("EventTime") => Some(DateSource::EventTime),
                Some("DeliveryTime") => Some(DateSource::DeliveryTime),
                Some(_) => return Err(malformed()),
            }))
        }
        _ => Err(malformed()),
    }
}

/// Refuses children other than these, and one that is there twice.
fn check_children(element: &Element, names: &[&str]) -> Result<(), S3Error> {
    let is_known = |child: &Element| names.contains(&child.name());
    let is_single = |name: &&str| element.all(name).count() <= 1;
    match element.children().iter().all(is_known) && names.iter().all(is_single) {
        true => Ok(()),
        false => Err(malformed()),
    }
}

fn malformed() -> S3Error {
    S3Error::new(S3Code::MalformedXml)
}

const ROOT: &str = "BucketLoggingStatus";
const DATE_SOURCE: &str = "PartitionDateSource";

/// `READ_ACP` is not in the documented list; AWS takes it all the same (recorded).
const PERMISSIONS: [&str; 4] = ["FULL_CONTROL", "READ", "READ_ACP", "WRITE"];

/// Longest prefix, in bytes: with the rest of a partitioned key it fits into the 1,024 of a key. AWS's own limit
/// is not documented.
const PREFIX_BYTES_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(content: &str) -> Result<LoggingStatus, S3Error> {
        let document = format!("<BucketLoggingStatus>{content}</BucketLoggingStatus>");
        LoggingStatus::parse(document.as_bytes(), "b", "aws")
    }

    fn enabled(more: &str) -> String {
        format!(
            "<LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix>{more}</LoggingEnabled>"
        )
    }

    fn grant(kind: &str, who: &str, permission: &str) -> String {
        format!(
            "<TargetGrants><Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
             xsi:type=\"{kind}\">{who}</Grantee><Permission>{permission}</Permission></Grant></TargetGrants>"
        )
    }

    #[test]
    fn what_is_shown_is_read_as_what_was_put() {
        let format =
            |format: &str| format!("<TargetObjectKeyFormat>{format}</TargetObjectKeyFormat>");
        for more in [
            String::new(),
            "<TargetGrants/>".to_owned(),
            grant(
                "CanonicalUser",
                "<ID>c</ID><DisplayName>d</DisplayName>",
                "FULL_CONTROL",
            ),
            grant(
                "Group",
                "<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>",
                "READ_ACP",
            ),
            format("<SimplePrefix/>"),
            format("<PartitionedPrefix/>"),
            format(
                "<PartitionedPrefix><PartitionDateSource>EventTime</PartitionDateSource></PartitionedPrefix>",
            ),
            format(
                "<PartitionedPrefix><PartitionDateSource>DeliveryTime</PartitionDateSource></PartitionedPrefix>",
            ),
        ] {
            let status = parse(&enabled(&more)).unwrap();
            let shown =
                Element::root(ROOT).with_all(status.enabled.as_ref().map(LoggingEnabled::to_xml));
            let again = LoggingStatus::parse(&shown.to_document(), "b", "aws").unwrap();
            assert_eq!(again, status, "{more}");
            let stored = serde_json::to_vec(&status).unwrap();
            let read: LoggingStatus = serde_json::from_slice(&stored).unwrap();
            assert_eq!(read, status, "{more}");
            let has_format = String::from_utf8(shown.to_document().to_vec()).unwrap();
            let has_format = has_format.contains("TargetObjectKeyFormat");
            assert_eq!(has_format, more.contains("TargetObjectKeyFormat"), "{more}");
        }
    }

    #[test]
    fn an_empty_status_switches_logging_off() {
        assert_eq!(parse("").unwrap(), LoggingStatus::default());
    }

    #[test]
    fn a_document_is_taken_in_both_namespaces_and_in_none() {
        for namespace in [
            "",
            " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"",
            " xmlns=\"http://doc.s3.amazonaws.com/2006-03-01\"",
        ] {
            let content = enabled("");
            let document =
                format!("<BucketLoggingStatus{namespace}>{content}</BucketLoggingStatus>");
            let status = LoggingStatus::parse(document.as_bytes(), "b", "aws").unwrap();
            assert_eq!(status.enabled.unwrap().target_prefix, "p/");
        }
    }

    #[test]
    fn a_document_that_is_not_in_the_schema_is_malformed() {
        for content in [
            "<LoggingEnabled/>".to_owned(),
            "<Other/>".to_owned(),
            "<LoggingEnabled><TargetBucket>b</TargetBucket></LoggingEnabled>".to_owned(),
            "<LoggingEnabled><TargetPrefix/></LoggingEnabled>".to_owned(),
            enabled("<TargetBucket>c</TargetBucket>"),
            enabled("<TargetObjectKeyFormat/>"),
            enabled(
                "<TargetObjectKeyFormat><SimplePrefix/><PartitionedPrefix/></TargetObjectKeyFormat>",
            ),
            enabled(
                "<TargetObjectKeyFormat><PartitionedPrefix><PartitionDateSource>Never</PartitionDateSource>\
                 </PartitionedPrefix></TargetObjectKeyFormat>",
            ),
            enabled(&grant("CanonicalUser", "<ID>c</ID>", "OWN")),
            enabled(&grant("CanonicalUser", "<URI>c</URI>", "READ")),
            enabled(&grant("Nobody", "<ID>c</ID>", "READ")),
            format!("{}{}", enabled(""), enabled("")),
        ] {
            let error = parse(&content).unwrap_err();
            assert_eq!(error.code(), S3Code::MalformedXml, "{content}");
        }
    }

    #[test]
    fn a_grantee_by_email_address_is_not_allowed() {
        let who = "<EmailAddress>a@example.com</EmailAddress>";
        let error = parse(&enabled(&grant("AmazonCustomerByEmail", who, "READ"))).unwrap_err();
        assert_eq!(error.code(), S3Code::MethodNotAllowed);
    }
}
