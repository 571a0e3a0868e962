//! `s3s-fs`, with what the gateway relies on and it lacks.
//!
//! Its listings lack ETags and never encode keys, its reads ignore `If-Match` and `If-None-Match`,
//! and fail for a key that is a folder's name and for the end of an object that is shorter;
//! everything else is passed on.

use std::path::PathBuf;

use s3s::S3;
use s3s::S3Error;
use s3s::S3ErrorCode;
use s3s::S3Request;
use s3s::S3Response;
use s3s::S3Result;
use s3s::dto::*;
use s3s_fs::FileSystem;

/// A folder served as S3, and its path.
pub(super) struct Folder(pub(super) FileSystem, pub(super) PathBuf);

/// Implements [`S3`] with the operations that are passed on unchanged, and those written out.
macro_rules! serve {
    ({ $($name:ident: $input:ident => $output:ident,)* } { $($own:item)* }) => {
        #[async_trait::async_trait]
        impl S3 for Folder {
            $(
                async fn $name(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.0.$name(request).await
                }
            )*
            $($own)*
        }
    };
}

serve! {
    {
    create_bucket: CreateBucketInput => CreateBucketOutput,
    copy_object: CopyObjectInput => CopyObjectOutput,
    delete_bucket: DeleteBucketInput => DeleteBucketOutput,
    delete_object: DeleteObjectInput => DeleteObjectOutput,
    delete_objects: DeleteObjectsInput => DeleteObjectsOutput,
    get_bucket_location: GetBucketLocationInput => GetBucketLocationOutput,
    head_bucket: HeadBucketInput => HeadBucketOutput,
    list_buckets: ListBucketsInput => ListBucketsOutput,
    put_object: PutObjectInput => PutObjectOutput,
    create_multipart_upload: CreateMultipartUploadInput => CreateMultipartUploadOutput,
    upload_part: UploadPartInput => UploadPartOutput,
    upload_part_copy: UploadPartCopyInput => UploadPartCopyOutput,
    list_parts: ListPartsInput => ListPartsOutput,
    complete_multipart_upload: CompleteMultipartUploadInput => CompleteMultipartUploadOutput,
    abort_multipart_upload: AbortMultipartUploadInput => AbortMultipartUploadOutput,
    }
    {
        async fn get_object(
            &self,
            mut request: S3Request<GetObjectInput>,
        ) -> S3Result<S3Response<GetObjectOutput>> {
            if let Some(Range::Suffix { length }) = request.input.range
                && let Ok(head) = self.head(&request.input.bucket, &request.input.key).await
            {
                request.input.range = Some(suffix(length, head.content_length));
            }
            let conditions = (request.input.if_match.clone(), request.input.if_none_match.clone());
            let place = (request.input.bucket.clone(), request.input.key.clone());
            let answer = self.0.get_object(request).await;
            let answer = answer.map_err(|error| self.no_such_key(&place, error))?;
            check(conditions, answer.output.e_tag.as_ref())?;
            Ok(answer)
        }

        async fn head_object(
            &self,
            request: S3Request<HeadObjectInput>,
        ) -> S3Result<S3Response<HeadObjectOutput>> {
            let conditions = (request.input.if_match.clone(), request.input.if_none_match.clone());
            let place = (request.input.bucket.clone(), request.input.key.clone());
            let answer = self.0.head_object(request).await;
            let answer = answer.map_err(|error| self.no_such_key(&place, error))?;
            check(conditions, answer.output.e_tag.as_ref())?;
            Ok(answer)
        }

        async fn list_objects(
            &self,
            request: S3Request<ListObjectsInput>,
        ) -> S3Result<S3Response<ListObjectsOutput>> {
            let bucket = request.input.bucket.clone();
            let mut answer = self.0.list_objects(request).await?;
            let output = &mut answer.output;
            if output.is_truncated == Some(true) && output.next_marker.is_none() {
                output.next_marker = last_name(&output.contents, &output.common_prefixes);
            }
            self.add_etags(&bucket, &mut output.contents).await;
            if is_url(output.encoding_type.as_ref()) {
                encode(&mut output.contents, &mut output.common_prefixes);
                for name in [&mut output.next_marker, &mut output.marker, &mut output.prefix] {
                    encode_name(name);
                }
                encode_name(&mut output.delimiter);
            }
            Ok(answer)
        }

        async fn list_objects_v2(
            &self,
            request: S3Request<ListObjectsV2Input>,
        ) -> S3Result<S3Response<ListObjectsV2Output>> {
            let bucket = request.input.bucket.clone();
            let mut answer = self.0.list_objects_v2(request).await?;
            let output = &mut answer.output;
            self.add_etags(&bucket, &mut output.contents).await;
            if is_url(output.encoding_type.as_ref()) {
                encode(&mut output.contents, &mut output.common_prefixes);
                encode_name(&mut output.prefix);
                encode_name(&mut output.delimiter);
                encode_name(&mut output.start_after);
            }
            Ok(answer)
        }
    }
}

impl Folder {
    /// The error of a read, unless the key is a folder's name: there is no such object then.
    fn no_such_key(&self, (bucket, key): &(String, String), error: S3Error) -> S3Error {
        let is_folder = || self.1.join(bucket).join(key).is_dir();
        if *error.code() == S3ErrorCode::InternalError && is_folder() {
            return S3Error::new(S3ErrorCode::NoSuchKey);
        }
        error
    }

    async fn add_etags(&self, bucket: &str, contents: &mut Option<ObjectList>) {
        for object in contents.iter_mut().flatten() {
            let Some(key) = object.key.clone() else {
                continue;
            };
            // An object that was deleted meanwhile stays in the listing without its ETag.
            if let Ok(head) = self.head(bucket, &key).await {
                object.e_tag = head.e_tag;
            }
        }
    }

    async fn head(&self, bucket: &str, key: &str) -> S3Result<HeadObjectOutput> {
        let built = HeadObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(key.to_owned())
            .build();
        let input = built.map_err(|_| S3Error::new(S3ErrorCode::InternalError))?;
        let head = S3Request {
            input,
            method: http::Method::HEAD,
            uri: http::Uri::default(),
            headers: http::HeaderMap::default(),
            extensions: http::Extensions::default(),
            credentials: None,
            region: None,
            service: None,
            trailing_headers: None,
        };
        Ok(self.0.head_object(head).await?.output)
    }
}

/// The last `length` bytes of an object; all, if it has no more (RFC 9110, section 14.1.2).
fn suffix(length: u64, object_bytes: Option<i64>) -> Range {
    let object_bytes = object_bytes.and_then(|bytes| u64::try_from(bytes).ok());
    match object_bytes {
        Some(bytes) if bytes > 0 && length > bytes => Range::Int {
            first: 0,
            last: None,
        },
        _ => Range::Suffix { length },
    }
}

/// RFC 9110, section 13: for reads, 412 when `If-Match` and 304 when `If-None-Match` fails.
fn check(
    (wanted, unwanted): (Option<IfMatch>, Option<IfNoneMatch>),
    etag: Option<&ETag>,
) -> S3Result<()> {
    let names = |condition: &ETagCondition| match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(named) => etag.is_some_and(|etag| etag.value() == named.value()),
    };
    if wanted.is_some_and(|condition| !names(&condition)) {
        return Err(S3Error::new(S3ErrorCode::PreconditionFailed));
    }
    if unwanted.is_some_and(|condition| names(&condition)) {
        return Err(S3Error::new(S3ErrorCode::NotModified));
    }
    Ok(())
}

fn is_url(encoding: Option<&EncodingType>) -> bool {
    encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL)
}

fn encode(contents: &mut Option<ObjectList>, prefixes: &mut Option<CommonPrefixList>) {
    for object in contents.iter_mut().flatten() {
        encode_name(&mut object.key);
    }
    for prefix in prefixes.iter_mut().flatten() {
        encode_name(&mut prefix.prefix);
    }
}

fn encode_name(name: &mut Option<String>) {
    if let Some(name) = name {
        *name = proto::sigv4::encode_path(name.as_bytes());
    }
}

/// The greatest key or prefix of a page, before it is encoded.
fn last_name(contents: &Option<ObjectList>, prefixes: &Option<CommonPrefixList>) -> Option<String> {
    let keys = contents
        .iter()
        .flatten()
        .filter_map(|object| object.key.clone());
    let prefixes = prefixes
        .iter()
        .flatten()
        .filter_map(|prefix| prefix.prefix.clone());
    keys.chain(prefixes).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_object_that_is_shorter_is_the_whole_object() {
        let whole = Range::Int {
            first: 0,
            last: None,
        };
        let end = |length| Range::Suffix { length };
        assert_eq!(suffix(11, Some(10)), whole);
        assert_eq!(suffix(10, Some(10)), end(10));
        assert_eq!(suffix(11, Some(0)), end(11));
        assert_eq!(suffix(11, None), end(11));
    }
}
