//! Which stored bytes a range of an object's plaintext lies in, and how each of them is opened.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Buf as _;
use bytes::Bytes;

use crate::chunks::Keys;
use crate::chunks::OpenError;
use crate::chunks::footer::Table;
use crate::chunks::layout;
use crate::chunks::open::Opener;
use crate::chunks::segment::Kind;

/// What to do with the stored bytes, segment by segment.
pub(crate) struct Plan {
    /// The stored bytes that it takes.
    pub(crate) stored: Range<u64>,
    pub(crate) steps: VecDeque<Step>,
}

/// One segment, or a span of one.
pub(crate) struct Step {
    /// Stored bytes in front that hold nothing: the empty last chunk of the part before.
    pub(crate) skip: u64,
    /// What must follow: the head, where only a span behind it is opened.
    head: Bytes,
    pub(crate) opener: Opener,
    /// Stored bytes that the opener has still to get.
    left: u64,
}

/// The sealed record in the envelope of a whole object.
type SealedRecord = [u8; layout::TRAILER_BYTES];

impl Plan {
    /// How to read `range` of an object's plaintext. `record` is the one in its envelope, if there is one;
    /// `at_hand` are the stored bytes that are being sent already.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a key that is not the object's, or a range that it does not have.
    pub(crate) fn new(
        keys: Keys<'_>,
        table: &Table,
        record: Option<SealedRecord>,
        range: &Range<u64>,
        at_hand: Option<&Range<u64>>,
    ) -> Result<Self, OpenError> {
        let mut plan = Self {
            stored: 0..0,
            steps: VecDeque::with_capacity(1),
        };
        let all = *range == (0..table.plaintext_bytes());
        let mut part_end = 0;
        for (part, stored) in table.segments() {
            let part_start = part_end;
            part_end += part.segment.plaintext_bytes;
            if part.segment.kind == Kind::Whole {
                let whole = 0..stored.end + layout::TRAILER_BYTES as u64;
                if all && at_hand.is_none_or(|at_hand| *at_hand == whole) {
                    let opener = match record {
                        Some(record) => Opener::object_with_record(keys, &part.segment, record)?,
                        None => Opener::object(keys, &part.segment)?,
                    };
                    plan.push(Bytes::new(), opener, whole);
                    continue;
                }
            } else {
                let within = range.start <= part_start && part_end <= range.end;
                // A part of no bytes belongs to what lies around it.
                let begun = !plan.steps.is_empty() && part_start < range.end;
                if all || (within && (part_start < part_end || begun)) {
                    let opener = Opener::segment(keys, &part.segment)?;
                    plan.push(Bytes::new(), opener, stored);
                    continue;
                }
            }
            let from = range.start.max(part_start);
            let to = range.end.min(part_end);
            if from >= to {
                continue;
            }
            let selected = from - part_start..to - part_start;
            let span =
                layout::span(part.segment.plaintext_bytes, selected).ok_or(OpenError::Size)?;
            let head = match plan.steps.is_empty() {
                true => Bytes::new(),
                false => Bytes::copy_from_slice(&part.segment.head()),
            };
            let opener = Opener::span(keys, &part.segment, &span)?;
            let first = stored.start + span.stored.start - head.len() as u64;
            plan.push(head, opener, first..stored.start + span.stored.end);
        }
        Ok(plan)
    }

    fn push(&mut self, head: Bytes, opener: Opener, stored: Range<u64>) {
        if self.steps.is_empty() {
            self.stored = stored.start..stored.start;
        }
        self.steps.push_back(Step {
            skip: stored.start.saturating_sub(self.stored.end),
            left: (stored.end - stored.start).saturating_sub(head.len() as u64),
            head,
            opener,
        });
        self.stored.end = stored.end;
    }
}

impl Step {
    /// Whether all its stored bytes came.
    pub(crate) fn is_complete(&self) -> bool {
        self.left == 0 && self.head.is_empty()
    }

    /// Takes in what belongs to it of the stored bytes that came.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for bytes that are not the ones of its segment.
    pub(crate) fn take_in(&mut self, came: &mut Bytes) -> Result<(), OpenError> {
        let limit = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let skipped = came.len().min(limit(self.skip));
        came.advance(skipped);
        self.skip -= skipped as u64;

        let head = came.split_to(came.len().min(self.head.len()));
        if !self.head.starts_with(&head) {
            return Err(OpenError::OtherSegment);
        }
        self.head.advance(head.len());

        let taken = came.split_to(came.len().min(limit(self.left)));
        self.left -= taken.len() as u64;
        self.opener.push(&taken)
    }
}
