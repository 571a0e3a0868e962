//! GetObject and HeadObject of objects in parts.
//!
//! The footer is read beside the object: it says where each byte lies. A whole object comes with the
//! first request; of a range, just the chunks that hold it are asked for once that is known.
//!
//! Parts are counted as they lie in the object, from 1: so clients find them all that ask for part 1,
//! hear how many there are, and ask for the others.

use std::ops::Range;

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use http::header;
use http_body_util::BodyExt as _;

use crate::backend::Backend;
use crate::backend::ReplyBody;
use crate::chunks::footer::Table;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::get::Read;
use crate::object::get::Wanted;
use crate::object::multipart::body::PartsBody;
use crate::object::multipart::body::Plan;
use crate::object::multipart::footer::StoredParts;
use crate::object::multipart::footer::UnlockedParts;
use crate::object::stored::Needs;
use crate::object::stored::ReadError;
use crate::object::stored::Reader;
use crate::protocol::conditions::Names;
use crate::protocol::headers;
use crate::protocol::range::Span;
use crate::request::Body;
use crate::request::empty_body;
use crate::sse::answer;

impl Objects {
    /// Answers a GET; `whole` is the body of the first answer, where that is the whole object.
    pub(crate) async fn get_parts(
        &self,
        read: &Read,
        stored: &StoredParts,
        whole: Option<ReplyBody>,
    ) -> Result<Response<Body>, ReadError> {
        let needs = Needs {
            key: true,
            checksum: read.checksum,
        };
        let names = Names::of_reads();
        let conditions = (&read.headers, &names);
        let unlocked = self
            .unlock_parts(&read.reader, stored, needs, conditions)
            .await?;
        let table = unlocked.table.as_ref().ok_or_else(S3Error::internal)?;
        let range = wanted(&read.wanted, &unlocked)?;
        let all = range == (0..table.plaintext_bytes());
        let mut response = if range.is_empty() && !all {
            Response::new(empty_body())
        } else {
            let whole = whole.filter(|_| all);
            let body = self
                .open_parts(&read.reader, stored, &unlocked, range.clone(), whole)
                .await?;
            Response::new(body.boxed_unsync())
        };
        describe(&mut response, read, stored, &unlocked, &range);
        Ok(response)
    }

    /// Opens a range of an object in parts, its first piece ahead.
    pub(crate) async fn open_parts(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        unlocked: &UnlockedParts,
        range: Range<u64>,
        whole: Option<ReplyBody>,
    ) -> Result<PartsBody, ReadError> {
        let keys = unlocked.keys.as_ref().ok_or_else(S3Error::internal)?;
        let table = unlocked.table.as_ref().ok_or_else(S3Error::internal)?;
        let plan = Plan::new(keys.keys(), table, range)?;
        let reply = match whole {
            Some(reply) => reply,
            None => self.reply(reader, stored, &plan).await?,
        };
        Ok(PartsBody::new(reply, plan).open_first().await?)
    }

    /// The stored bytes that a plan needs.
    async fn reply(
        &self,
        reader: &Reader,
        stored: &StoredParts,
        plan: &Plan,
    ) -> Result<ReplyBody, ReadError> {
        let first = plan.stored.start;
        let last = plan
            .stored
            .end
            .checked_sub(1)
            .ok_or_else(S3Error::internal)?;
        let answer = self
            .backend
            .send(reader.range(stored.etag(), first, last)?)
            .await?;
        match answer.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK if first == 0 => {}
            StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND => {
                return Err(ReadError::Changed);
            }
            _ => return Err(Backend::refusal(&Method::GET, answer).await.into()),
        }
        if answer.headers().get(header::ETAG) != stored.etag() {
            return Err(ReadError::Changed);
        }
        Ok(answer.into_body())
    }

    /// Answers a HEAD.
    pub(crate) async fn head_parts(
        &self,
        read: &Read,
        stored: &StoredParts,
    ) -> Result<Response<Body>, ReadError> {
        // Where a part lies is in the table alone.
        let in_part = matches!(read.wanted, Wanted::Part(_));
        let ranged = matches!(read.wanted, Wanted::Range(..));
        let needs = Needs {
            key: false,
            checksum: in_part || (read.checksum && !ranged),
        };
        let names = Names::of_reads();
        let conditions = (&read.headers, &names);
        let unlocked = self
            .unlock_parts(&read.reader, stored, needs, conditions)
            .await?;
        let range = wanted(&read.wanted, &unlocked)?;
        let mut response = Response::new(empty_body());
        describe(&mut response, read, stored, &unlocked, &range);
        Ok(response)
    }

    /// Why a backend has no such range: the object is shorter, or it has changed.
    pub(crate) async fn parts_not_satisfiable(
        &self,
        read: &Read,
        stored: &StoredParts,
    ) -> ReadError {
        match self.footer(&read.reader, stored).await {
            Err(error) => error,
            Ok(footer) => match read.wanted.resolve(footer.tail.plaintext_bytes()) {
                Err(error) => error.into(),
                Ok(_) => ReadError::Changed,
            },
        }
    }
}

/// The bytes asked for.
fn wanted(wanted: &Wanted, unlocked: &UnlockedParts) -> Result<Range<u64>, S3Error> {
    let plaintext_bytes = unlocked.footer.tail.plaintext_bytes();
    let Wanted::Part(number) = wanted else {
        let span = wanted.resolve(plaintext_bytes)?;
        return Ok(span.map_or(0..plaintext_bytes, |span| span.first..span.last + 1));
    };
    let table = unlocked.table.as_ref().ok_or_else(S3Error::internal)?;
    part(table, *number).ok_or_else(|| {
        S3Error::new(S3Code::InvalidPartNumber)
            .detail("PartNumberRequested", number.to_string())
            .detail("ActualPartCount", table.parts.len().to_string())
    })
}

/// Where the part of this place lies in the plaintext.
fn part(table: &Table, place: u32) -> Option<Range<u64>> {
    let place = usize::try_from(place).ok()?.checked_sub(1)?;
    let bytes = table.parts.get(place)?.segment.plaintext_bytes;
    let before = table.parts.iter().take(place);
    let start = before.map(|part| part.segment.plaintext_bytes).sum();
    Some(start..start + bytes)
}

/// Status and headers of the answer to a read.
fn describe<B>(
    response: &mut Response<B>,
    read: &Read,
    stored: &StoredParts,
    unlocked: &UnlockedParts,
    range: &Range<u64>,
) {
    let plaintext_bytes = unlocked.footer.tail.plaintext_bytes();
    let mut headers = headers::of_answer(&stored.headers);
    headers.insert(header::ETAG, unlocked.etag.clone());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    let bytes = range.end - range.start;
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    if read.wanted != Wanted::Whole && bytes > 0 {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        let span = Span {
            first: range.start,
            last: range.end - 1,
        };
        if let Ok(range) = HeaderValue::from_str(&span.content_range(plaintext_bytes)) {
            headers.insert(header::CONTENT_RANGE, range);
        }
    }
    if matches!(read.wanted, Wanted::Part(_)) {
        let count = HeaderValue::from(unlocked.footer.tail.parts());
        headers.insert(HeaderName::from_static("x-amz-mp-parts-count"), count);
    }
    let told = read.checksum && read.wanted == Wanted::Whole;
    if let Some(table) = unlocked.table.as_ref().filter(|_| told)
        && let Some(checksum) = &table.checksum
    {
        checksum.write_headers(&mut headers, table.parts.len());
    }
    let md5 = read.reader.customer_key.as_ref().map(|key| key.md5());
    answer::of_read(&mut headers, &stored.sealed.claims().protection, md5);
    for (name, value) in &read.overrides {
        headers.insert(name.clone(), value.clone());
    }
    *response.headers_mut() = headers;
}
