//! What a policy is asked about.

use std::collections::BTreeMap;

use crate::policy::Principal;

/// One action of one principal on one resource.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who asks.
    pub principal: &'a Principal,
    /// What for: `s3:GetObject`.
    pub action: &'a str,
    /// On what: an ARN, with nothing in it encoded.
    pub resource: &'a str,
    /// All else that conditions may look at.
    pub context: &'a Context,
}

/// The condition keys of a request and their values.
///
/// The names of keys are compared without regard to case, as AWS does. A key that stands there
/// without values is present and empty, which set operators tell apart from values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<String, Vec<String>>);

impl Context {
    /// A context without keys.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one value of `key`, beside those it has.
    pub fn insert(&mut self, key: &str, value: impl Into<String>) {
        self.0
            .entry(key.to_lowercase())
            .or_default()
            .push(value.into());
    }

    /// Adds all `values` of a multivalued `key`; without any, the key is present and empty.
    pub fn insert_all<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        let all = self.0.entry(key.to_lowercase()).or_default();
        all.extend(values.into_iter().map(Into::into));
    }

    /// The values of `key`; `None` where the request does not have it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        if let Some(values) = self.0.get(key) {
            return Some(values);
        }
        self.0.get(&key.to_lowercase()).map(Vec::as_slice)
    }
}

impl<K: AsRef<str>, V: Into<String>> FromIterator<(K, V)> for Context {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(pairs: I) -> Self {
        let mut context = Self::new();
        for (key, value) in pairs {
            context.insert(key.as_ref(), value);
        }
        context
    }
}
