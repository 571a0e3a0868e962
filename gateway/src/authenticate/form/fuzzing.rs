//! The policy of a form, for its fuzz target.

use proto::time::Timestamp;

use crate::authenticate::form::policy::Policy;
use crate::payload::Fields;

/// Reads a form's policy, and holds it against fields.
pub fn form_policy(policy: &str, fields: &[(String, String)]) {
    let mut all = Fields::default();
    for (name, value) in fields {
        if all.add(name.clone(), value.clone()).is_err() {
            return;
        }
    }
    if let Ok(policy) = Policy::parse(policy) {
        let now = Timestamp::UNIX_EPOCH;
        drop(policy.allow(&all, "bucket", now));
        drop(policy.allow_length(Some(1)));
    }
}
