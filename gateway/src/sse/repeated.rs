//! Encryption headers of a request that completes an upload.
//!
//! AWS refuses them there. minio-go, and with it many programs, sends those of the upload's creation again to every
//! server but AWS's, and MinIO, Ceph and SeaweedFS accept them. So they are accepted where they say what the upload
//! was begun with, and decide nothing.

use http::HeaderMap;
use http::HeaderValue;

use crate::envelope::Protection;
use crate::error::S3Error;
use crate::sse::context::EncryptionContext;
use crate::sse::context::HEADER as CONTEXT;
use crate::sse::customer_key::CustomerKey;
use crate::sse::request;
use crate::sse::request::ALGORITHM;
use crate::sse::request::BUCKET_KEY;
use crate::sse::request::KEY_ID;
use crate::sse::request::Transport;
use crate::sse::response;

/// The customer key of a request that completes an upload, which was begun under `begun`.
///
/// # Errors
///
/// `InvalidArgument` for headers that say anything else than the upload's creation did; what S3 answers to a flawed
/// customer key.
pub fn for_completion(
    headers: &HeaderMap,
    transport: Transport,
    begun: &Protection,
) -> Result<Option<CustomerKey>, S3Error> {
    let mut original = HeaderMap::new();
    response::of_write(&mut original, begun, None);
    for name in request::OF_WRITES {
        if let Some(value) = headers.get(name)
            && !agrees(name, value, original.get(name))
        {
            return Err(request::unsupported(name, value));
        }
    }
    request::customer_key_of_read(headers, transport)
}

/// Whether a header repeats what the upload's creation was answered with.
fn agrees(name: &str, value: &HeaderValue, original: Option<&HeaderValue>) -> bool {
    let original = original.and_then(|original| original.to_str().ok());
    let (Ok(value), original) = (value.to_str().map(str::trim), original) else {
        return false;
    };
    match (name, original) {
        (ALGORITHM, Some(original)) => value == original,
        (KEY_ID, Some(arn)) => is_name_of(value, arn),
        (CONTEXT, Some(original)) => context(value).is_some_and(|it| Some(it) == context(original)),
        (BUCKET_KEY, original) => value.eq_ignore_ascii_case(original.unwrap_or("false")),
        _ => false,
    }
}

/// Whether `name` may stand for the key `arn`: its ARN, its id, or an alias, which may be another key's by now.
fn is_name_of(name: &str, arn: &str) -> bool {
    let id = arn.rsplit_once('/').map(|(_, id)| id);
    name == arn
        || Some(name) == id
        || name
            .rsplit(':')
            .next()
            .unwrap_or(name)
            .starts_with("alias/")
}

fn context(header: &str) -> Option<EncryptionContext> {
    EncryptionContext::from_header(header).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::KmsBlob;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/0a1b";

    fn repeats(name: &'static str, value: &str) -> bool {
        let begun = Protection::SseKms {
            kms: KmsBlob {
                key_arn: ARN.to_owned(),
                blob: Vec::new(),
                context: vec![("who".to_owned(), "me".to_owned())],
            },
            wrapped: None,
        };
        let value = HeaderValue::from_str(value).unwrap();
        let headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), value)]);
        for_completion(&headers, Transport::INTERNAL, &begun).is_ok()
    }

    #[test]
    fn a_key_is_repeated_by_its_arn_its_id_or_an_alias() {
        for name in [
            ARN,
            "0a1b",
            "alias/mine",
            "arn:aws:kms:us-east-1:111122223333:alias/mine",
        ] {
            assert!(repeats(KEY_ID, name), "{name}");
        }
        for name in [
            "",
            "1b",
            "key/0a1b",
            "arn:aws:kms:eu-west-1:111122223333:key/0a1b",
        ] {
            assert!(!repeats(KEY_ID, name), "{name}");
        }
    }

    #[test]
    fn a_context_is_repeated_whatever_its_spaces_are() {
        let header = |json: &str| base64::Engine::encode(&base64::prelude::BASE64_STANDARD, json);
        assert!(repeats(CONTEXT, &header(r#"{ "who" : "me" }"#)));
        assert!(!repeats(CONTEXT, &header(r#"{"who":"you"}"#)));
        assert!(!repeats(CONTEXT, &header("{}")));
        assert!(!repeats(CONTEXT, "no base64"));
    }

    #[test]
    fn the_switch_of_bucket_keys_is_repeated_where_it_was_off() {
        assert!(repeats(BUCKET_KEY, "False"));
        assert!(!repeats(BUCKET_KEY, "true"));
        assert!(!repeats(BUCKET_KEY, "perhaps"));
    }
}
