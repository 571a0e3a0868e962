//! Content that is sealed while its hashes are computed, and stored only if they are those that the client
//! claims.

use std::sync::Arc;
use std::sync::OnceLock;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use http::HeaderMap;

use crate::backend::Digest;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::keys::kms::Requester;
use crate::protocol::checksum::digests::Expected;
use crate::request::Payload;
use crate::request::PayloadStream;
use crate::sealed::writer;
use crate::sealed::writer::NewObject;
use crate::sse::request::Encryption;
use crate::vault::error::VaultError;
use crate::vault::place::Contents;
use crate::vault::place::random_id;
use crate::vault::record::StoredSegment;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::TreeHash;
use crate::vault::tree_hash::TreeHasher;

/// Seals a body and has the backend store it as a segment in a folder; its tree hash. With `claimed` the
/// body must have that one.
///
/// # Errors
///
/// `InvalidParameterValueException` for another hash than claimed, and for what else is wrong with the body;
/// `MissingParameterValueException` for one of unknown length. Nothing is stored then.
pub(crate) async fn write(
    store: &VaultStore,
    contents: Contents<'_>,
    folder: &str,
    body: Payload,
    claimed: Option<TreeHash>,
) -> Result<(StoredSegment, TreeHash), VaultError> {
    let bytes = body
        .length()
        .ok_or_else(|| VaultError::missing("Content-Length"))?;
    let segment = StoredSegment {
        name: random_id(&*store.random, SEGMENT_CHARS),
        bytes,
    };
    let key = format!("{}{}", contents.folder(folder), segment.name);
    let name = object_name(store, &key);
    let requester = Requester::Gateway(None);
    let data_keys = &store.objects.sealed.data_keys;
    let data_key = data_keys
        .for_write(&Encryption::SseS3, &name, &requester)
        .await?;
    let computed = Arc::new(OnceLock::new());
    let body = TreeHashed {
        body,
        hasher: Some(TreeHasher::default()),
        claimed,
        computed: Arc::clone(&computed),
    };
    let object = NewObject {
        acl: None,
        name,
        headers: HeaderMap::new(),
        key: data_key,
        expected: Expected::nothing(None),
        plaintext_bytes: bytes,
        digest: Digest::Useful,
    };
    let body = Payload::from_stream(body, Some(bytes));
    writer::write(&store.objects.sealed, object, body).await?;
    let computed = computed.get().copied();
    Ok((segment, computed.ok_or_else(VaultError::internal)?))
}

/// The sealed object of this key. Its ARN never depends on the partition, as those of records.
pub(crate) fn object_name(store: &VaultStore, key: &str) -> ObjectName {
    ObjectName::new("aws", store.state.bucket(), key)
}

/// A body whose tree hash is computed while it passes.
struct TreeHashed {
    body: Payload,
    /// None after the end.
    hasher: Option<TreeHasher>,
    claimed: Option<TreeHash>,
    computed: Arc<OnceLock<TreeHash>>,
}

impl PayloadStream for TreeHashed {
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, S3Error>>> {
        let next = ready!(self.body.poll_next(context));
        match (&next, &mut self.hasher) {
            (Some(Ok(bytes)), Some(hasher)) => hasher.update(bytes),
            (None, hasher) => {
                if let Some(computed) = hasher.take().map(TreeHasher::finish) {
                    let _ = self.computed.set(computed);
                    if let Some(claimed) = self.claimed.filter(|claimed| *claimed != computed) {
                        return Poll::Ready(Some(Err(mismatch(claimed, computed))));
                    }
                }
            }
            _ => {}
        }
        Poll::Ready(next)
    }
}

/// The error for a body with another tree hash than the one claimed.
fn mismatch(claimed: TreeHash, computed: TreeHash) -> S3Error {
    let message = format!("Checksum mismatch: expected {claimed} received {computed}");
    S3Error::with_message(S3Code::BadDigest, message)
}

/// Characters of the name of a segment.
const SEGMENT_CHARS: usize = 16;
