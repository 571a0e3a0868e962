//! The bearer token of admin ports: whether a request presents it.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

use crate::identity::Secret;
use crate::sigv4::sha256_hex;

/// Whether the headers have `authorization: Bearer TOKEN` with this token. Takes as long for every wrong one.
#[must_use]
pub fn is_presented(headers: &HeaderMap, token: &Secret) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(presented), None) = (values.next(), values.next()) else {
        return false;
    };
    // Digests have one length, so that the comparison does not show the token's.
    let expected = sha256_hex(format!("Bearer {}", token.expose()).as_bytes());
    let presented = sha256_hex(presented.as_bytes());
    expected.as_bytes().ct_eq(presented.as_bytes()).into()
}

/// Whether a text is this token. Takes as long for every wrong one.
#[must_use]
pub fn is_equal(text: &str, token: &Secret) -> bool {
    let expected = sha256_hex(token.expose().as_bytes());
    let given = sha256_hex(text.as_bytes());
    expected.as_bytes().ct_eq(given.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_the_whole_token_is_equal() {
        let token = Secret::new("sixteen-letters!");
        assert!(is_equal("sixteen-letters!", &token));
        for text in [
            "",
            "sixteen-letters",
            "Sixteen-letters!",
            "sixteen-letters!\0",
        ] {
            assert!(!is_equal(text, &token), "{text:?}");
        }
    }

    #[test]
    fn only_the_whole_token_presented_once_counts() {
        let token = Secret::new("sixteen-letters!");
        let with = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            is_presented(&headers, &token)
        };
        assert!(with(&["Bearer sixteen-letters!"]));
        for values in [
            &[][..],
            &[""],
            &["Bearer "],
            &["Bearer sixteen-letters"],
            &["Bearer sixteen-letters!!"],
            &["bearer sixteen-letters!"],
            &["sixteen-letters!"],
            &["Bearer sixteen-letters!", "Bearer sixteen-letters!"],
        ] {
            assert!(!with(values), "{values:?}");
        }
    }
}
