//! Where buckets are: in one of the Regions of the gateway for clients, in the backend's for the backend.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>; codes and messages as
//! recorded from AWS.

use bytes::Bytes;

use crate::bucket::creation_tags;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Regions;
use crate::request::region_of;

/// The answer to `GetBucketLocation`, of a bucket with this `LocationConstraint` or in this Region: empty
/// for `us-east-1`, which had no name when S3 began.
pub(crate) fn document(location: &str) -> Element {
    let mut root = Element::root("LocationConstraint");
    if location != UNNAMED {
        root.set_text(location);
    }
    root
}

/// What a request to create a bucket says of where.
pub(crate) struct Location {
    root: Element,
    document: Bytes,
    constraint: Option<String>,
    /// The document that sets the bucket's tags.
    pub(crate) tags: Option<Bytes>,
}

impl Location {
    /// Reads the body of `CreateBucket`.
    ///
    /// # Errors
    ///
    /// `MalformedXML`; `InvalidTag`.
    pub(crate) fn read(document: &Bytes) -> Result<Self, S3Error> {
        let mut root = if document.is_empty() {
            Element::root("CreateBucketConfiguration")
        } else {
            Element::parse(document, Limits::REQUEST)
                .ok()
                .filter(|root| root.is_named("CreateBucketConfiguration"))
                .ok_or_else(|| S3Error::new(S3Code::MalformedXml))?
        };
        let tags = creation_tags::take(&mut root)?;
        let constraint = root.text_of(CONSTRAINT).map(str::trim);
        let constraint = constraint.filter(|region| !region.is_empty());
        Ok(Self {
            constraint: constraint.map(str::to_owned),
            document: match tags {
                Some(_) => root.to_document(),
                None => document.clone(),
            },
            tags,
            root,
        })
    }

    /// Whether the request names no Region.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.constraint.is_none()
    }

    /// The `LocationConstraint` of the bucket, by a request that was signed for the Region `endpoint`;
    /// none for the gateway's own Region.
    ///
    /// # Errors
    ///
    /// `IllegalLocationConstraintException` where the endpoint is another Region's; at that of
    /// `us-east-1`, where buckets of all Regions are created, `InvalidLocationConstraint` for one that
    /// there is not, and for its own name.
    pub(crate) fn of_bucket(
        &self,
        endpoint: &str,
        regions: &Regions,
    ) -> Result<Option<String>, S3Error> {
        let own = regions.own();
        let not_own = |location: &str| Some(location.to_owned()).filter(|it| it != own);
        let Some(wanted) = self.constraint.as_deref() else {
            return match endpoint == own || endpoint == UNNAMED {
                true => Ok(not_own(endpoint)),
                false => Err(illegal("unspecified")),
            };
        };
        if endpoint == UNNAMED {
            if wanted == UNNAMED || !regions.has(region_of(wanted)) {
                let error = S3Error::new(S3Code::InvalidLocationConstraint);
                return Err(error.detail(CONSTRAINT, wanted));
            }
            return Ok(not_own(wanted));
        }
        match region_of(wanted) == endpoint {
            true => Ok(not_own(wanted)),
            false => Err(illegal(wanted)),
        }
    }

    /// The body as a backend in the Region `backends` receives it, from a gateway in `ours`.
    pub(crate) fn translate(mut self, ours: &str, backends: &str) -> Bytes {
        let is_own = self
            .constraint
            .as_deref()
            .is_none_or(|it| region_of(it) == ours);
        if ours == backends && is_own {
            return self.document;
        }
        self.root.remove(&[CONSTRAINT]);
        if backends != UNNAMED {
            let constraint = Element::with_text(CONSTRAINT, backends);
            self.root.children_mut().insert(0, constraint);
        }
        match self.root.children().is_empty() {
            true => Bytes::new(),
            false => self.root.to_document(),
        }
    }
}

fn illegal(location: &str) -> S3Error {
    let message = format!(
        "The {location} location constraint is incompatible for the region specific endpoint this \
         request was sent to."
    );
    S3Error::with_message(S3Code::IllegalLocationConstraint, message)
}

const CONSTRAINT: &str = "LocationConstraint";

/// The Region that `LocationConstraint` does not name.
const UNNAMED: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use super::*;

    fn location(region: &str) -> Location {
        let document = match region {
            "" => String::new(),
            region => format!(
                "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint>\
                 </CreateBucketConfiguration>"
            ),
        };
        Location::read(&Bytes::from(document)).unwrap()
    }

    fn translated(region: &str, ours: &str, backends: &str) -> String {
        let translated = location(region).translate(ours, backends);
        if translated.is_empty() {
            return "none".to_owned();
        }
        let root = Element::parse(&translated, Limits::REQUEST).unwrap();
        root.text_of(CONSTRAINT).unwrap_or_default().to_owned()
    }

    #[test]
    fn the_backend_receives_its_own_region() {
        for (wanted, ours, backends, sent) in [
            ("", "us-east-1", "us-east-1", "none"),
            ("", "eu-west-1", "us-east-1", "none"),
            ("eu-west-1", "eu-west-1", "us-east-1", "none"),
            ("EU", "eu-west-1", "us-east-1", "none"),
            ("eu-west-1", "eu-west-1", "eu-west-1", "eu-west-1"),
            ("", "us-east-1", "eu-west-1", "eu-west-1"),
            ("eu-west-1", "us-east-1", "us-east-1", "none"),
        ] {
            assert_eq!(translated(wanted, ours, backends), sent, "{wanted} {ours}");
        }
    }

    #[test]
    fn a_bucket_is_where_its_request_says_and_its_endpoint_allows() {
        use S3Code::IllegalLocationConstraint as Illegal;
        use S3Code::InvalidLocationConstraint as Invalid;

        let region = |name: &str| name.parse().unwrap();
        let others = ["eu-west-1", "us-east-1", "us-west-2"].map(region);
        for (own, endpoint, wanted, expected) in [
            ("us-east-1", "us-east-1", "", Ok(None)),
            ("us-east-1", "us-east-1", "us-west-2", Ok(Some("us-west-2"))),
            ("us-east-1", "us-east-1", "EU", Ok(Some("EU"))),
            ("us-east-1", "us-east-1", "us-east-1", Err(Invalid)),
            ("us-east-1", "us-east-1", "aws-global", Err(Invalid)),
            ("us-east-1", "us-west-2", "us-west-2", Ok(Some("us-west-2"))),
            ("us-east-1", "us-west-2", "", Err(Illegal)),
            ("us-east-1", "us-west-2", "us-east-1", Err(Illegal)),
            ("us-east-1", "us-west-2", "EU", Err(Illegal)),
            ("eu-west-1", "eu-west-1", "", Ok(None)),
            ("eu-west-1", "eu-west-1", "eu-west-1", Ok(None)),
            ("eu-west-1", "us-east-1", "", Ok(Some("us-east-1"))),
        ] {
            let regions = Regions::new(region(own), &others);
            let found = location(wanted).of_bucket(endpoint, &regions);
            let found = found.map_err(|error| error.code());
            let expected = expected.map(|it: Option<&str>| it.map(str::to_owned));
            assert_eq!(found, expected, "{own} {endpoint} {wanted}");
        }
        let malformed = Location::read(&Bytes::from_static(b"<a/>")).err().unwrap();
        assert_eq!(malformed.code(), S3Code::MalformedXml);
    }
}
