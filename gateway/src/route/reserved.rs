//! Header names that no client may use, because the gateway stores its own records under them.

use http::HeaderMap;

use crate::error::S3Error;

/// Refuses headers under the gateway's own metadata name, and names that a backend might take for
/// other ones.
///
/// Some servers read `x_amz_meta_a` as `x-amz-meta-a`. Every header is looked at: one that is
/// allowed does not make the next one so.
///
/// # Errors
///
/// `InvalidArgument` with the name.
pub fn check_headers(headers: &HeaderMap) -> Result<(), S3Error> {
    for name in headers.keys().map(http::HeaderName::as_str) {
        let Some(start) = name.as_bytes().first_chunk::<6>() else {
            continue;
        };
        let spelled_otherwise =
            start != b"x-amz-" && matches!(start, [b'x', _, b'a', b'm', b'z', _]);
        if !spelled_otherwise && start != b"x-amz-" {
            continue;
        }

        let dashed = |byte: &u8| if *byte == b'_' { b'-' } else { *byte };
        let starts_with = |start: &str| {
            let plain = name.as_bytes().iter().map(dashed);
            plain.take(start.len()).eq(start.bytes())
        };
        let confusable = spelled_otherwise && starts_with("x-amz-");
        if confusable || starts_with(RESERVED_METADATA) {
            let message = "This header name is reserved.";
            return Err(S3Error::invalid_argument(message, name, "null"));
        }
    }
    Ok(())
}

/// Start of the names of the gateway's own metadata on the backend.
const RESERVED_METADATA: &str = "x-amz-meta-sealgate";

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(names: &[&'static str]) -> Result<(), S3Error> {
        let pairs = names.iter().map(|name| {
            let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_static("v"))
        });
        check_headers(&pairs.collect())
    }

    #[test]
    fn the_gateways_own_metadata_cannot_be_sent_in_any_spelling() {
        for name in [
            "x-amz-meta-sealgate",
            "X-Amz-Meta-Sealgate",
            "x-amz-meta-sealgate-tail",
            "x_amz_meta_sealgate",
            "x-amz_meta-sealgate",
            "x-amz-meta_sealgate",
            "x_amz-acl",
        ] {
            assert!(check(&[name]).is_err(), "{name}");
            let among_others = ["x-amz-meta-a", "content-type", name, "x-amz-acl"];
            assert!(check(&among_others).is_err(), "{name} among others");
        }
    }

    #[test]
    fn metadata_of_the_clients_own_may_have_underscores() {
        assert!(check(&["x-amz-meta-my_key", "x-amz-meta-seal", "x_forwarded_for"]).is_ok());
    }
}
