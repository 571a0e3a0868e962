//! Names and aliases of access points.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/creating-access-points.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html>

use proto::identity::AccountId;

use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;

/// Refuses a name that no access point can have.
///
/// # Errors
///
/// `InvalidURI` for one that cannot stand in an address, `InvalidRequest` for the others.
pub(super) fn check(name: &str) -> Result<(), S3Error> {
    let stands_in_address =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    if !(3..=50).contains(&name.len()) || !name.chars().all(stands_in_address) {
        return Err(S3Error::new(S3Code::InvalidUri).detail("URI", format!("accesspoint/{name}")));
    }
    match is_name(name) {
        true => Ok(()),
        false => Err(S3Error::invalid_request(INVALID)),
    }
}

fn is_name(name: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (3..=50).contains(&name.len())
        && name.chars().all(is_allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !RESERVED_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether this can be the name of an Object Lambda access point.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-create.html>
#[must_use]
pub fn is_lambda_name(name: &str) -> bool {
    name.len() <= LAMBDA_NAME_MAX && is_name(name)
}

/// Name and account in the first label of a host: `NAME-ACCOUNT`, read from the right.
#[must_use]
pub fn in_host_label(label: &str) -> Option<(&str, AccountId)> {
    let (name, account) = label.rsplit_once('-')?;
    let account = account.parse().ok()?;
    is_name(name).then_some((name, account))
}

/// A new alias for an access point of this name, with this end.
#[must_use]
pub fn new_alias(name: &str, end: &str, random: &dyn Random) -> String {
    let start: String = name.chars().take(ALIAS_START_MAX).collect();
    let mut alias = format!("{start}-");
    while alias.len() < start.len() + 1 + ALIAS_RANDOM {
        let mut bytes = [0; 64];
        random.fill(&mut bytes);
        // Bytes beyond the last multiple of 36 would make some characters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 252);
        let characters = fair.filter_map(|byte| ALPHABET.get(usize::from(byte % 36)));
        let missing = start.len() + 1 + ALIAS_RANDOM - alias.len();
        alias.extend(characters.take(missing).map(|byte| char::from(*byte)));
    }
    alias.push_str(end);
    alias
}

/// Whether a name is in the form of an alias.
#[must_use]
pub fn is_alias(name: &str) -> bool {
    name.ends_with(ALIAS_END)
}

const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
/// The end of the aliases of access points.
pub(super) const ALIAS_END: &str = "-s3alias";

/// Characters of the name that its alias begins with, at most.
const ALIAS_START_MAX: usize = 20;

/// Random characters of an alias.
const ALIAS_RANDOM: usize = 34;

/// Longest name of an Object Lambda access point.
const LAMBDA_NAME_MAX: usize = 45;

/// Ends that AWS reserves.
const RESERVED_ENDS: [&str; 5] = ["-s3alias", "--ol-s3", "--op-s3", "--xa-s3", "--x-s3"];

const INVALID: &str = "Your Amazon S3 AccessPoint name is invalid";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::random::SystemRandom;

    #[test]
    fn a_name_that_is_none_is_refused_as_at_aws() {
        let code = |name: &str| check(name).map_err(|error| error.code());
        for name in ["ab", "A_b", "my_ap", "UPPER", &"a".repeat(51), "a b"] {
            assert_eq!(code(name), Err(S3Code::InvalidUri), "{name}");
        }
        for name in ["-ab", "ab-", "a.b", "ab-s3alias", "ab--ol-s3"] {
            assert_eq!(code(name), Err(S3Code::InvalidRequest), "{name}");
        }
        for name in ["abc", "1-2", &"a".repeat(50)] {
            assert_eq!(code(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_host_label_is_read_from_the_right() {
        let read = |label| in_host_label(label).map(|(name, account)| (name, account.to_string()));
        let both = |name: &'static str| Some((name, "111122223333".to_owned()));
        assert_eq!(read("my-ap-111122223333"), both("my-ap"));
        let of_digits = read("111122223333-111122223333");
        assert_eq!(of_digits, both("111122223333"));
        for label in [
            "my-ap",
            "my-ap-11112222333",
            "111122223333",
            "-111122223333",
            "ab-111122223333",
        ] {
            assert_eq!(read(label), None, "{label}");
        }
    }

    #[test]
    fn an_alias_has_the_form_of_a_bucket_name() {
        let alias = new_alias("my-ap", ALIAS_END, &SystemRandom);
        let random = alias.strip_prefix("my-ap-").unwrap();
        let random = random.strip_suffix("-s3alias").unwrap();
        let is_random = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(
            random.len() == 34 && random.chars().all(is_random),
            "{alias}"
        );
        assert_eq!(
            new_alias(&"a".repeat(50), ALIAS_END, &SystemRandom).len(),
            63
        );
        assert_ne!(alias, new_alias("my-ap", ALIAS_END, &SystemRandom));
    }
}
