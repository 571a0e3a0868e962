//! Lists in pages, as all list operations give them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::Code;
use crate::error::KmsError;

/// One page of a list.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// Where the next page starts, if there is one.
    pub(crate) next_marker: Option<String>,
    /// Whether there is a next page.
    pub(crate) truncated: bool,
}

/// Cuts a page out of `items`, which are in the order of their names.
///
/// A marker names the last item of its page, so that items made or deleted between two pages shift
/// nothing.
///
/// # Errors
///
/// `InvalidMarkerException` for a marker that no list gave out.
pub(crate) fn page<T>(
    items: Vec<T>,
    name: impl Fn(&T) -> &str,
    marker: Option<&str>,
    limit: Option<i32>,
    limits: Limits,
) -> Result<Page<T>, KmsError> {
    let after = marker.map(read_marker).transpose()?;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(limits.default);
    let limit = limit.clamp(1, limits.most);
    let mut rest = items
        .into_iter()
        .filter(|item| after.as_deref().is_none_or(|a| name(item) > a));
    let items: Vec<T> = rest.by_ref().take(limit).collect();
    let truncated = rest.next().is_some();
    let next_marker = items
        .last()
        .filter(|_| truncated)
        .map(|item| write_marker(name(item)));
    Ok(Page {
        items,
        next_marker,
        truncated,
    })
}

/// How many items a page has.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    /// If the request has none.
    pub(crate) default: usize,
    /// At most.
    pub(crate) most: usize,
}

/// The limits of most lists.
pub(crate) const LIMITS: Limits = Limits {
    default: 100,
    most: 1_000,
};

/// The limits of lists of aliases and of grants.
pub(crate) const LIMITS_OF_LONG_ITEMS: Limits = Limits {
    default: 50,
    most: 100,
};

fn write_marker(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn read_marker(marker: &str) -> Result<String, KmsError> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).ok();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| {
            KmsError::new(
                Code::InvalidMarkerException,
                format!("Could not deserialize marker '{marker}'"),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEW: Limits = Limits {
        default: 2,
        most: 3,
    };

    fn cut(marker: Option<&str>, limit: Option<i32>) -> Page<&'static str> {
        page(vec!["a", "b", "c", "d"], |item| item, marker, limit, FEW).unwrap()
    }

    #[test]
    fn pages_cover_the_list_without_gap_or_overlap() {
        let first = cut(None, None);
        assert_eq!((first.items, first.truncated), (vec!["a", "b"], true));
        let second = cut(first.next_marker.as_deref(), Some(1_000));
        assert_eq!((second.items, second.truncated), (vec!["c", "d"], false));
        assert_eq!(second.next_marker, None);
    }

    #[test]
    fn a_page_has_no_more_items_than_the_operation_allows() {
        assert_eq!(cut(None, Some(1_000)).items.len(), 3);
    }

    #[test]
    fn a_marker_that_no_list_gave_out_is_refused() {
        let refused = page(vec!["a"], |item| item, Some("%"), None, FEW);
        assert_eq!(refused.err().unwrap().code(), Code::InvalidMarkerException);
    }
}
