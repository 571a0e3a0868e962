//! A page of the parts of an object or an upload, as GetObjectAttributes and ListParts show them.

use crate::error::S3Error;
use crate::protocol::xml::Element;

/// Which parts are requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PartsPage {
    /// Those behind this number.
    marker: usize,
    /// As many as this.
    max: usize,
}

impl PartsPage {
    /// The page of a request, from the names of its two parameters and their values.
    ///
    /// # Errors
    ///
    /// `InvalidArgument` for a value that is no number.
    pub(crate) fn read(
        marker: (&'static str, Option<&str>),
        max: (&'static str, Option<&str>),
    ) -> Result<Self, S3Error> {
        let number = |(name, text): (&'static str, Option<&str>), default| match text {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| {
                let message = format!("Provided {name} not an integer or within integer range");
                S3Error::invalid_argument(message, name, text)
            }),
        };
        Ok(Self {
            marker: number(marker, 0)?,
            max: number(max, PARTS_MAX)?.min(PARTS_MAX),
        })
    }

    /// Adds the page to a document: of `parts`, in the order of their numbers, those that are
    /// requested, each as the element that `show` makes of it.
    pub(crate) fn write<T>(
        self,
        document: Element,
        parts: impl Iterator<Item = (usize, T)>,
        show: impl Fn(usize, T) -> Element,
    ) -> Element {
        let mut behind = parts.filter(|(number, _)| *number > self.marker);
        let shown: Vec<_> = behind.by_ref().take(self.max).collect();
        let next = shown.last().map_or(0, |(number, _)| *number);
        document
            .field("PartNumberMarker", self.marker.to_string())
            .field("NextPartNumberMarker", next.to_string())
            .field("MaxParts", self.max.to_string())
            .field("IsTruncated", behind.next().is_some().to_string())
            .with_all(shown.into_iter().map(|(number, part)| show(number, part)))
    }
}

/// Most parts that one answer lists; S3's own limit.
const PARTS_MAX: usize = 1_000;
