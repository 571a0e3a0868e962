//! Bearer tokens: how a user of the KMS authenticates over gRPC.
//!
//! A token is five fields between dots, in ASCII, of at most [`TOKEN_BYTES_MAX`] bytes:
//!
//! ```text
//! sealgate1.AKIAEXAMPLE.1767323045.*.wJx0...   (43 characters)
//! ```
//!
//! 1. the version of this format;
//! 2. the user's access key id, which alone may contain dots;
//! 3. when the token expires, in seconds since 1970;
//! 4. the one Region that it is for, or `*` for every Region;
//! 5. HMAC-SHA256 over all that stands before the last dot, in base64url without padding.
//!
//! The key of the HMAC is HMAC-SHA256 of the audience `kms` under `sealgate1` and the user's secret
//! access key. A user therefore makes tokens without a server, as one signs requests, nothing of a
//! token is stored, and it ends with the secret that it was made from. The prefix of the key separates it
//! from Signature Version 4, whose prefix is `AWS4`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::identity::Region;
use crate::identity::Secret;
use crate::time::Timestamp;

/// Makes a token for the user with that access key.
///
/// # Errors
///
/// [`UnusableKeyId`] for an access key id that no header can contain, or too long a one.
pub fn issue_token(
    access_key_id: &str,
    secret_access_key: &Secret,
    expires: Timestamp,
    region: Option<&Region>,
) -> Result<Secret, UnusableKeyId> {
    let is_usable =
        !access_key_id.is_empty() && access_key_id.bytes().all(|b| b.is_ascii_graphic());
    let expires = u64::try_from(expires.unix_seconds()).unwrap_or_default();
    let region = region.map_or(EVERY_REGION, Region::as_str);
    let signed = format!("{VERSION}.{access_key_id}.{expires}.{region}");
    let mac = keyed(secret_access_key)
        .chain_update(&signed)
        .finalize()
        .into_bytes();
    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac));
    if is_usable && token.len() <= TOKEN_BYTES_MAX {
        Ok(Secret::new(token))
    } else {
        Err(UnusableKeyId)
    }
}

/// What a token claims, before it is verified. Has no `Debug`: whoever reads a token can use it.
pub struct TokenClaim<'a> {
    /// The user's access key id.
    pub access_key_id: &'a str,
    /// The one Region that the token is for; none if it is for every Region.
    pub region: Option<Region>,
    expires: Timestamp,
    signed: &'a str,
    mac: [u8; 32],
}

impl<'a> TokenClaim<'a> {
    /// Reads a token.
    ///
    /// # Errors
    ///
    /// [`TokenError::Malformed`] for a text that is none of this version.
    pub fn parse(token: &'a [u8]) -> Result<Self, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }

        let token = std::str::from_utf8(token).ok();
        token.and_then(Self::read).ok_or(TokenError::Malformed)
    }

    fn read(token: &'a str) -> Option<Self> {
        let (signed, mac) = token.rsplit_once('.')?;
        let fields = signed.strip_prefix(VERSION)?.strip_prefix('.')?;
        let (fields, region) = fields.rsplit_once('.')?;
        let (access_key_id, expires) = fields.rsplit_once('.')?;
        let region = match region {
            EVERY_REGION => None,
            name => Some(name.parse().ok()?),
        };
        let is_number = expires.bytes().all(|byte| byte.is_ascii_digit());
        let expires: i64 = expires.parse().ok().filter(|_| is_number)?;
        Some(Self {
            access_key_id: Some(access_key_id).filter(|id| !id.is_empty())?,
            region,
            expires: Timestamp::from_unix_seconds(expires),
            signed,
            mac: URL_SAFE_NO_PAD.decode(mac).ok()?.try_into().ok()?,
        })
    }

    /// Checks that the holder of `secret_access_key` made the token, in time that does not depend on
    /// where the codes differ, and that it has not expired `now`.
    ///
    /// # Errors
    ///
    /// [`TokenError::Forged`], or [`TokenError::Expired`] for a token that was good once.
    pub fn verify(&self, secret_access_key: &Secret, now: Timestamp) -> Result<(), TokenError> {
        let mac = keyed(secret_access_key).chain_update(self.signed);
        mac.verify_slice(&self.mac)
            .map_err(|_| TokenError::Forged)?;
        if now < self.expires {
            Ok(())
        } else {
            Err(TokenError::Expired(self.expires))
        }
    }
}

/// Whether a bearer token means to be one of these, in any version.
#[must_use]
pub fn is_token(bearer: &[u8]) -> bool {
    bearer.starts_with(b"sealgate")
}

/// HMAC-SHA256 under the key for tokens of one secret.
fn keyed(secret_access_key: &Secret) -> Hmac<Sha256> {
    let secret = secret_access_key.expose();
    let first = Zeroizing::new([VERSION, secret].concat());
    let hmac = |key: &[u8]| {
        Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length (RFC 2104)")
    };
    let key = hmac(first.as_bytes()).chain_update(AUDIENCE).finalize();
    hmac(&Zeroizing::new(<[u8; 32]>::from(key.into_bytes()))[..])
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of this version.
    #[error("it is no token of the form that `sealgate token` prints")]
    Malformed,
    /// Nobody with the user's secret access key made it.
    #[error("its signature is not by the secret access key that its user has now")]
    Forged,
    /// Its time is over.
    #[error("it expired at {}", .0.iso8601())]
    Expired(Timestamp),
}

/// An access key id that no token can contain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an access key id in a token has visible ASCII characters, 400 at most")]
pub struct UnusableKeyId;

/// Longest token, in bytes. AWS's access key ids have 128 at most.
pub const TOKEN_BYTES_MAX: usize = 512;

const VERSION: &str = "sealgate1";
const AUDIENCE: &str = "kms";
const EVERY_REGION: &str = "*";

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "AKIDEXAMPLE";

    fn secret() -> Secret {
        Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    }

    fn expires() -> Timestamp {
        Timestamp::from_unix_seconds(1_767_323_045)
    }

    fn token() -> String {
        let token = issue_token(ID, &secret(), expires(), None).unwrap();
        token.expose().to_owned()
    }

    /// Computed by Python: `hmac.new(hmac.new(b"sealgate1" + secret, b"kms", "sha256").digest(), ...)`.
    #[test]
    fn a_token_has_the_bytes_of_its_description() {
        assert_eq!(token(), format!("sealgate1.{ID}.1767323045.*.{PYTHONS}"));
    }

    #[test]
    fn a_token_is_good_until_it_expires_and_for_its_secret_alone() {
        let token = token();
        let claim = TokenClaim::parse(token.as_bytes()).ok().unwrap();
        assert_eq!((claim.access_key_id, &claim.region), (ID, &None));
        let second = std::time::Duration::from_secs(1);
        assert_eq!(claim.verify(&secret(), expires().minus(second)), Ok(()));
        let late = claim.verify(&secret(), expires());
        assert_eq!(late, Err(TokenError::Expired(expires())));
        let forged = claim.verify(&Secret::new("another"), expires().minus(second));
        assert_eq!(forged, Err(TokenError::Forged));
    }

    #[test]
    fn a_key_id_with_dots_and_a_region_come_back() {
        let region: Region = "eu-west-1".parse().unwrap();
        let token = issue_token("a.b.c", &secret(), expires(), Some(&region)).unwrap();
        let claim = TokenClaim::parse(token.expose().as_bytes()).ok().unwrap();
        assert_eq!(
            (claim.access_key_id, &claim.region),
            ("a.b.c", &Some(region))
        );
    }

    #[test]
    fn no_field_of_a_token_can_be_changed() {
        let token = token();
        for (old, new) in [
            (ID, "AKIDOTHER"),
            ("1767323045", "1967323045"),
            ("1767323045", "01767323045"),
            ("*", "us-east-1"),
        ] {
            let changed = token.replace(old, new);
            let claim = TokenClaim::parse(changed.as_bytes()).ok().unwrap();
            let verdict = claim.verify(&secret(), Timestamp::from_unix_seconds(0));
            assert_eq!(verdict, Err(TokenError::Forged), "{changed}");
        }
        for at in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[at] ^= 1;
            let verdict = TokenClaim::parse(&changed)
                .and_then(|claim| claim.verify(&secret(), Timestamp::from_unix_seconds(0)));
            assert!(verdict.is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_text_of_another_form_is_malformed() {
        let token = token();
        let huge = format!("sealgate1.{}{}", "a".repeat(512), &token[9..]);
        for text in [
            "",
            "sealgate1",
            "sealgate1....",
            &token.replace("sealgate1", "sealgate2"),
            &token.replace("sealgate1", "SEALGATE1"),
            &token.replace(ID, ""),
            &token.replace("1767323045", "+1767323045"),
            &token.replace("1767323045", "99999999999999999999"),
            &token.replace('*', ""),
            &token.replace('*', "US_EAST"),
            &token[..token.len() - 1],
            &format!("{token}="),
            &format!("{token}\n"),
            &huge,
        ] {
            let refusal = TokenClaim::parse(text.as_bytes()).err();
            assert_eq!(refusal, Some(TokenError::Malformed), "{text}");
        }
        assert!(TokenClaim::parse(b"sealgate1.\xff.1.*.AAAA").is_err());
    }

    #[test]
    fn a_key_id_that_no_header_can_contain_gets_no_token() {
        for id in ["", "a b", "a\n", "ä", &"a".repeat(500)] {
            assert!(issue_token(id, &secret(), expires(), None).is_err(), "{id}");
        }
    }

    const PYTHONS: &str = "E8rlkQUCtLXRVOdYAeWw6AQ4B1IoDlw9N4SyLEUVVBY";
}
