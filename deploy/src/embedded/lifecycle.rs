//! Lifecycle rules of a bucket: what they say of an object, a version, an upload.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>

use serde::Deserialize;
use serde::Serialize;

use crate::embedded::configurations::Configuration;
use crate::embedded::index::record::Object;
use crate::embedded::index::record::Version;

#[cfg(test)]
mod tests;

/// The lifecycle configuration of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// Its rules, in the order in which they were put.
    pub rules: Vec<Rule>,
    /// Whether it depends on the storage class which objects are too small for a transition. Returned
    /// as it was put: there are no transitions.
    pub varies_by_storage_class: bool,
}

impl Configuration for Lifecycle {
    const KIND: &'static str = "lifecycle";
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Whether it applies.
    pub is_enabled: bool,
    /// What it applies to.
    pub filter: Filter,
    /// When current versions expire.
    pub expiration: Option<Expiration>,
    /// When noncurrent versions are removed.
    pub noncurrent: Option<NoncurrentExpiration>,
    /// How many days after its creation an upload is aborted.
    pub abort_days: Option<u32>,
}

/// What a rule applies to: to what fulfils all of this.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filter {
    /// How it was put.
    pub form: FilterForm,
    /// The beginning of keys.
    pub prefix: Option<String>,
    /// Tags that an object has.
    pub tags: Vec<(String, String)>,
    /// Objects are larger than this number of bytes.
    pub larger_than: Option<u64>,
    /// Objects are smaller than this number of bytes.
    pub smaller_than: Option<u64>,
}

/// The element in which a filter was put, and is returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FilterForm {
    /// `Prefix`, in the rule itself.
    Prefix,
    /// `Filter`, with at most one condition.
    #[default]
    Filter,
    /// `Filter` with `And`.
    And,
}

/// When current versions expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiration {
    /// So many days after they were written.
    Days(u32),
    /// At this midnight, in milliseconds since 1970.
    Date(i64),
    /// Delete markers, once no version is left below them; or not even those.
    DeleteMarker(bool),
}

/// When noncurrent versions are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncurrentExpiration {
    /// So many days after they became noncurrent.
    pub days: u32,
    /// But never the newest of them, of this number.
    pub newer: Option<u32>,
}

/// What is due for a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The current version expires.
    Expire,
    /// The version of this id is removed for good.
    Remove(u128),
}

impl Lifecycle {
    /// When a current version expires that was written at `modified_ms`, and by which rule: the first
    /// of them.
    #[must_use]
    pub fn expiration(&self, key: &str, object: &Object, modified_ms: i64) -> Option<(i64, &str)> {
        let ends = self.enabled().filter_map(|rule| {
            let end = match rule.expiration? {
                Expiration::Days(days) => midnight_after(modified_ms, days),
                Expiration::Date(date) => date,
                Expiration::DeleteMarker(_) => return None,
            };
            let applies = rule.filter.applies_to(key, Some(object));
            applies.then_some((end, rule.id.as_str()))
        });
        ends.min_by_key(|(end, _)| *end)
    }

    /// When an upload is aborted that was created at `created_ms`, and by which rule.
    #[must_use]
    pub fn abort(&self, key: &str, created_ms: i64) -> Option<(i64, &str)> {
        let ends = self.enabled().filter_map(|rule| {
            let days = rule.abort_days?;
            let applies = rule.filter.has_prefix_of(key);
            applies.then_some((midnight_after(created_ms, days), rule.id.as_str()))
        });
        ends.min_by_key(|(end, _)| *end)
    }

    /// What is due for the versions of a key, the newest first.
    #[must_use]
    pub fn due(&self, key: &str, versions: &[Version], now_ms: i64) -> Vec<Action> {
        let mut due = Vec::new();
        let Some((current, noncurrent)) = versions.split_first() else {
            return due;
        };
        match &current.object {
            Some(object) => {
                let end = self.expiration(key, object, current.modified_ms);
                if end.is_some_and(|(end, _)| end <= now_ms) {
                    due.push(Action::Expire);
                }
            }
            None if noncurrent.is_empty() && self.removes_marker(key, current, now_ms) => {
                due.push(Action::Remove(current.id));
            }
            None => {}
        }
        let mut since_ms = current.modified_ms;
        for (newer, version) in noncurrent.iter().enumerate() {
            if self.removes_noncurrent(key, version, since_ms, newer, now_ms) {
                due.push(Action::Remove(version.id));
            }
            since_ms = version.modified_ms;
        }
        due
    }

    /// Whether a delete marker is removed that has no version below it.
    fn removes_marker(&self, key: &str, marker: &Version, now_ms: i64) -> bool {
        self.enabled().any(|rule| {
            let is_over = match rule.expiration {
                Some(Expiration::DeleteMarker(removes)) => removes,
                // AWS removes those that are old enough to expire, too.
                Some(Expiration::Days(days)) => midnight_after(marker.modified_ms, days) <= now_ms,
                Some(Expiration::Date(date)) => date <= now_ms,
                None => false,
            };
            is_over && rule.filter.applies_to(key, None)
        })
    }

    /// Whether a version is removed that is noncurrent since `since_ms`, with `newer` noncurrent ones
    /// above it.
    fn removes_noncurrent(
        &self,
        key: &str,
        version: &Version,
        since_ms: i64,
        newer: usize,
        now_ms: i64,
    ) -> bool {
        self.enabled().any(|rule| {
            rule.noncurrent.is_some_and(|noncurrent| {
                let spared = noncurrent.newer.unwrap_or_default();
                let is_spared = u32::try_from(newer).is_ok_and(|newer| newer < spared);
                let is_over = midnight_after(since_ms, noncurrent.days) <= now_ms;
                let object = version.object.as_ref();
                is_over && !is_spared && rule.filter.applies_to(key, object)
            })
        })
    }

    fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.is_enabled)
    }
}

impl Filter {
    /// Whether the rule applies to an object, or to a delete marker, which has neither tags nor size.
    fn applies_to(&self, key: &str, object: Option<&Object>) -> bool {
        let Some(object) = object else {
            let is_of_objects =
                !self.tags.is_empty() || self.larger_than.is_some() || self.smaller_than.is_some();
            return !is_of_objects && self.has_prefix_of(key);
        };
        self.has_prefix_of(key)
            && self.tags.iter().all(|tag| object.tags.contains(tag))
            && self.larger_than.is_none_or(|bytes| object.length > bytes)
            && self.smaller_than.is_none_or(|bytes| object.length < bytes)
    }

    fn has_prefix_of(&self, key: &str) -> bool {
        let prefix = self.prefix.as_ref();
        prefix.is_none_or(|prefix| key.starts_with(prefix))
    }
}

/// The first midnight (UTC) at which `days` are over.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html#intro-lifecycle-rules-number-of-days>
fn midnight_after(start_ms: i64, days: u32) -> i64 {
    let end = start_ms.saturating_add(i64::from(days).saturating_mul(DAY_MS));
    let into_day = end.rem_euclid(DAY_MS);
    match into_day {
        0 => end,
        _ => end.saturating_add(DAY_MS - into_day),
    }
}

/// A day, in milliseconds.
pub const DAY_MS: i64 = 86_400_000;
