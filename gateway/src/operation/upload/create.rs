//! CreateMultipartUpload.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html>

use std::sync::Arc;

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;

use crate::authorize::Permitted;
use crate::backend::Backend;
use crate::backend::BackendRequest;
use crate::backend::Digest;
use crate::envelope::Envelope;
use crate::envelope::Layout;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::measured;
use crate::operation::answer;
use crate::operation::store::ObjectStore;
use crate::protocol::checksum::Algorithm;
use crate::protocol::checksum::ChecksumKind;
use crate::protocol::checksum::UploadChecksum;
use crate::protocol::checksum::parts;
use crate::protocol::headers;
use crate::protocol::headers::ENVELOPE;
use crate::protocol::xml::Element;
use crate::records::uploads::NewHead;
use crate::records::uploads::UploadName;
use crate::records::uploads::Uploads;
use crate::request::Body;
use crate::request::S3Request;
use crate::sealed::assembly;
use crate::sealed::reader::Reader;
use crate::sse::request::Encryption;
use crate::sse::request::for_write;
use crate::sse::response;

/// Begins an upload.
///
/// # Errors
///
/// S3's answer to whatever is wrong with the request; no upload id was answered then.
pub async fn create_multipart_upload(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let name = store.name(&request.target)?;
    let transport = store.transport(&request);
    let default = store.defaults.default_of(&name.bucket).await?;
    let encryption = for_write(&request.headers, &default, transport)?;
    let under_customer_key = matches!(encryption, Encryption::SseC(_));
    // S3's own choice, where the client made none; under SSE-C it makes none either.
    let own_choice = UploadChecksum {
        algorithm: Algorithm::Crc64Nvme,
        kind: ChecksumKind::FullObject,
        chosen: false,
    };
    let checksum = parts::from_create_request(&request.headers)?;
    let checksum = checksum.or((!under_customer_key).then_some(own_choice));
    let mut onward = BackendRequest::object(Method::POST, &name.bucket, &name.key);
    onward.headers = headers::of_write(&request.headers)?;
    let digest = store.digest(&name.bucket, &onward.headers).await?;

    let replaces = current_etag(store, &name).await?;
    let requester = Requester::of(&request);
    let new = store.sealed.new_key(&encryption, &name, &requester).await?;
    let envelope = Envelope {
        layout: Layout::Parts,
        protection: new.protection,
        record: None,
    };
    let sealed = envelope.seal(&new.keys.data, &name.arn);
    let value = HeaderValue::from_str(&sealed).map_err(|_| S3Error::internal())?;
    // The envelope is the one of the object to be.
    let acl = terms.of_new_object()?;
    store.sealed.store_acl(&name, &value, acl).await?;
    let head = NewHead {
        envelope: sealed,
        checksum,
        footer_key: under_customer_key.then(|| new.keys.data.for_footer()),
        locked: digest == Digest::Demanded,
        replaces,
    };
    let beginning = Beginning {
        backend: Arc::clone(&store.backend),
        uploads: Arc::clone(&store.uploads),
        name: name.clone(),
        onward: onward.header(ENVELOPE, value).query("uploads", ""),
        head,
    };
    // A task of its own: a client that hangs up in between would leave an upload without a head.
    let begun = measured::spawn(beginning.run());
    let (upload_id, answered) = begun.await.map_err(|_| S3Error::internal())??;

    let result = Element::root("InitiateMultipartUploadResult")
        .field("Bucket", request.target.shown_bucket())
        .field("Key", &name.key)
        .field("UploadId", upload_id);
    let mut response = answer::document(&result);
    let headers = response.headers_mut();
    headers.extend(headers::of_upload_answer(&answered));
    if let Some(checksum) = checksum.filter(|checksum| checksum.chosen) {
        let name = HeaderValue::from_static(checksum.algorithm.name());
        headers.insert(HeaderName::from_static("x-amz-checksum-algorithm"), name);
        let kind = HeaderValue::from_static(checksum.kind.name());
        headers.insert(HeaderName::from_static("x-amz-checksum-type"), kind);
    }
    let md5 = answer::customer_key_md5(&encryption);
    response::of_write(headers, &envelope.protection, md5);
    Ok(response)
}

/// An upload that is about to begin.
struct Beginning {
    backend: Arc<Backend>,
    uploads: Arc<Uploads>,
    name: ObjectName,
    /// What begins it at the backend.
    onward: BackendRequest,
    head: NewHead,
}

impl Beginning {
    /// Begins the upload at the backend and stores its head; its id, and the headers of the backend's answer.
    async fn run(self) -> Result<(String, HeaderMap), S3Error> {
        let answer = self.backend.fetch(self.onward).await?;
        let upload_id = assembly::upload_id(answer.body())?;
        let state_name = UploadName {
            bucket: &self.name.bucket,
            key: &self.name.key,
            upload_id: &upload_id,
        };
        if let Err(error) = self.uploads.begin(state_name, self.head).await {
            // Nobody will ever get its id.
            assembly::abort(&self.backend, &self.name, &upload_id).await;
            return Err(error);
        }
        Ok((upload_id, answer.into_parts().0.headers))
    }
}

/// The backend's ETag of the object that is there now; empty for none.
async fn current_etag(store: &ObjectStore, name: &ObjectName) -> Result<String, S3Error> {
    match store.sealed.head(&Reader::internal(name, None)).await {
        Ok(head) => Ok(head.etag.bare().to_owned()),
        Err(error) if error.status().is_client_error() => Ok(String::new()),
        Err(error) => Err(error),
    }
}
