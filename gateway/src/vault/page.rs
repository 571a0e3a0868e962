//! Pages of lists: `limit` and `marker`.

use crate::request::Query;
use crate::vault::error::VaultError;

/// Which page of a list a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    limit: usize,
    /// The first entry of the page, as the page before named it.
    marker: Option<String>,
}

impl Page {
    /// The page that a query names; `limit_max` is the longest one and the default.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` for another limit.
    pub(crate) fn from_query(query: &Query, limit_max: usize) -> Result<Self, VaultError> {
        let limit = match query.get("limit") {
            None => limit_max,
            Some(text) => {
                let limit = text.parse().ok();
                let limit = limit.filter(|limit| (1..=limit_max).contains(limit));
                limit.ok_or_else(|| VaultError::invalid(format!("Invalid limit: {text}")))?
            }
        };
        let marker = query.get("marker").filter(|marker| !marker.is_empty());
        let marker = marker.map(str::to_owned);
        Ok(Self { limit, marker })
    }

    /// The entries of the page, of a list in its order, and the marker of the next page.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` for a marker that is not of an entry. So a list whose next entry was
    /// removed meanwhile begins again.
    pub(crate) fn cut<T>(
        &self,
        entries: Vec<T>,
        marker_of: impl Fn(&T) -> String,
    ) -> Result<(Vec<T>, Option<String>), VaultError> {
        let start = match &self.marker {
            None => 0,
            Some(marker) => {
                let start = entries.iter().position(|entry| marker_of(entry) == *marker);
                start.ok_or_else(|| VaultError::invalid(format!("Invalid marker: {marker}")))?
            }
        };
        let mut rest = entries.into_iter().skip(start);
        let page = rest.by_ref().take(self.limit).collect();
        let next = rest.next().map(|entry| marker_of(&entry));
        Ok((page, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(pairs: &[(&str, &str)]) -> Result<Page, VaultError> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Page::from_query(&Query::from_pairs(pairs.iter().map(owned).collect()), 2)
    }

    #[test]
    fn pages_follow_one_another_by_their_markers() {
        let cut = |page: &Page| {
            page.cut(vec!["a", "b", "c"], |it| (*it).to_owned())
                .unwrap()
        };
        let (first, next) = cut(&page(&[]).unwrap());
        assert_eq!((first, next.as_deref()), (vec!["a", "b"], Some("c")));
        let (last, next) = cut(&page(&[("marker", "c"), ("limit", "1")]).unwrap());
        assert_eq!((last, next), (vec!["c"], None));
    }

    #[test]
    fn a_limit_out_of_bounds_and_a_marker_of_nothing_are_refused() {
        for limit in ["0", "3", "x", "-1", ""] {
            assert!(page(&[("limit", limit)]).is_err(), "{limit}");
        }
        let page = page(&[("marker", "x")]).unwrap();
        assert!(page.cut(vec!["a"], |it| (*it).to_owned()).is_err());
    }
}
