//! Ranges of content, opened segment by segment.

use std::ops::Range;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;

use crate::error::S3Error;
use crate::keys::data_key::refuse_tampered;
use crate::protocol::conditions::Conditions;
use crate::protocol::range::ByteRange;
use crate::request::Body;
use crate::request::BoxError;
use crate::sealed::body;
use crate::sealed::body::OpenedBody;
use crate::sealed::read::Needs;
use crate::sealed::reader::Reader;
use crate::sealed::reader::settled;
use crate::sealed::selection::Selection;
use crate::vault::archive::write::object_name;
use crate::vault::error::VaultError;
use crate::vault::place::Contents;
use crate::vault::record::StoredContent;
use crate::vault::store::VaultStore;
use crate::vault::tree_hash::TreeHash;
use crate::vault::tree_hash::TreeHasher;

/// A run of bytes in one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    key: String,
    /// Length of the whole segment, in bytes.
    bytes: u64,
    range: Range<u64>,
}

/// Opens a range of content that is not empty. Its first bytes are opened before this returns; whatever
/// goes wrong later ends the body in an error.
///
/// # Errors
///
/// `ServiceUnavailableException` where the backend does not answer, or the content is not as it was written.
pub(crate) async fn open(
    store: &Arc<VaultStore>,
    contents: Contents<'_>,
    content: &StoredContent,
    range: &Range<u64>,
) -> Result<Body, VaultError> {
    let mut pieces = pieces(contents, content, range).into_iter();
    let first = pieces.next().ok_or_else(VaultError::internal)?;
    let first = open_piece(store, first).await?;
    if pieces.len() == 0 {
        return Ok(first.boxed_unsync());
    }
    let store = Arc::clone(store);
    let rest = stream::iter(pieces).then(move |piece| {
        let store = Arc::clone(&store);
        async move {
            let body = open_piece(&store, piece).await?;
            Ok::<_, BoxError>(body.into_data_stream())
        }
    });
    let frames = first
        .into_data_stream()
        .chain(rest.try_flatten())
        .map_ok(Frame::data);
    Ok(StreamBody::new(frames).boxed_unsync())
}

/// The tree hash of a range of content, which is read for it.
///
/// # Errors
///
/// As [`open`], wherever it goes wrong.
pub(crate) async fn tree_hash(
    store: &Arc<VaultStore>,
    contents: Contents<'_>,
    content: &StoredContent,
    range: &Range<u64>,
) -> Result<TreeHash, VaultError> {
    let mut bytes = open(store, contents, content, range)
        .await?
        .into_data_stream();
    let mut hasher = TreeHasher::default();
    while let Some(bytes) = bytes.next().await {
        let bytes = bytes.map_err(|cause| refuse_tampered(&cause))?;
        hasher.update(&bytes);
    }
    Ok(hasher.finish())
}

/// Where the bytes of a range are.
fn pieces(contents: Contents<'_>, content: &StoredContent, range: &Range<u64>) -> Vec<Piece> {
    let folder = contents.folder(&content.folder);
    let mut start = 0;
    let mut pieces = Vec::new();
    for segment in &content.segments {
        let end = start + segment.bytes;
        let (first, last) = (range.start.max(start), range.end.min(end));
        if first < last {
            pieces.push(Piece {
                key: format!("{folder}{}", segment.name),
                bytes: segment.bytes,
                range: first - start..last - start,
            });
        }
        start = end;
    }
    pieces
}

async fn open_piece(store: &VaultStore, piece: Piece) -> Result<OpenedBody, S3Error> {
    let Piece { key, bytes, range } = piece;
    let objects = &store.objects.sealed;
    let reader = Reader::internal(&object_name(store, &key), None);
    let selection = match range == (0..bytes) {
        true => Selection::Whole,
        false => {
            let (first, last) = (range.start, range.end.saturating_sub(1));
            Selection::Range(ByteRange::Between { first, last }, String::new())
        }
    };
    let needs = Needs {
        key: true,
        ..Needs::default()
    };
    settled(|| async {
        let fetched = objects.fetch(&reader, &selection).await?;
        let head = fetched.head;
        let unlocked = objects.unlock(&reader, &head, needs, Conditions::none());
        let description = unlocked.await?;
        if description.plaintext_bytes != bytes {
            return Err(refuse_tampered(&"it has another length than its archive has").into());
        }
        body::open(
            objects,
            &reader,
            &head,
            &description,
            &range,
            fetched.stored,
        )
        .await
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::record::StoredSegment;

    #[test]
    fn a_range_is_cut_at_the_segments() {
        let segment = |name: &str, bytes| StoredSegment {
            name: name.to_owned(),
            bytes,
        };
        let content = StoredContent {
            folder: "f".to_owned(),
            segments: vec![segment("a", 10), segment("b", 10), segment("c", 5)],
        };
        let cut = |range: Range<u64>| {
            let pieces = pieces(Contents("v"), &content, &range);
            let piece = |it: Piece| (it.key.chars().last().unwrap(), it.range);
            pieces.into_iter().map(piece).collect::<Vec<_>>()
        };
        assert_eq!(cut(0..25), [('a', 0..10), ('b', 0..10), ('c', 0..5)]);
        assert_eq!(cut(9..11), [('a', 9..10), ('b', 0..1)]);
        assert_eq!(cut(10..20), [('b', 0..10)]);
        assert_eq!(cut(24..25), [('c', 4..5)]);
        assert_eq!(cut(25..30), []);
    }
}
