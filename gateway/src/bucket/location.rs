//! Where buckets are: in the Region of the gateway for clients, in the backend's for the backend.

use bytes::Bytes;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;

/// The answer to `GetBucketLocation`: empty for `us-east-1`, which had no name when S3 began.
pub(crate) fn document(region: &str) -> Element {
    let mut root = Element::root("LocationConstraint");
    if region != UNNAMED {
        root.set_text(region);
    }
    root
}

/// The body of `CreateBucket` as the backend gets it.
///
/// # Errors
///
/// `IllegalLocationConstraintException` for a Region that is not the gateway's; `MalformedXML`.
pub(crate) fn translate(document: &Bytes, ours: &str, backends: &str) -> Result<Bytes, S3Error> {
    let mut root = if document.is_empty() {
        Element::root("CreateBucketConfiguration")
    } else {
        Element::parse(document, Limits::REQUEST)
            .ok()
            .filter(|root| root.is_named("CreateBucketConfiguration"))
            .ok_or_else(|| S3Error::new(S3Code::MalformedXml))?
    };
    let wanted = root
        .text_of(CONSTRAINT)
        .map(str::trim)
        .filter(|region| !region.is_empty());
    if let Some(wanted) = wanted
        && wanted != ours
        && !(wanted == "EU" && ours == "eu-west-1")
    {
        let message = format!(
            "The {wanted} location constraint is incompatible for the region specific endpoint \
             this request was sent to."
        );
        return Err(S3Error::with_message(
            S3Code::IllegalLocationConstraint,
            message,
        ));
    }
    if ours == backends {
        return Ok(document.clone());
    }
    root.remove(&[CONSTRAINT]);
    if backends != UNNAMED {
        root.children_mut()
            .insert(0, Element::with_text(CONSTRAINT, backends));
    }
    if root.children().is_empty() {
        return Ok(Bytes::new());
    }
    Ok(root.to_document())
}

const CONSTRAINT: &str = "LocationConstraint";

/// The Region that `LocationConstraint` does not name.
const UNNAMED: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(region: &str, ours: &str, backends: &str) -> Result<String, S3Code> {
        let document = match region {
            "" => String::new(),
            region => format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
                 </CreateBucketConfiguration>"
            ),
        };
        let translated = translate(&Bytes::from(document), ours, backends);
        let translated = translated.map_err(|error| error.code())?;
        if translated.is_empty() {
            return Ok("none".to_owned());
        }
        let root = Element::parse(&translated, Limits::REQUEST).unwrap();
        Ok(root.text_of(CONSTRAINT).unwrap_or_default().to_owned())
    }

    #[test]
    fn the_backend_is_told_its_own_region() {
        for (wanted, ours, backends, answered) in [
            ("", "us-east-1", "us-east-1", "none"),
            ("", "eu-west-1", "us-east-1", "none"),
            ("eu-west-1", "eu-west-1", "us-east-1", "none"),
            ("EU", "eu-west-1", "us-east-1", "none"),
            ("eu-west-1", "eu-west-1", "eu-west-1", "eu-west-1"),
            ("", "us-east-1", "eu-west-1", "eu-west-1"),
        ] {
            assert_eq!(
                translated(wanted, ours, backends).as_deref(),
                Ok(answered),
                "{wanted} {ours}"
            );
        }
    }

    #[test]
    fn a_bucket_in_another_region_is_refused() {
        let refused = translated("eu-west-1", "us-east-1", "us-east-1");
        assert_eq!(refused, Err(S3Code::IllegalLocationConstraint));
        let malformed = translate(&Bytes::from_static(b"<a/>"), "us-east-1", "us-east-1");
        assert_eq!(malformed.unwrap_err().code(), S3Code::MalformedXml);
    }
}
