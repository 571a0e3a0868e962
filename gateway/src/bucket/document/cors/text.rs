//! The document that rules come and go in, and what AWS refuses of it.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CORSRule.html>; the texts of the
//! refusals as AWS sends them.

use http::HeaderValue;

use crate::bucket::document::cors::rule::METHODS;
use crate::bucket::document::cors::rule::Rule;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// The rules in a document.
pub(super) fn parse(document: &[u8]) -> Result<Vec<Rule>, S3Error> {
    if document.len() > DOCUMENT_BYTES_MAX {
        return Err(S3Error::new(S3Code::MaxMessageLengthExceeded)
            .detail("MaxMessageLengthBytes", DOCUMENT_BYTES_MAX.to_string()));
    }
    let root = Element::parse(document, Limits::REQUEST).map_err(|_| malformed())?;
    if !root.is_named("CORSConfiguration") || root.children().is_empty() {
        return Err(malformed());
    }
    let rules: Vec<Rule> = root.children().iter().map(read).collect::<Result<_, _>>()?;
    if rules.len() > RULES_MAX {
        return Err(S3Error::invalid_request(TOO_MANY_RULES));
    }
    rules.iter().try_for_each(check)?;
    Ok(rules)
}

/// The document of these rules.
pub(super) fn write(rules: &[Rule]) -> Element {
    let root = Element::root("CORSConfiguration");
    rules.iter().fold(root, |root, rule| root.with(show(rule)))
}

/// A rule as the schema has it.
fn read(element: &Element) -> Result<Rule, S3Error> {
    if !element.is_named("CORSRule") {
        return Err(malformed());
    }
    let mut rule = Rule::default();
    for child in element.children() {
        let text = child.text().to_owned();
        match child.name() {
            _ if !child.children().is_empty() => return Err(malformed()),
            "AllowedHeader" => rule.headers.push(text),
            "AllowedMethod" => rule.methods.push(text),
            "AllowedOrigin" => rule.origins.push(text),
            "ExposeHeader" => rule.exposed.push(text),
            "ID" if rule.id.is_none() && text.chars().count() <= ID_CHARS_MAX => {
                rule.id = Some(text);
            }
            "MaxAgeSeconds" if rule.max_age_seconds.is_none() => {
                let seconds = text.trim().parse::<u32>().ok();
                let seconds = seconds.filter(|seconds| *seconds <= MAX_AGE_SECONDS_MAX);
                rule.max_age_seconds = Some(seconds.ok_or_else(malformed)?);
            }
            _ => return Err(malformed()),
        }
    }
    if rule.origins.is_empty() || rule.methods.is_empty() {
        return Err(malformed());
    }
    Ok(rule)
}

/// What the schema does not say.
fn check(rule: &Rule) -> Result<(), S3Error> {
    let mut methods = rule.methods.iter();
    if let Some(method) = methods.find(|method| !METHODS.contains(&method.as_str())) {
        let message = format!("{UNSUPPORTED_METHOD} {method}");
        return Err(S3Error::invalid_request(message));
    }
    let stars = |text: &str| text.matches('*').count();
    for (element, patterns) in [
        ("AllowedOrigin", &rule.origins),
        ("AllowedHeader", &rule.headers),
    ] {
        if let Some(pattern) = patterns.iter().find(|pattern| stars(pattern) > 1) {
            let message = format!("{element} \"{pattern}\" {TOO_MANY_STARS}");
            return Err(S3Error::invalid_request(message));
        }
    }
    for name in &rule.exposed {
        let fault = match HeaderValue::from_str(name) {
            _ if stars(name) > 0 => EXPOSES_ALL,
            Err(_) => NO_HEADER,
            Ok(_) => continue,
        };
        let message = format!("ExposeHeader \"{name}\" {fault}");
        return Err(S3Error::invalid_request(message));
    }
    Ok(())
}

fn show(rule: &Rule) -> Element {
    let texts = [
        ("AllowedHeader", &rule.headers),
        ("AllowedMethod", &rule.methods),
        ("AllowedOrigin", &rule.origins),
        ("ExposeHeader", &rule.exposed),
    ];
    let id = rule.id.iter().map(|id| Element::with_text("ID", id));
    let texts = texts
        .into_iter()
        .flat_map(|(name, texts)| texts.iter().map(move |text| Element::with_text(name, text)));
    let age = rule.max_age_seconds.iter();
    let age = age.map(|seconds| Element::with_text("MaxAgeSeconds", seconds.to_string()));
    id.chain(texts)
        .chain(age)
        .fold(Element::new("CORSRule"), Element::with)
}

fn malformed() -> S3Error {
    S3Error::new(S3Code::MalformedXml)
}

const UNSUPPORTED_METHOD: &str =
    "Found unsupported HTTP method in CORS config. Unsupported method is";
const TOO_MANY_STARS: &str = "can not have more than one wildcard.";
const EXPOSES_ALL: &str =
    "contains wildcard. We currently do not support wildcard for ExposeHeader.";
/// The gateway's own: it could stand in no answer.
const NO_HEADER: &str = "cannot stand in a header.";
const TOO_MANY_RULES: &str =
    "The number of CORS rules should not exceed allowed limit of 100 rules.";

/// Most rules of a bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>
const RULES_MAX: usize = 100;

/// Longest name of a rule, in characters.
const ID_CHARS_MAX: usize = 255;

/// Longest time that a browser may remember an answer, in seconds: the largest `xsd:int`.
const MAX_AGE_SECONDS_MAX: u32 = i32::MAX.unsigned_abs();

/// Longest document, in bytes.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html>
const DOCUMENT_BYTES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(inner: &str) -> Result<Vec<Rule>, S3Error> {
        let document = format!(
            "<?xml version=\"1.0\"?><CORSConfiguration \
             xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</CORSConfiguration>"
        );
        parse(document.as_bytes())
    }

    fn with(more: &str) -> Result<Vec<Rule>, S3Error> {
        rules(&format!("<CORSRule>{REQUIRED}{more}</CORSRule>"))
    }

    const REQUIRED: &str = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>";

    #[test]
    fn rules_are_shown_as_they_were_put() {
        let put = rules(
            "<CORSRule><ID>a &amp; b</ID><AllowedHeader>X-*</AllowedHeader>\
             <AllowedMethod>PUT</AllowedMethod><AllowedMethod>DELETE</AllowedMethod>\
             <AllowedOrigin>http://*.b:80</AllowedOrigin><AllowedOrigin></AllowedOrigin>\
             <ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds> 3000 </MaxAgeSeconds></CORSRule>\
             <CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin></CORSRule>",
        )
        .unwrap();
        assert_eq!(put.len(), 2);
        assert_eq!(put[0].methods, ["PUT", "DELETE"]);
        assert_eq!(put[0].origins, ["http://*.b:80", ""]);
        assert_eq!(put[0].max_age_seconds, Some(3000));
        let shown = write(&put).to_document();
        assert_eq!(parse(&shown).unwrap(), put);
        let minimal = "</CORSRule><CORSRule><AllowedMethod>GET</AllowedMethod>\
             <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
        assert!(shown.ends_with(minimal.as_bytes()));
    }

    #[test]
    fn what_the_schema_does_not_have_is_malformed() {
        let long = "x".repeat(ID_CHARS_MAX + 1);
        for inner in [
            String::new(),
            "text".to_owned(),
            "<CORSRule/>".to_owned(),
            "<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>".to_owned(),
            "<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>".to_owned(),
            format!("<Rule>{REQUIRED}</Rule>"),
            format!("<CORSRule>{REQUIRED}<Other/></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<ID>1</ID><ID>2</ID></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<ID>{long}</ID></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<MaxAgeSeconds>soon</MaxAgeSeconds></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<MaxAgeSeconds>2147483648</MaxAgeSeconds></CORSRule>"),
            format!("<CORSRule>{REQUIRED}<ExposeHeader><a/></ExposeHeader></CORSRule>"),
        ] {
            let refused = rules(&inner).unwrap_err();
            assert_eq!(refused.code(), S3Code::MalformedXml, "{inner}");
        }
        for document in ["", "nonsense", "<CORSRule/>"] {
            let refused = parse(document.as_bytes()).unwrap_err();
            assert_eq!(refused.code(), S3Code::MalformedXml, "{document}");
        }
        assert!(with("<MaxAgeSeconds>2147483647</MaxAgeSeconds>").is_ok());
    }

    #[test]
    fn what_s3_does_not_support_is_refused_in_its_own_words() {
        for (more, message) in [
            (
                "<AllowedMethod>OPTIONS</AllowedMethod>",
                "Found unsupported HTTP method in CORS config. Unsupported method is OPTIONS",
            ),
            (
                "<AllowedMethod/>",
                "Found unsupported HTTP method in CORS config. Unsupported method is ",
            ),
            (
                "<AllowedOrigin>*a*</AllowedOrigin>",
                "AllowedOrigin \"*a*\" can not have more than one wildcard.",
            ),
            (
                "<AllowedHeader>x-**</AllowedHeader>",
                "AllowedHeader \"x-**\" can not have more than one wildcard.",
            ),
            (
                "<ExposeHeader>*</ExposeHeader>",
                "ExposeHeader \"*\" contains wildcard. We currently do not support wildcard for \
                 ExposeHeader.",
            ),
            (
                "<ExposeHeader>a&#10;b</ExposeHeader>",
                "ExposeHeader \"a\nb\" cannot stand in a header.",
            ),
        ] {
            let refused = with(more).unwrap_err();
            assert_eq!(refused.code(), S3Code::InvalidRequest, "{more}");
            assert_eq!(refused.message(), message);
        }
    }

    #[test]
    fn a_hundred_rules_and_64_kib_are_taken_and_no_more() {
        let rule = format!("<CORSRule>{REQUIRED}</CORSRule>");
        assert!(rules(&rule.repeat(RULES_MAX)).is_ok());
        let refused = rules(&rule.repeat(RULES_MAX + 1)).unwrap_err();
        assert_eq!(refused.message(), TOO_MANY_RULES);
        let long = "x".repeat(DOCUMENT_BYTES_MAX);
        let refused = with(&format!("<AllowedOrigin>{long}</AllowedOrigin>")).unwrap_err();
        assert_eq!(refused.code(), S3Code::MaxMessageLengthExceeded);
    }
}
