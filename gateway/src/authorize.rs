//! Whether a caller may do what it asks for.
//!
//! A check leaves a value behind: [`Permitted`]. It is made only here, and a request reaches an
//! operation only through it.
//!
//! The users of a gateway own everything behind it: each may do everything. Nobody else may do
//! anything. Policies of buckets will be judged here.

use crate::error::S3Error;
use crate::request::S3Request;

/// A `T` that the caller was allowed to use for one operation.
///
/// Not `Clone`: a permit is spent by the operation that it was given for.
#[derive(Debug)]
pub struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// Spends the permit.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Permitted<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Permits a request, or refuses it.
///
/// # Errors
///
/// `AccessDenied` for the anonymous caller, and for a request that names another owner of its
/// bucket than the caller's account.
pub fn permit(request: S3Request) -> Result<Permitted<S3Request>, S3Error> {
    if request.caller.anonymous {
        return Err(S3Error::access_denied());
    }
    for name in [
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    ] {
        if let Some(owner) = request.headers.get(name)
            && owner.as_bytes() != request.caller.account.as_bytes()
        {
            return Err(S3Error::access_denied());
        }
    }
    Ok(Permitted(request))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;
    use http::Method;

    use super::*;
    use crate::request::AuthType;
    use crate::request::Caller;
    use crate::request::Connection;
    use crate::request::Payload;
    use crate::request::RequestId;
    use crate::request::Target;

    fn request(caller: Caller, owner: Option<&'static str>) -> S3Request {
        let mut headers = HeaderMap::new();
        if let Some(owner) = owner {
            let owner = HeaderValue::from_static(owner);
            headers.insert("x-amz-expected-bucket-owner", owner);
        }
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        S3Request {
            method: Method::GET,
            target: Target::default(),
            headers,
            caller,
            auth: AuthType::Header,
            connection: Connection {
                secure: false,
                peer,
                client: peer.ip(),
                tls: None,
            },
            request_id: RequestId::from_number(1),
            body: Payload::empty(),
        }
    }

    fn user() -> Caller {
        let account = "111122223333".into();
        Caller {
            account,
            anonymous: false,
            ..Caller::anonymous()
        }
    }

    #[test]
    fn a15_the_anonymous_caller_may_do_nothing() {
        assert!(permit(request(Caller::anonymous(), None)).is_err());
        assert!(permit(request(user(), None)).is_ok());
    }

    #[test]
    fn a_bucket_expected_to_be_someone_elses_is_refused() {
        assert!(permit(request(user(), Some("111122223333"))).is_ok());
        assert!(permit(request(user(), Some("444455556666"))).is_err());
    }
}
