//! HeadObject: what GetObject would answer, without the body.
//!
//! Calls the KMS only for a checksum. With SSE-S3 the ETag may take a read of the object's trailer.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use http::Method;
use http::Response;
use http::StatusCode;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::get::Read;
use crate::object::get::Wanted;
use crate::object::get::describe;
use crate::object::if_range;
use crate::object::stored::ATTEMPTS;
use crate::object::stored::Found;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::protocol::conditions::Names;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;

impl Objects {
    /// Answers with the headers of an object.
    ///
    /// # Errors
    ///
    /// As [`Objects::get`].
    pub async fn head(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let mut read = self.read(request)?;
        let answer = self.head_settled(&read).await;
        let Some(condition) = read.if_range() else {
            return answer;
        };
        if if_range::may_stand(&condition, &answer) {
            return answer;
        }
        read.widen();
        let whole = Box::pin(self.head_settled(&read)).await?;
        if answer.is_err() && if_range::holds(&condition, whole.headers()) {
            return answer;
        }
        Ok(whole)
    }

    /// The answer, after the object held still.
    async fn head_settled(&self, read: &Read) -> Result<Response<Body>, S3Error> {
        for _ in 0..ATTEMPTS {
            match self.head_once(read).await {
                Ok(answer) => return Ok(answer),
                Err(ReadError::Changed) => {}
                Err(ReadError::Refused(error)) => return Err(error),
            }
        }
        Err(S3Error::new(S3Code::ConditionalRequestConflict))
    }

    async fn head_once(&self, read: &Read) -> Result<Response<Body>, ReadError> {
        let reader = &read.reader;
        let headers = self.head_backend(reader).await?;
        let stored = match self.recognise(&reader.name.bucket, StatusCode::OK, headers)? {
            Found::Sealed(stored) => stored,
            Found::Parts(stored) => return Box::pin(self.head_parts(read, &stored)).await,
            Found::Plain(_) => return Box::pin(self.plain(read, Method::HEAD)).await,
        };
        let ranged = matches!(read.wanted, Wanted::Range(..));
        let needs = Needs {
            key: false,
            checksum: read.checksum && !ranged,
        };
        let names = Names::of_reads();
        let unlocked = self
            .unlock(reader, &stored, needs, (&read.headers, &names))
            .await?;
        let span = read.wanted.resolve(stored.segment.plaintext_bytes)?;
        let mut response = Response::new(empty_body());
        describe(&mut response, read, &stored, &unlocked, span);
        Ok(response)
    }
}
