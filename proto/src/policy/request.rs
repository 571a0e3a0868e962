//! A request, as a policy sees it.

use std::collections::BTreeMap;

use crate::policy::principal::Principal;

/// One action of one principal on one resource.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who makes it.
    pub principal: &'a Principal,
    /// The action: `s3:GetObject`.
    pub action: &'a str,
    /// The ARN of the resource, with nothing in it encoded.
    pub resource: &'a str,
    /// The values of the condition keys.
    pub context: &'a Context,
}

/// The condition keys of a request and their values.
///
/// The names of keys are compared without regard to case, as AWS does. A key that is there
/// without values is present and empty, which set operators distinguish from values.
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

    /// Gives `key` this value alone.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_lowercase(), vec![value.into()]);
    }

    /// Adds all `values` of a multivalued `key`; without any, the key is present and empty.
    pub fn insert_all<V: Into<String>>(&mut self, key: &str, values: impl IntoIterator<Item = V>) {
        let all = self.0.entry(key.to_lowercase()).or_default();
        all.extend(values.into_iter().map(Into::into));
    }

    /// The values of `key`; `None` where the request does not have it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.values_of(&key.to_lowercase())
    }

    /// The values of a `key` in lower case; `None` where the request does not have it.
    pub(crate) fn values_of(&self, key: &str) -> Option<&[String]> {
        self.0.get(key).map(Vec::as_slice)
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
