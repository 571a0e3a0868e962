//! What a request is about: a bucket, a key in it, and the query; or a path of S3 Control.

use crate::request::AccessPointAddress;
use crate::request::ControlPath;

/// The bucket, the key and the query of a request, decoded once.
///
/// The same values serve the signature, the policy, the encryption context and the backend's
/// path, so that all four always speak of the same object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The bucket, in the characters of a bucket name.
    pub bucket: Option<String>,
    /// The key: any UTF-8, at least one byte; `//`, `.` and `..` have no meaning in it.
    pub key: Option<String>,
    /// The query: as it came, until the operation was found; then only what that takes.
    pub query: Query,
    /// Where the bucket is named.
    pub addressing: Addressing,
    /// The access point that the request goes through, once it was found: then the bucket is that of it.
    pub access_point: Option<AccessPointAddress>,
    /// What a request to S3 Control names; it has neither bucket nor key.
    pub control: Option<ControlPath>,
}

/// Where a request names its bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addressing {
    /// In its path.
    #[default]
    Path,
    /// In its host, where an access point may be named as well.
    Host,
    /// In its host, which is one of those that AWS has for access points only.
    AccessPointHost,
}

impl Target {
    /// The bucket as answers name it: by the alias of the access point that the request goes through.
    #[must_use]
    pub fn shown_bucket(&self) -> &str {
        match &self.access_point {
            Some(access_point) => &access_point.alias,
            None => self.bucket.as_deref().unwrap_or_default(),
        }
    }
}

/// The pairs of a query string, decoded, in their order. No name stands twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// A query of these pairs; the caller made sure that no name stands twice.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The value of `name`, empty for a name without a value. Names are case-sensitive.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let pair = pairs.find(|(present, _)| present == name);
        pair.map(|(_, value)| value.as_str())
    }

    /// Whether `name` is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in their order.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    /// The pairs in their order, owned.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The query with only the names that are taken.
    #[must_use]
    pub fn only(&self, is_taken: impl Fn(&str) -> bool) -> Self {
        let pairs = self.0.iter().filter(|(name, _)| is_taken(name));
        Self(pairs.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_value_is_there() {
        let query = Query::from_pairs(vec![("acl".into(), String::new())]);
        assert!(query.has("acl"));
        assert_eq!(query.get("acl"), Some(""));
        assert!(!query.has("ACL"));
    }

    #[test]
    fn a_query_without_some_names_keeps_the_order_of_the_others() {
        let pairs = ["b", "X-Amz-Date", "a"].map(|name| (name.to_owned(), String::new()));
        let query = Query::from_pairs(pairs.to_vec()).only(|name| name != "X-Amz-Date");
        let names: Vec<_> = query.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "a"]);
    }
}
