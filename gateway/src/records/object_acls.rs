//! Access control lists of objects: one record each, beside the sealed object, whose bytes do not change.
//!
//! A record is `buckets/<bucket>/acls/<incarnation>/<digest>`. The digest is one of the key and of the object's
//! envelope, which no other object has: an object that is overwritten, or one that somebody restores at the backend,
//! does not inherit the list of another. It is written before the object is, so a gateway that dies in between leaves
//! a list of nothing. An object without a record belongs to the bucket's owner and is private.
//!
//! Whoever controls the backend can restore an older version of one record, as of any ([`crate::records::record`]).

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::StatusCode;
use serde::Deserialize;
use serde::Serialize;

use crate::backend::Backend;
use crate::backend::BackendRequest;
use crate::chunks::cipher;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::protocol::acl::Acl;
use crate::protocol::headers::ENVELOPE;
use crate::records::record::RecordReading;
use crate::records::record::Records;
use crate::state::State;

/// The access control lists of objects.
pub struct ObjectAcls {
    backend: Arc<Backend>,
    state: State,
    records: Records,
}

/// Which objects of a name.
#[derive(Clone, Copy, Debug)]
pub struct AclKey<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// Which of the buckets of that name.
    pub incarnation: &'a str,
    /// The key.
    pub key: &'a str,
}

/// The list of an object that is about to be written.
#[derive(Clone, Debug)]
pub struct NewObjectAcl {
    /// Which of the buckets of the name the request was judged by.
    pub incarnation: String,
    /// The list.
    pub acl: Acl,
}

/// The refusal of what no delete marker takes.
pub(crate) fn is_marker() -> S3Error {
    let error = S3Error::new(S3Code::MethodNotAllowed);
    error.header(DELETE_MARKER, HeaderValue::from_static("true"))
}

/// Whether an object that is not there is behind a delete marker, by the headers of [`ObjectAcls::current`].
pub(crate) fn is_behind_marker(headers: &HeaderMap) -> bool {
    headers.contains_key(DELETE_MARKER)
}

const DELETE_MARKER: http::HeaderName = http::HeaderName::from_static("x-amz-delete-marker");

/// An object as a request was judged by its list: only this one may be read with the permit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JudgedObject {
    /// There was none.
    Absent,
    /// The one with this envelope; none of an object that was never sealed.
    Present(Option<HeaderValue>),
}

impl JudgedObject {
    /// Refuses an object that is another one than was judged.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable`, so that clients try again: the object was written meanwhile.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), S3Error> {
        match self {
            Self::Present(envelope) if envelope.as_ref() == headers.get(ENVELOPE) => Ok(()),
            _ => Err(S3Error::new(S3Code::ServiceUnavailable)),
        }
    }
}

/// A record as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    key: String,
    acl: Acl,
}

impl ObjectAcls {
    /// Those in `records`, of objects at the backend of `state`.
    #[must_use]
    pub fn new(state: State, records: Records) -> Self {
        Self {
            backend: Arc::clone(state.shared_backend()),
            state,
            records,
        }
    }

    /// The object of a name, or the version of it, that is at the backend now, and its headers; without an object, that
    /// of a delete marker.
    ///
    /// # Errors
    ///
    /// `MethodNotAllowed` for a version that is a delete marker; the backend's other refusal; `ServiceUnavailable` when
    /// it gives no usable answer.
    pub async fn current(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> Result<(JudgedObject, HeaderMap), S3Error> {
        let request = BackendRequest::object(Method::HEAD, bucket, key);
        match self
            .backend
            .fetch(request.query_if("versionId", version))
            .await
        {
            Ok(answer) => {
                let headers = answer.into_parts().0.headers;
                let envelope = headers.get(ENVELOPE).cloned();
                Ok((JudgedObject::Present(envelope), headers))
            }
            Err(error) if error.is_refused_as(StatusCode::NOT_FOUND) => {
                let mut headers = HeaderMap::new();
                let refusal = error.refusal();
                if refusal.is_some_and(|error| error.has_header(&DELETE_MARKER)) {
                    headers.insert(DELETE_MARKER, HeaderValue::from_static("true"));
                }
                Ok((JudgedObject::Absent, headers))
            }
            Err(error) if error.is_refused_as(StatusCode::METHOD_NOT_ALLOWED) => Err(is_marker()),
            Err(error) => Err(error.into()),
        }
    }

    /// The list of the object with this envelope, if it has one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read, `InternalError` when the record is not as it was written.
    /// What the list would have permitted must be refused then.
    pub async fn find(
        &self,
        key: AclKey<'_>,
        envelope: &HeaderValue,
    ) -> Result<Option<Acl>, S3Error> {
        let name = key.name(envelope);
        match self.records.read_document::<Document>(&name, None).await? {
            RecordReading::Value(document, _) if is_of(&document, key) => Ok(Some(document.acl)),
            RecordReading::Value(..) => Err(S3Error::internal()),
            RecordReading::Absent | RecordReading::Unchanged => Ok(None),
        }
    }

    /// Whether no object of a bucket has a list.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read.
    pub(crate) async fn is_empty(&self, bucket: &str, incarnation: &str) -> Result<bool, S3Error> {
        let prefix = prefix(bucket, incarnation);
        let page = self.state.page(&prefix, None, false).await?;
        Ok(page.entries.is_empty())
    }

    /// Stores the list of the object with this envelope.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written. An object that is not there yet must not be written then.
    pub async fn store(
        &self,
        key: AclKey<'_>,
        envelope: &HeaderValue,
        acl: Acl,
    ) -> Result<(), S3Error> {
        let document = Document {
            version: VERSION,
            key: key.key.to_owned(),
            acl,
        };
        let name = key.name(envelope);
        self.records.write_document(&name, &document).await?;
        Ok(())
    }

    /// Removes the list of an object that was deleted. What cannot be removed stays behind and does no harm.
    pub async fn remove(&self, key: AclKey<'_>, envelope: &HeaderValue) {
        if let Err(error) = self.state.remove(&key.name(envelope)).await {
            tracing::warn!(bucket = key.bucket, %error, "the access control list of a deleted object stays behind");
        }
    }
}

impl AclKey<'_> {
    fn name(&self, envelope: &HeaderValue) -> String {
        let digest = cipher::sha256(&[
            LABEL,
            &(self.key.len() as u64).to_be_bytes(),
            self.key.as_bytes(),
            envelope.as_bytes(),
        ]);
        let prefix = prefix(self.bucket, self.incarnation);
        format!("{prefix}{}", hex::encode(digest))
    }
}

/// The start of the names of the lists of a bucket's objects.
pub(crate) fn prefix(bucket: &str, incarnation: &str) -> String {
    format!("buckets/{bucket}/acls/{incarnation}/")
}

/// Whether a record is one that this version reads, of this key.
fn is_of(document: &Document, key: AclKey<'_>) -> bool {
    document.version == VERSION && document.key == key.key
}

const VERSION: u32 = 1;

/// Names this use of SHA-256; the zero byte ends the label.
const LABEL: &[u8] = b"sealgate/acl@v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_envelope_key_and_bucket_has_a_list_of_its_own() {
        let place = AclKey {
            bucket: "b",
            incarnation: "1",
            key: "k",
        };
        let envelope = HeaderValue::from_static("e");
        let other = HeaderValue::from_static("f");
        let names = [
            place.name(&envelope),
            place.name(&other),
            AclKey { key: "l", ..place }.name(&envelope),
            AclKey {
                incarnation: "2",
                ..place
            }
            .name(&envelope),
            AclKey {
                bucket: "c",
                ..place
            }
            .name(&envelope),
        ];
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{name}");
        }
    }

    #[test]
    fn only_the_object_that_was_judged_is_read() {
        let sealed = |value: &'static str| {
            HeaderMap::from_iter([(ENVELOPE, HeaderValue::from_static(value))])
        };
        let judged = JudgedObject::Present(Some(HeaderValue::from_static("e")));
        assert!(judged.check(&sealed("e")).is_ok());
        for (judged, headers) in [
            (judged.clone(), sealed("f")),
            (judged, HeaderMap::new()),
            (JudgedObject::Present(None), sealed("e")),
            (JudgedObject::Absent, sealed("e")),
            (JudgedObject::Absent, HeaderMap::new()),
        ] {
            let error = judged.check(&headers).unwrap_err();
            assert_eq!(error.code(), S3Code::ServiceUnavailable, "{judged:?}");
        }
    }
}
