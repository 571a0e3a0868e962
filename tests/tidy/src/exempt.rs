//! What does not pass yet. These lists only shrink: an exemption that is not needed any more is
//! an error.

use std::collections::BTreeSet;

/// Modules with import circles among their own files.
pub const CIRCLES: &[&str] = &[];

/// Types with `impl` blocks in more than three files.
pub const IMPLS: &[&str] = &[];

/// Folders whose imports have another order.
pub const IMPORTS: &[&str] = &[];

/// Exemptions of one rule, and which of them were used.
pub(crate) struct Exemptions<'a> {
    list: &'a [&'a str],
    used: BTreeSet<&'a str>,
}

impl<'a> Exemptions<'a> {
    pub(crate) fn new(list: &'a [&'a str]) -> Self {
        Self {
            list,
            used: BTreeSet::new(),
        }
    }

    /// Whether this is exempt. Marks the exemption as needed.
    pub(crate) fn covers(&mut self, what: &str) -> bool {
        let found = self.list.iter().find(|entry| **entry == what);
        self.used.extend(found.copied());
        found.is_some()
    }

    /// The exemptions that nothing needed.
    pub(crate) fn stale(&self) -> Vec<String> {
        let unused = self
            .list
            .iter()
            .filter(|entry| !self.used.contains(**entry));
        unused
            .map(|entry| format!("the exemption `{entry}` is stale"))
            .collect()
    }
}
