//! The scope of a signing key: one day, one Region, one service.

use std::fmt;

use time::Date;
use time::Month;

use crate::identity::Region;
use crate::sigv4::TERMINATOR;
use crate::sigv4::split::Ascii;
use crate::sigv4::split::split;
use crate::time::Timestamp;

/// `20250101/us-east-1/s3/aws4_request`: what a signing key is derived for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialScope {
    /// The UTC day, `YYYYMMDD`.
    pub date: String,
    /// The Region.
    pub region: String,
    /// The service: `s3`, `kms`.
    pub service: String,
}

impl CredentialScope {
    /// The scope of a request made at `timestamp`.
    #[must_use]
    pub fn new(timestamp: Timestamp, region: &str, service: &str) -> Self {
        Self {
            date: timestamp.date8(),
            region: region.to_owned(),
            service: service.to_owned(),
        }
    }

    /// Reads `YYYYMMDD/region/service/aws4_request` for whichever Region and service.
    ///
    /// # Errors
    ///
    /// [`CredentialError`] when there are not four parts, the date is none, the Region or the
    /// service is empty, or the terminator is another.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let [date, region, service, terminator] = parts(text).ok_or(CredentialError::Malformed)?;
        let scope = Self::from_parts(date, region, service, None)?;
        if terminator == TERMINATOR {
            Ok(scope)
        } else {
            Err(CredentialError::terminal(terminator))
        }
    }

    fn from_parts(
        date: &str,
        region: &str,
        service: &str,
        expected: Option<&Expected<'_>>,
    ) -> Result<Self, CredentialError> {
        if !is_date(date) {
            return Err(CredentialError::DateFormat {
                date: date.to_owned(),
            });
        }
        if region.is_empty() {
            return Err(CredentialError::EmptyRegion);
        }
        if let Some(wanted) = expected.and_then(|expected| expected.region)
            && wanted != region
            && !expected.is_some_and(|it| it.others.iter().any(|other| other.as_str() == region))
        {
            let (region, expected) = (region.to_owned(), wanted.to_owned());
            return Err(CredentialError::WrongRegion { region, expected });
        }
        let wanted = expected.map_or(service, |expected| expected.service);
        if wanted != service || service.is_empty() {
            let (service, expected) = (service.to_owned(), wanted.to_owned());
            return Err(CredentialError::WrongService { service, expected });
        }
        let (date, region, service) = (date.to_owned(), region.to_owned(), service.to_owned());
        Ok(Self {
            date,
            region,
            service,
        })
    }
}

impl fmt::Display for CredentialScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{}/{}/{TERMINATOR}",
            self.date, self.region, self.service
        )
    }
}

/// What the scope of a request must name to be for this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The server's Region; `None` serves every Region.
    pub region: Option<&'a str>,
    /// Further Regions that it serves.
    pub others: &'a [Region],
    /// The server's service: `s3`, `kms`.
    pub service: &'a str,
}

/// An access key id and the scope it signs in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Credential {
    /// Whose key signed.
    pub access_key_id: String,
    /// What the signing key was derived for.
    pub scope: CredentialScope,
}

impl Credential {
    /// Reads `AKID/YYYYMMDD/region/service/aws4_request`.
    ///
    /// The checks are in S3's order: parts, access key, date, Region, service,
    /// terminator.
    ///
    /// # Errors
    ///
    /// [`CredentialError`], whose text is S3's without its start.
    pub fn parse(text: &str, expected: &Expected<'_>) -> Result<Self, CredentialError> {
        let [access_key_id, date, region, service, terminator] =
            parts(text).ok_or(CredentialError::Malformed)?;
        if access_key_id.is_empty() {
            return Err(CredentialError::EmptyAccessKey);
        }
        let scope = CredentialScope::from_parts(date, region, service, Some(expected))?;
        if terminator != TERMINATOR {
            return Err(CredentialError::terminal(terminator));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            scope,
        })
    }
}

/// The parts between the slashes, if there are exactly `N`.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let (mut found, mut pieces) = ([""; N], split(text, Ascii::new(b'/')));
    for place in &mut found {
        *place = pieces.next()?;
    }
    pieces.next().is_none().then_some(found)
}

/// Whether `text` is the eight digits of a day that exists.
fn is_date(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) && {
        let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u16>().ok();
        let month = number(4..6).and_then(|month| Month::try_from(u8::try_from(month).ok()?).ok());
        let day = number(6..8).and_then(|day| u8::try_from(day).ok());
        let parts = number(0..4).zip(month).zip(day);
        parts.is_some_and(|((year, month), day)| {
            Date::from_calendar_date(year.into(), month, day).is_ok()
        })
    }
}

/// Why a credential is refused. The texts are S3's, without the start that names header or query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// Not five parts.
    #[error(
        "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
    )]
    Malformed,
    /// Nothing before the first slash.
    #[error("a non-empty Access Key (AKID) must be provided in the credential.")]
    EmptyAccessKey,
    /// The date is not the eight digits of a day.
    #[error(
        "incorrect date format \"{date}\". This date in the credential must be in the format \"yyyyMMdd\"."
    )]
    DateFormat {
        /// The date as sent.
        date: String,
    },
    /// No Region between the slashes.
    #[error("a non-empty region must be provided in the credential.")]
    EmptyRegion,
    /// Signed for another Region; S3 also answers with the expected one as element `Region`.
    #[error("the region '{region}' is wrong; expecting '{expected}'")]
    WrongRegion {
        /// The Region as sent.
        region: String,
        /// The server's Region.
        expected: String,
    },
    /// Signed for another service.
    #[error("incorrect service \"{service}\". This endpoint belongs to \"{expected}\".")]
    WrongService {
        /// The service as sent.
        service: String,
        /// The server's service.
        expected: String,
    },
    /// The last part is not `aws4_request`.
    #[error("incorrect terminal \"{terminal}\". This endpoint uses \"aws4_request\".")]
    WrongTerminal {
        /// The last part as sent.
        terminal: String,
    },
}

impl CredentialError {
    fn terminal(terminal: &str) -> Self {
        Self::WrongTerminal {
            terminal: terminal.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S3: Expected<'_> = Expected {
        region: Some("us-east-1"),
        others: &[],
        service: "s3",
    };

    fn refusal(text: &str) -> String {
        Credential::parse(text, &S3).unwrap_err().to_string()
    }

    #[test]
    fn a_credential_is_an_access_key_and_a_scope() {
        let credential = Credential::parse("AKID/20130524/us-east-1/s3/aws4_request", &S3).unwrap();
        assert_eq!(credential.access_key_id, "AKID");
        assert_eq!(
            credential.scope.to_string(),
            "20130524/us-east-1/s3/aws4_request"
        );
    }

    #[test]
    fn a_server_of_every_region_takes_every_region() {
        let expected = Expected {
            region: None,
            others: &[],
            service: "kms",
        };
        let text = "AKID/20130524/eu-central-1/kms/aws4_request";
        assert_eq!(
            Credential::parse(text, &expected).unwrap().scope.region,
            "eu-central-1"
        );
    }

    #[test]
    fn a_server_of_some_regions_takes_those_and_names_its_own_to_others() {
        let others = ["eu-west-1".parse().unwrap()];
        let expected = Expected {
            others: &others,
            ..S3
        };
        let refusal = |region: &str| {
            let text = format!("AKID/20130524/{region}/s3/aws4_request");
            Credential::parse(&text, &expected).err()
        };
        assert_eq!((refusal("us-east-1"), refusal("eu-west-1")), (None, None));
        let named = CredentialError::WrongRegion {
            region: "eu-west-2".to_owned(),
            expected: "us-east-1".to_owned(),
        };
        assert_eq!(refusal("eu-west-2"), Some(named));
    }

    #[test]
    fn the_refusals_are_s3s_own() {
        let expecting = "the Credential is mal-formed; expecting \
            \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
        assert_eq!(refusal("AKID"), expecting);
        assert_eq!(
            refusal("AK/ID/20130524/us-east-1/s3/aws4_request"),
            expecting
        );
        assert_eq!(
            refusal("/20130524/us-east-1/s3/aws4_request"),
            "a non-empty Access Key (AKID) must be provided in the credential."
        );
        assert_eq!(
            refusal("AKID/2013-05-24/us-east-1/s3/aws4_request"),
            "incorrect date format \"2013-05-24\". \
             This date in the credential must be in the format \"yyyyMMdd\"."
        );
        assert_eq!(
            refusal("AKID/20130524//s3/aws4_request"),
            "a non-empty region must be provided in the credential."
        );
        assert_eq!(
            refusal("AKID/20130524/us-west-2/s3/aws4_request"),
            "the region 'us-west-2' is wrong; expecting 'us-east-1'"
        );
        assert_eq!(
            refusal("AKID/20130524/us-east-1/iam/aws4_request"),
            "incorrect service \"iam\". This endpoint belongs to \"s3\"."
        );
        assert_eq!(
            refusal("AKID/20130524/us-east-1/s3/aws3_request"),
            "incorrect terminal \"aws3_request\". This endpoint uses \"aws4_request\"."
        );
    }

    #[test]
    fn of_several_faults_the_first_in_s3s_order_is_named() {
        let date = refusal("AKID/2013/us-west-2/iam/aws3_request");
        assert!(date.starts_with("incorrect date format"), "{date}");
        let region = refusal("AKID/20130524/us-west-2/iam/aws3_request");
        assert!(region.starts_with("the region"), "{region}");
        let service = refusal("AKID/20130524/us-east-1/iam/aws3_request");
        assert!(service.starts_with("incorrect service"), "{service}");
    }

    #[test]
    fn a_date_must_be_a_day() {
        for date in [
            "20130230",
            "2013052",
            "201305240",
            "+2013524",
            "2013O524",
            "",
            "20131324",
        ] {
            let text = format!("AKID/{date}/us-east-1/s3/aws4_request");
            assert!(
                refusal(&text).starts_with("incorrect date format"),
                "{date}"
            );
        }
    }

    #[test]
    fn a_scope_reads_back() {
        let scope = CredentialScope::parse("20130524/us-east-1/s3/aws4_request").unwrap();
        assert_eq!(scope.to_string(), "20130524/us-east-1/s3/aws4_request");
        for text in [
            "",
            "20130524/us-east-1/s3",
            "20130524/us-east-1/s3/aws4",
            "20130524//s3/aws4_request",
            "20130524/us-east-1//aws4_request",
            "a/20130524/us-east-1/s3/aws4_request",
        ] {
            assert!(CredentialScope::parse(text).is_err(), "{text}");
        }
    }
}
