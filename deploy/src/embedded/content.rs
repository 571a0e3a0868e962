//! The bytes of objects and parts: taken in from clients, and given out.
//!
//! Small ones go into the index, with the transaction that makes them visible; others into files,
//! which are durable before that.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use bytes::BytesMut;
use futures_util::Stream;
use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::task::JoinHandle;

use crate::embedded::bodies::Bodies;
use crate::embedded::bodies::NewFile;
use crate::embedded::bodies::Pins;
use crate::embedded::disk::BodyFile;
use crate::embedded::disk::FileId;
use crate::embedded::fault::Outcome;
use crate::embedded::index::record::Body;
use crate::embedded::index::record::Segment;
use crate::embedded::index::tables::Snapshot;
use crate::embedded::index::tables::Tables;

/// Bytes that nothing refers to yet.
#[derive(Debug)]
pub enum Content {
    /// Few.
    Inline(Bytes),
    /// Many, in a file: durable, but for its name.
    File(NewFile, u64),
    /// Those of others, each part with where it begins and how long it is.
    Linked(Vec<(Self, u64, u64)>),
}

impl Content {
    /// Number of bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::File(_, length) => *length,
            Self::Linked(pieces) => pieces.iter().map(|(_, _, length)| length).sum(),
        }
    }

    /// Places the bytes where an object or a part can refer to them.
    ///
    /// # Errors
    ///
    /// When the storage fails.
    pub fn place(self, tables: &mut Tables<'_>) -> Outcome<Vec<Segment>> {
        let length = self.length();
        if length == 0 {
            return Ok(Vec::new());
        }
        let whole = |body| Segment {
            body,
            offset: 0,
            length,
        };
        match self {
            Self::Inline(bytes) => Ok(vec![whole(tables.store_body(&bytes)?)]),
            Self::File(file, _) => Ok(vec![whole(tables.place_file(file)?)]),
            Self::Linked(pieces) => {
                let mut segments = Vec::with_capacity(pieces.len());
                for (content, offset, length) in pieces {
                    for placed in content.place(tables)? {
                        segments.push(Segment {
                            body: placed.body,
                            offset,
                            length,
                        });
                    }
                }
                Ok(segments)
            }
        }
    }
}

/// Takes bytes in as they come.
pub struct Intake {
    bodies: Arc<Bodies>,
    /// What is not written yet.
    pending: Vec<Bytes>,
    pending_bytes: usize,
    file: Option<NewFile>,
    writing: Option<JoinHandle<io::Result<NewFile>>>,
    length: u64,
}

impl Intake {
    /// Nothing so far.
    #[must_use]
    pub fn new(bodies: Arc<Bodies>) -> Self {
        Self {
            bodies,
            pending: Vec::new(),
            pending_bytes: 0,
            file: None,
            writing: None,
            length: 0,
        }
    }

    /// Takes some bytes. While they are written the next can come.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    pub async fn push(&mut self, bytes: Bytes) -> Outcome<()> {
        self.length = self.length.saturating_add(bytes.len() as u64);
        self.pending_bytes = self.pending_bytes.saturating_add(bytes.len());
        self.pending.push(bytes);
        if self.pending_bytes >= WRITE_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    /// All that came; durable, if it is in a file.
    ///
    /// # Errors
    ///
    /// When the disk fails or is full.
    pub async fn finish(mut self) -> Outcome<Content> {
        if self.length <= INLINE_BYTES_MAX as u64 {
            let mut whole = BytesMut::with_capacity(self.pending_bytes);
            self.pending
                .iter()
                .for_each(|bytes| whole.extend_from_slice(bytes));
            return Ok(Content::Inline(whole.freeze()));
        }
        if self.pending_bytes > 0 {
            self.write().await?;
        }
        self.join().await?;
        let Some(mut file) = self.file.take() else {
            return Ok(Content::Inline(Bytes::new()));
        };
        let file = blocking(move || {
            file.finish()?;
            Ok(file)
        });
        Ok(Content::File(joined(file.await)?, self.length))
    }

    async fn write(&mut self) -> Outcome<()> {
        self.join().await?;
        let pending = std::mem::take(&mut self.pending);
        self.pending_bytes = 0;
        let (file, bodies) = (self.file.take(), Arc::clone(&self.bodies));
        self.writing = Some(blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => bodies.create()?,
            };
            pending.iter().try_for_each(|bytes| file.append(bytes))?;
            Ok(file)
        }));
        Ok(())
    }

    async fn join(&mut self) -> Outcome<()> {
        if let Some(writing) = self.writing.take() {
            self.file = Some(joined(writing.await)?);
        }
        Ok(())
    }
}

/// Bytes that are being read, and stay until they were.
#[derive(Clone)]
pub struct Reader {
    bodies: Arc<Bodies>,
    segments: Vec<Segment>,
    /// The small ones among the bodies, which were read with the record.
    inline: Vec<(u64, Bytes)>,
    /// The file that was read last, which is mostly the next one's, too.
    open: Arc<Mutex<Option<OpenFile>>>,
    _pins: Arc<Pins>,
}

/// A file that is open for reading.
type OpenFile = (FileId, Arc<dyn BodyFile>);

impl Reader {
    /// A reader of `segments`, of whose bodies those in the index are `inline`. Whoever makes it makes
    /// sure afterwards that the files are still there.
    #[must_use]
    pub fn new(bodies: Arc<Bodies>, segments: Vec<Segment>, inline: Vec<(u64, Bytes)>) -> Self {
        let pins = Arc::new(bodies.pin(files(&segments)));
        Self {
            bodies,
            segments,
            inline,
            open: Arc::default(),
            _pins: pins,
        }
    }

    /// The bytes from `start` to `end`, if they are in memory.
    #[must_use]
    pub fn in_memory(&self, start: u64, end: u64) -> Option<Bytes> {
        match cut_by(&self.segments, start, end, READ_BYTES).as_slice() {
            [only] => self.inline(only),
            _ => None,
        }
    }

    /// The bytes from `start` to `end`, as a stream, which reads ahead by one piece. Each piece costs a turn on
    /// another thread, so they are larger where few streams share the memory.
    pub fn stream(
        self,
        start: u64,
        end: u64,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let far = match end.saturating_sub(start) > READ_BYTES {
            true => self.bodies.read_far(),
            false => None,
        };
        let bytes = if far.is_some() {
            READ_FAR_BYTES
        } else {
            READ_BYTES
        };
        let pieces = cut_by(&self.segments, start, end, bytes);
        let reader = Arc::new(self);
        let reading = stream::iter(pieces).map(move |piece| {
            let _while_it_streams = &far;
            let reader = Arc::clone(&reader);
            async move { reader.read(piece).await }
        });
        reading.buffered(2)
    }

    /// A second reference to the bytes from `start` to `end`: those in files are not copied.
    ///
    /// # Errors
    ///
    /// When the disk fails.
    pub fn link(&self, start: u64, end: u64) -> Outcome<Content> {
        let mut pieces = Vec::new();
        for whole in cut_by(&self.segments, start, end, u64::MAX) {
            let piece = match whole.body {
                Body::Inline(_) => {
                    let bytes = self.inline(&whole);
                    let bytes = bytes.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
                    (Content::Inline(bytes), 0, whole.length)
                }
                Body::File(id) => {
                    let file = self.bodies.link(id)?;
                    (
                        Content::File(file, whole.length),
                        whole.offset,
                        whole.length,
                    )
                }
            };
            pieces.push(piece);
        }
        Ok(Content::Linked(pieces))
    }

    async fn read(&self, piece: Segment) -> io::Result<Bytes> {
        let Body::File(id) = piece.body else {
            return self
                .inline(&piece)
                .ok_or(io::ErrorKind::UnexpectedEof.into());
        };
        let (bodies, open) = (Arc::clone(&self.bodies), Arc::clone(&self.open));
        let read = blocking(move || {
            let length = usize::try_from(piece.length).map_err(io::Error::other)?;
            let read = opened(&bodies, &open, id).and_then(|file| file.read(piece.offset, length));
            read.map(Bytes::from).map_err(|error| {
                let FileId { folder, file } = id;
                let text = format!("bodies/{folder:08x}/{file:016x}: {error}");
                io::Error::new(error.kind(), text)
            })
        });
        read.await.map_err(io::Error::other)?
    }

    fn inline(&self, piece: &Segment) -> Option<Bytes> {
        let Body::Inline(number) = piece.body else {
            return None;
        };
        let (_, bytes) = self.inline.iter().find(|(own, _)| *own == number)?;
        let start = usize::try_from(piece.offset).ok()?;
        let end = start.checked_add(usize::try_from(piece.length).ok()?)?;
        (end <= bytes.len()).then(|| bytes.slice(start..end))
    }
}

/// A file, opened unless it is the one that is open.
fn opened(
    bodies: &Bodies,
    open: &Mutex<Option<OpenFile>>,
    id: FileId,
) -> io::Result<Arc<dyn BodyFile>> {
    let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((own, file)) = open.as_ref()
        && *own == id
    {
        return Ok(Arc::clone(file));
    }
    let file: Arc<dyn BodyFile> = bodies.read(id)?.into();
    *open = Some((id, Arc::clone(&file)));
    Ok(file)
}

/// The small ones among the bodies of segments.
///
/// # Errors
///
/// When the storage fails.
pub fn inline(snapshot: &Snapshot, segments: &[Segment]) -> Outcome<Vec<(u64, Bytes)>> {
    let mut inline = Vec::new();
    for segment in segments {
        let Body::Inline(number) = segment.body else {
            continue;
        };
        let bodies = snapshot.bodies()?;
        if let Some(bytes) = bodies.get(number)? {
            inline.push((number, Bytes::copy_from_slice(bytes.value())));
        }
    }
    Ok(inline)
}

/// The files among the bodies of segments.
#[must_use]
pub fn files(segments: &[Segment]) -> Vec<FileId> {
    let files = segments.iter().filter_map(|segment| match segment.body {
        Body::File(id) => Some(id),
        Body::Inline(_) => None,
    });
    files.collect()
}

/// The bytes from `start` to `end` of what `segments` are in a row, in pieces of at most `max` bytes.
fn cut_by(segments: &[Segment], start: u64, end: u64, max: u64) -> Vec<Segment> {
    let mut pieces = Vec::new();
    let mut begin: u64 = 0;
    for segment in segments {
        let finish = begin.saturating_add(segment.length);
        let (mut from, to) = (start.max(begin), end.min(finish));
        while from < to {
            let length = (to - from).min(max);
            pieces.push(Segment {
                body: segment.body,
                offset: segment.offset.saturating_add(from - begin),
                length,
            });
            from += length;
        }
        begin = finish;
    }
    pieces
}

fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> JoinHandle<io::Result<T>> {
    tokio::task::spawn_blocking(work)
}

fn joined<T>(joined: Result<io::Result<T>, tokio::task::JoinError>) -> Outcome<T> {
    Ok(joined.map_err(io::Error::other)??)
}

/// Most bytes of a body that goes into the index.
const INLINE_BYTES_MAX: usize = 32 << 10;

/// How many bytes are written at a time.
const WRITE_BYTES: usize = 1 << 20;

/// How many bytes are read at a time.
const READ_BYTES: u64 = 256 << 10;

/// How many bytes are read at a time by the streams that may read far ahead.
const READ_FAR_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(number: u64, offset: u64, length: u64) -> Segment {
        Segment {
            body: Body::Inline(number),
            offset,
            length,
        }
    }

    #[test]
    fn a_range_across_segments_is_cut_where_they_meet() {
        let segments = [segment(1, 5, 10), segment(2, 0, 10), segment(3, 7, 10)];
        assert_eq!(
            cut_by(&segments, 8, 22, READ_BYTES),
            [segment(1, 13, 2), segment(2, 0, 10), segment(3, 7, 2)]
        );
        assert_eq!(cut_by(&segments, 0, 1, READ_BYTES), [segment(1, 5, 1)]);
        assert_eq!(cut_by(&segments, 30, 30, READ_BYTES), []);
    }

    #[test]
    fn a_long_segment_is_read_in_pieces() {
        let whole = [segment(1, 0, READ_BYTES * 2 + 1)];
        let pieces = cut_by(&whole, 1, READ_BYTES * 2 + 1, READ_BYTES);
        let lengths: Vec<u64> = pieces.iter().map(|piece| piece.length).collect();
        assert_eq!(lengths, [READ_BYTES, READ_BYTES]);
        assert_eq!(pieces[1].offset, READ_BYTES + 1);
    }
}
