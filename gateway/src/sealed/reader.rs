//! Who reads an object, by which means, and what to do when it changes meanwhile.

use std::ops::Range;
use std::sync::Arc;

use http::HeaderValue;
use http::Method;
use http::StatusCode;
use http::header;

use crate::backend::BackendError;
use crate::backend::BackendRequest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::protocol::etag::ETag;
use crate::records::object_acls::JudgedObject;
use crate::request::S3Request;
use crate::sse::customer_key::CustomerKey;
use crate::sse::request::Transport;

/// Who reads an object, and by which means.
pub(crate) struct Reader {
    pub(crate) name: ObjectName,
    pub(crate) version: Option<String>,
    pub(crate) customer_key: Option<CustomerKey>,
    pub(crate) requester: Requester,
    pub(crate) transport: Transport,
    /// Whether the answer that there is no such object is `AccessDenied`.
    pub(crate) hides_absence: bool,
    /// The object that may be read; any if absent.
    pub(crate) judged: Option<Arc<JudgedObject>>,
}

impl Reader {
    /// The client that sent a request about the object `name`.
    pub(crate) fn from_request(
        request: &S3Request,
        name: ObjectName,
        customer_key: Option<CustomerKey>,
        transport: Transport,
    ) -> Self {
        Self {
            name,
            version: request.target.query.get("versionId").map(str::to_owned),
            customer_key,
            requester: Requester::of(request),
            transport,
            hides_absence: false,
            judged: None,
        }
    }

    /// The gateway itself, which looks at an object without opening it for anybody.
    pub(crate) fn internal(name: &ObjectName, version: Option<&str>) -> Self {
        Self {
            name: name.clone(),
            version: version.map(str::to_owned),
            customer_key: None,
            requester: Requester::Gateway(None),
            transport: Transport::INTERNAL,
            hides_absence: false,
            judged: None,
        }
    }

    /// The answer to a refusal of the backend.
    pub(crate) fn refusal(&self, error: BackendError) -> S3Error {
        let error = S3Error::from(error);
        let is_absence =
            error.status() == StatusCode::NOT_FOUND && error.code() != S3Code::NoSuchBucket;
        match self.hides_absence && is_absence {
            true => S3Error::access_denied(),
            false => error,
        }
    }

    /// A request to the backend about the object.
    pub(crate) fn request(&self, method: Method) -> BackendRequest {
        BackendRequest::object(method, &self.name.bucket, &self.name.key)
            .query_if("versionId", self.version.as_deref())
    }

    /// A request for some of the stored bytes of the object that has this ETag; `stored` is not empty.
    ///
    /// # Errors
    ///
    /// `InternalError` for an empty range.
    pub(crate) fn range(
        &self,
        etag: &ETag,
        stored: &Range<u64>,
    ) -> Result<BackendRequest, S3Error> {
        let last = stored.end.checked_sub(1).ok_or_else(S3Error::internal)?;
        let range = HeaderValue::from_str(&format!("bytes={}-{last}", stored.start));
        let range = range.map_err(|_| S3Error::internal())?;
        Ok(self
            .request(Method::GET)
            .header(header::RANGE, range)
            .header(header::IF_MATCH, etag.to_header()))
    }
}

/// Why a read went no further.
pub(crate) enum ReadError {
    /// The object was overwritten between two requests to the backend: begin again.
    Changed,
    /// S3's answer.
    Refused(S3Error),
}

impl ReadError {
    /// What an error means of an object that was requested by its ETag: with one of these statuses
    /// the backend reports that there is another one now, or none.
    pub(crate) fn changed_if(statuses: &'static [StatusCode]) -> impl Fn(BackendError) -> Self {
        move |error| match error.refusal() {
            Some(refusal) if statuses.contains(&refusal.status()) => Self::Changed,
            _ => Self::Refused(error.into()),
        }
    }
}

/// The status of a condition on an ETag that does not hold.
pub(crate) const OTHER: &[StatusCode] = &[StatusCode::PRECONDITION_FAILED];

/// The same, and that of an object that is not there.
pub(crate) const OTHER_OR_NONE: &[StatusCode] =
    &[StatusCode::PRECONDITION_FAILED, StatusCode::NOT_FOUND];

impl<E: Into<S3Error>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Refused(error.into())
    }
}

/// Repeats a read until the object stayed the same during it.
///
/// # Errors
///
/// S3's answer; `ConditionalRequestConflict` for an object that keeps changing.
pub(crate) async fn settled<T, F>(attempt: impl Fn() -> F) -> Result<T, S3Error>
where
    F: Future<Output = Result<T, ReadError>>,
{
    for _ in 0..ATTEMPTS {
        match attempt().await {
            Ok(outcome) => return Ok(outcome),
            Err(ReadError::Changed) => {}
            Err(ReadError::Refused(error)) => return Err(error),
        }
    }
    Err(S3Error::new(S3Code::ConditionalRequestConflict))
}

/// How often a read begins again when the object changes under it.
const ATTEMPTS: usize = 3;
