//! CreateMultipartUpload.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::header;

use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object::Objects;
use crate::object::put::customer_key_md5;
use crate::object::store;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::parts;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::protocol::xml::Limits;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::full_body;
use crate::sse::answer;
use crate::sse::choice;
use crate::sse::choice::Encryption;
use crate::sse::choice::Transport;
use crate::sse::kms::Requester;
use crate::state::uploads::NewHead;
use crate::state::uploads::UploadName;

impl Objects {
    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// S3's answer to whatever is wrong with the request; no upload id was told then.
    pub async fn create_upload(&self, request: S3Request) -> Result<Response<Body>, S3Error> {
        let name = self.name(&request.target)?;
        let transport = Transport::of(&request, self.config.allow_insecure_sse);
        let default = self.defaults.of(&name.bucket).await?;
        let encryption = choice::for_write(&request.headers, &default, transport)?;
        let under_customer_key = matches!(encryption, Encryption::SseC(_));
        // S3's own choice, where the client made none; under SSE-C it makes none either.
        let checksum = parts::from_create_request(&request.headers)?.or(Some(UploadChecksum {
            algorithm: Algorithm::Crc64Nvme,
            kind: ChecksumKind::FullObject,
            chosen: false,
        })
        .filter(|_| !under_customer_key));
        let mut onward = BackendRequest::object(Method::POST, &name.bucket, &name.key);
        onward.headers = headers::of_write(&request.headers)?;
        let locked = store::digest(&onward.headers) == Digest::Demanded;

        let requester = Requester::of(&request);
        let new = self.new_key(&encryption, &name, &requester).await?;
        let envelope = Envelope {
            layout: Layout::Parts,
            protection: new.protection,
            record: None,
        };
        let sealed = envelope.seal(&new.keys.data, &name.arn);
        let value = HeaderValue::from_str(&sealed).map_err(|_| S3Error::internal())?;
        let onward = onward.header(ENVELOPE, value).query("uploads", "");
        let answer = self.backend.fetch(onward).await?;
        let upload_id = upload_id(answer.body())?;

        let footer_key = under_customer_key.then(|| new.keys.data.for_footer());
        let head = NewHead {
            envelope: sealed,
            checksum,
            footer_key: footer_key.as_ref(),
            locked,
        };
        let state_name = UploadName {
            bucket: &name.bucket,
            key: &name.key,
            upload_id: &upload_id,
        };
        if let Err(error) = self.uploads.begin(state_name, head).await {
            // Nobody will ever hear of it.
            let abort = BackendRequest::object(Method::DELETE, &name.bucket, &name.key)
                .query("uploadId", &upload_id);
            drop(self.backend.fetch(abort).await);
            return Err(error);
        }

        let result = Element::root("InitiateMultipartUploadResult")
            .with(Element::with_text("Bucket", &name.bucket))
            .with(Element::with_text("Key", &name.key))
            .with(Element::with_text("UploadId", upload_id));
        let mut response = Response::new(full_body(result.to_document()));
        let told = response.headers_mut();
        *told = headers::of_upload_answer(answer.headers());
        told.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/xml"),
        );
        if let Some(checksum) = checksum.filter(|checksum| checksum.chosen) {
            let name = HeaderValue::from_static(checksum.algorithm.name());
            told.insert(HeaderName::from_static("x-amz-checksum-algorithm"), name);
            let kind = HeaderValue::from_static(checksum.kind.name());
            told.insert(HeaderName::from_static("x-amz-checksum-type"), kind);
        }
        answer::of_write(told, &envelope.protection, customer_key_md5(&encryption));
        Ok(response)
    }
}

/// The id in a backend's answer to the creation of an upload.
pub(crate) fn upload_id(document: &[u8]) -> Result<String, S3Error> {
    let root = Element::parse(document, Limits::ANSWER).ok();
    root.as_ref()
        .and_then(|root| root.text_of("UploadId"))
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            tracing::error!("backend began an upload without an id");
            S3Error::new(S3Code::ServiceUnavailable)
        })
}
