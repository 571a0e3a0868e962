//! All the names of the keys that a request is about.

use std::sync::Arc;

use serde_json::Value;

use crate::api::kms::Kms;
use crate::api::operation::Operation;
use crate::api::reference;
use crate::api::reference::By;
use crate::caller::Caller;
use crate::crypto::ciphertext::Blob;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::place::alias_arn;

/// All names of the keys which a request is about: their ids, their ARNs, their aliases and the
/// aliases' ARNs. A ciphertext names its key, too.
#[must_use]
pub fn names_of_keys(kms: &Kms, caller: &Caller, operation: &Operation) -> Vec<String> {
    let keys = keys_of(kms, caller, operation);
    keys.iter().flat_map(|key| names(&kms.keys, key)).collect()
}

/// The ARNs of the keys which a request is about.
#[must_use]
pub fn arns_of_keys(kms: &Kms, caller: &Caller, operation: &Operation) -> Vec<Arc<str>> {
    let keys = keys_of(kms, caller, operation);
    keys.iter().map(|key| Arc::clone(key.arn())).collect()
}

/// The keys which a request is about.
fn keys_of(kms: &Kms, caller: &Caller, operation: &Operation) -> Vec<Arc<Key>> {
    let (keys, now) = (&kms.keys, kms.clock.now());
    let request = operation.to_value();
    let named = MEMBERS
        .iter()
        .filter_map(|member| request.get(member).and_then(Value::as_str))
        .filter_map(|text| reference::resolve(keys, caller, now, text, By::Alias).ok());
    let sealed = match operation {
        Operation::Decrypt(request) => request.ciphertext_blob.as_deref(),
        Operation::ReEncrypt(request) => request.ciphertext_blob.as_deref(),
        _ => None,
    };
    let sealed = sealed.and_then(Blob::parse).and_then(|blob| {
        let account = blob.key.account.parse().ok()?;
        keys.find(&account, &caller.region, blob.key.key_id, now)
    });
    // ReEncrypt opens under the key that sealed it first.
    sealed.into_iter().chain(named).collect()
}

fn names(keys: &Keys, key: &Arc<Key>) -> Vec<String> {
    let mut names = vec![key.id().to_string(), key.arn().to_string()];
    for alias in keys.aliases_of(key) {
        names.push(alias_arn(key.account(), key.region(), &alias));
        names.push(alias);
    }
    names
}

/// The members of requests that name a key to use.
const MEMBERS: &[&str] = &["KeyId", "SourceKeyId", "DestinationKeyId"];

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use crate::api::Operation;
    use crate::api::OperationName;
    use crate::api::names::names_of_keys;
    use crate::api::tests::World;

    fn names(world: &World, name: &str, request: &Value) -> Vec<String> {
        let name = OperationName::from_name(name).unwrap();
        let operation = Operation::from_json(name, request.to_string().as_bytes()).unwrap();
        names_of_keys(&world.kms, &world.caller, &operation)
    }

    #[test]
    fn a_key_goes_by_all_its_names_whichever_is_given() {
        let world = World::new();
        let (id, arn) = world.key();
        let alias = json!({"AliasName": "alias/named", "TargetKeyId": id});
        world.ok("CreateAlias", alias);
        let blob = world.ok("Encrypt", json!({"KeyId": id, "Plaintext": "AAAA"}));
        let alias_arn = arn.replace(&format!("key/{id}"), "alias/named");
        let all = [&*id, &*arn, &*alias_arn, "alias/named"];
        for named in all {
            let request = json!({"KeyId": named, "Plaintext": "AAAA"});
            assert_eq!(names(&world, "Encrypt", &request), all, "{named}");
        }
        let request = json!({"CiphertextBlob": blob["CiphertextBlob"]});
        assert_eq!(names(&world, "Decrypt", &request), all);
        let request = json!({"KeyId": "no key", "Plaintext": "AAAA"});
        assert!(names(&world, "Encrypt", &request).is_empty());
        assert!(names(&world, "GenerateRandom", &json!({})).is_empty());
    }
}
