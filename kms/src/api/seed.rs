//! Keys that are there from the start, with ids that their user chose.
//!
//! Seeding is idempotent: what is there already stays as it is, so a restart with the same seed
//! changes nothing. Ids need not be UUIDs.

use crate::api::Call;
use crate::api::Kms;
use crate::api::OperationName;
use crate::api::alias;
use crate::api::key::Draft;
use crate::caller::Caller;
use crate::crypto::ciphertext::NAME_BYTES_MAX;
use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::Alias;
use crate::keys::key::default_policy;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use zeroize::Zeroizing;

/// A key that is to be there.
pub struct Seed {
    /// Account of the key: 12 digits.
    pub account: String,
    /// Region of the key.
    pub region: String,
    /// The key's id: letters, digits, `-` and `_`.
    pub key_id: String,
    /// Names of aliases, with or without the prefix `alias/`. An alias that names another key moves.
    pub aliases: Vec<String>,
    /// The key's description.
    pub description: String,
    /// The key's tags.
    pub tags: Vec<(String, String)>,
    /// What the key is made of.
    pub spec: KeySpec,
    /// What the key may be used for.
    pub usage: KeyUsage,
    /// The key's material; random if none is given. Symmetric and HMAC material is the bare key, that
    /// of a pair is PKCS #8 in DER.
    pub material: Option<Zeroizing<Vec<u8>>>,
}

impl Seed {
    /// A symmetric encryption key of that id, with random material and no alias.
    #[must_use]
    pub fn new(account: &str, region: &str, key_id: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
            key_id: key_id.to_owned(),
            aliases: Vec::new(),
            description: String::new(),
            tags: Vec::new(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            material: None,
        }
    }
}

impl Kms {
    /// Makes the keys and aliases of the seeds that are not there yet.
    ///
    /// # Errors
    ///
    /// `ValidationException` for an id, alias or material that cannot be, or material that differs
    /// from that of the key that is there; `KMSInternalException` when the store fails.
    pub fn seed(&self, seeds: &[Seed]) -> Result<(), KmsError> {
        for seed in seeds {
            self.seed_one(seed)?;
        }
        Ok(())
    }

    fn seed_one(&self, seed: &Seed) -> Result<(), KmsError> {
        let Seed {
            account,
            region,
            key_id,
            ..
        } = seed;
        check(seed)?;
        let material = match &seed.material {
            Some(secret) => Some(
                Material::from_secret(seed.spec, key_id, secret.clone())
                    .ok_or_else(|| unfit(seed, "material"))?,
            ),
            None => None,
        };
        let caller = Caller::root(account, region);
        let call = Call::new(self, &caller, OperationName::CreateKey);
        match self.keys.find(account, region, key_id, call.now) {
            Some(key) => {
                let differs =
                    material.is_some_and(|given| key.snapshot().material(given.id()).is_none());
                if differs {
                    return Err(KmsError::validation(format!(
                        "{key_id} is there with other material than the seed has"
                    )));
                }
            }
            None => {
                let draft = Draft {
                    key_id: key_id.clone(),
                    spec: seed.spec,
                    usage: seed.usage,
                    origin: Origin::AwsKms,
                    multi_region: key_id.starts_with("mrk-"),
                    key_store: None,
                    manager: Manager::Customer,
                    description: seed.description.clone(),
                    policy: default_policy(caller.partition(), account),
                    tags: seed.tags.clone(),
                };
                match material {
                    Some(material) => draft.make_of(&call, Some(material))?,
                    None => draft.make(&call)?,
                };
            }
        }
        let now_ms = call.now.unix_millis();
        for name in alias_names(seed) {
            if self.keys.alias_target(account, region, &name).as_deref() == Some(key_id) {
                continue;
            }
            self.keys
                .change_alias(account, region, &name, call.now, |present| {
                    let created_ms = present.map_or(now_ms, |alias| alias.created_ms);
                    Ok(Some(Alias {
                        key_id: key_id.clone(),
                        created_ms,
                        updated_ms: now_ms,
                    }))
                })?;
        }
        Ok(())
    }
}

fn check(seed: &Seed) -> Result<(), KmsError> {
    let Seed {
        account,
        region,
        key_id,
        ..
    } = seed;
    let word = |text: &str| {
        (1..=NAME_BYTES_MAX).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(KmsError::validation(format!(
            "'{account}' is no account of 12 digits"
        )));
    }
    if !word(region) {
        return Err(KmsError::validation(format!("'{region}' is no Region")));
    }
    if !word(key_id) {
        return Err(KmsError::validation(format!("'{key_id}' is no key id")));
    }
    alias_names(seed)
        .iter()
        .try_for_each(|name| alias::check_name(name))
}

fn unfit(seed: &Seed, what: &str) -> KmsError {
    let spec = seed.spec.as_str();
    KmsError::validation(format!(
        "The {what} of {} does not fit its spec {spec}",
        seed.key_id
    ))
}

fn alias_names(seed: &Seed) -> Vec<String> {
    let prefixed = |name: &String| {
        if name.starts_with("alias/") {
            name.clone()
        } else {
            format!("alias/{name}")
        }
    };
    seed.aliases.iter().map(prefixed).collect()
}
