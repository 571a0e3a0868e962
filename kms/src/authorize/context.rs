//! What the conditions of a policy may look at: the request, and the key.
//!
//! Sources: <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.

use std::borrow::Cow;

use proto::policy::Context;
use proto::time::Timestamp;

use crate::caller::Caller;
use crate::caller::service_principal;
use crate::keys::key::Key;
use crate::keys::record::Record;

/// One value of a condition key that comes from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    name: Cow<'static, str>,
    value: String,
}

impl Condition {
    /// A value of a condition key.
    #[must_use]
    pub fn new(name: impl Into<Cow<'static, str>>, value: &str) -> Self {
        Self {
            name: name.into(),
            value: value.to_owned(),
        }
    }

    /// Adds it to the condition keys of a request.
    pub(crate) fn write(&self, context: &mut Context) {
        context.insert(&self.name, &*self.value);
    }

    /// Whether it is a value of that condition key.
    #[must_use]
    pub fn is_of(&self, name: &str) -> bool {
        self.name == name
    }
}

/// Adds what conditions may look at of the key: what it is and its tags.
///
/// Two condition keys have a former name, which works the same way.
pub(crate) fn of_key(key: &Key, record: &Record, context: &mut Context) {
    for name in ["kms:KeySpec", "kms:CustomerMasterKeySpec"] {
        context.insert(name, record.spec.as_str());
    }
    for name in ["kms:KeyUsage", "kms:CustomerMasterKeyUsage"] {
        context.insert(name, record.usage.as_str());
    }
    context.insert("kms:KeyOrigin", record.origin.as_str());
    context.insert("kms:MultiRegion", record.multi_region.is_some().to_string());
    if record.multi_region.is_some() {
        let primary = record.is_primary(key.region());
        let kind = if primary { "PRIMARY" } else { "REPLICA" };
        context.insert("kms:MultiRegionKeyType", kind);
    }
    for (name, value) in &record.tags {
        context.insert(&format!("aws:ResourceTag/{name}"), &**value);
    }
}

/// Adds what conditions may look at in every request.
pub(crate) fn of_request(caller: &Caller, now: Timestamp, context: &mut Context) {
    caller.write_conditions(now, context);
    context.insert("kms:CallerAccount", caller.account.as_str());
    context.insert("aws:CurrentTime", now.iso8601());
    context.insert("aws:EpochTime", now.unix_seconds().to_string());
    context.insert("aws:RequestedRegion", caller.region.as_str());
    if let Some(ip) = caller.source_ip.filter(|_| caller.via_service.is_none()) {
        context.insert("aws:SourceIp", ip.to_string());
    }
    context.insert("aws:SecureTransport", caller.is_secure().to_string());
    context.insert(
        "aws:ViaAWSService",
        caller.via_service.is_some().to_string(),
    );
    if let Some(service) = &caller.via_service {
        context.insert("kms:ViaService", &**service);
        let principal = service_principal(service);
        for name in ["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"] {
            context.insert(name, &*principal);
        }
    }
    if let Some(agent) = &caller.user_agent {
        context.insert("aws:UserAgent", &**agent);
    }
}
