//! Why an operation failed: refused, as S3 does, a record is damaged, or the storage failed.

use std::error::Error;
use std::fmt;

use gateway::backend::ERROR_ELEMENTS;
use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::StatusCode;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use s3s::S3Error;
use s3s::S3ErrorCode;

/// Why an operation failed.
#[derive(Debug)]
pub enum Fault {
    /// It was refused. Nothing was changed.
    Refused(S3Error),
    /// A record cannot be read or written, or an operation on one panicked: others are as they were.
    Damaged(Box<dyn Error + Send + Sync>),
    /// The storage failed.
    Storage(Box<dyn Error + Send + Sync>),
}

/// The outcome of an operation.
pub type Outcome<T> = Result<T, Fault>;

impl Fault {
    /// A record that cannot be read or written.
    pub fn damaged(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Damaged(Box::new(error))
    }

    /// A refusal with the code's own message.
    #[must_use]
    pub fn code(code: S3ErrorCode) -> Self {
        Self::Refused(S3Error::new(code))
    }

    /// A refusal with a message.
    #[must_use]
    pub fn message(code: S3ErrorCode, message: impl Into<String>) -> Self {
        Self::Refused(S3Error::with_message(code, message.into()))
    }

    /// A refusal with a code of AWS's that `s3s` does not know, and its status.
    #[must_use]
    pub fn custom(code: &'static str, status: StatusCode, message: impl Into<String>) -> Self {
        let code = S3ErrorCode::Custom(code.into());
        let mut error = S3Error::with_message(code, message.into());
        error.set_status_code(status);
        Self::Refused(error)
    }

    /// What a delete marker does not allow.
    #[must_use]
    pub fn delete_marker() -> Self {
        let mut error = S3Error::new(S3ErrorCode::MethodNotAllowed);
        let marked = (DELETE_MARKER, HeaderValue::from_static("true"));
        error.set_headers(HeaderMap::from_iter([marked]));
        Self::Refused(error)
    }

    /// The same refusal with one more element in its document. `s3s` writes no such elements, so they
    /// go to the gateway in a header.
    #[must_use]
    pub fn element(self, name: &str, value: &str) -> Self {
        let Self::Refused(mut error) = self else {
            return self;
        };
        let mut headers = error.headers().cloned().unwrap_or_default();
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        let mut elements = format!("{name}={value}");
        if let Some(others) = headers.get(ERROR_ELEMENTS).and_then(|it| it.to_str().ok()) {
            elements = format!("{others}&{elements}");
        }
        if let Ok(elements) = HeaderValue::try_from(elements) {
            headers.insert(ERROR_ELEMENTS, elements);
        }
        error.set_headers(headers);
        Self::Refused(error)
    }

    /// `InvalidArgument` with the argument that was wrong.
    #[must_use]
    pub fn argument(message: impl Into<String>, name: &str, value: &str) -> Self {
        let refusal = Self::message(S3ErrorCode::InvalidArgument, message);
        refusal
            .element("ArgumentName", name)
            .element("ArgumentValue", value)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => error.fmt(f),
            Self::Damaged(error) | Self::Storage(error) => error.fmt(f),
        }
    }
}

impl From<S3Error> for Fault {
    fn from(error: S3Error) -> Self {
        Self::Refused(error)
    }
}

impl From<S3ErrorCode> for Fault {
    fn from(code: S3ErrorCode) -> Self {
        Self::code(code)
    }
}

/// Says of a version that it is a delete marker.
pub const DELETE_MARKER: HeaderName = HeaderName::from_static("x-amz-delete-marker");

/// What the storage fails with.
macro_rules! storage {
    ($($error:ty),*) => {
        $(impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Storage(Box::new(error))
            }
        })*
    };
}

storage!(
    std::io::Error,
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::DatabaseError,
    redb::SetDurabilityError
);

impl From<Fault> for S3Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Damaged(error) => {
                tracing::error!(%error, "a record of the embedded backend is damaged");
                let message = format!("A record of the embedded backend is damaged: {error}");
                Self::with_message(S3ErrorCode::InternalError, message)
            }
            Fault::Storage(error) => {
                tracing::error!(%error, "the storage of the embedded backend failed");
                let message = format!("The storage of the embedded backend failed: {error}");
                Self::with_message(S3ErrorCode::InternalError, message)
            }
        }
    }
}
