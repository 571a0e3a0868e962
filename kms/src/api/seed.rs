//! Keys that are there from the start, with ids that their user chose.
//!
//! Seeding is idempotent: what is there already stays as it is, so a restart with the same seed
//! changes nothing. Ids need not be UUIDs.

use std::sync::Arc;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;
use zeroize::Zeroizing;

use crate::api::alias;
use crate::api::draft::Draft;
use crate::api::kms::Kms;
use crate::crypto::ciphertext::NAME_BYTES_MAX;
use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Origin;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Rotation;
use crate::keys::record::RotationType;

/// A key that is to be there.
pub struct Seed {
    /// Account of the key.
    pub account: AccountId,
    /// Region of the key.
    pub region: Region,
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
    /// Where its material comes from: made here, or imported.
    pub origin: Origin,
    /// The key's materials, oldest first; random if none is given, unless it is to be imported.
    /// Symmetric and HMAC material is the bare key, that of a pair is PKCS #8 in DER.
    pub materials: Vec<Zeroizing<Vec<u8>>>,
    /// When the key rotates automatically for the first time, if it does; then every 365 days.
    pub next_rotation: Option<Timestamp>,
}

impl Seed {
    /// A symmetric encryption key of that id, with random material and no alias.
    #[must_use]
    pub fn new(account: &AccountId, region: &Region, key_id: &str) -> Self {
        Self {
            account: account.clone(),
            region: region.clone(),
            key_id: key_id.to_owned(),
            aliases: Vec::new(),
            description: String::new(),
            tags: Vec::new(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            materials: Vec::new(),
            next_rotation: None,
        }
    }
}

/// Makes the keys and aliases of the seeds that are not there yet.
///
/// # Errors
///
/// `ValidationException` for an id, alias or material that cannot be, or material that differs
/// from that of the key that is there; `KMSInternalException` when the store fails.
pub fn plant(kms: &Kms, seeds: &[Seed]) -> Result<(), KmsError> {
    let now = kms.clock.now();
    seeds
        .iter()
        .try_for_each(|seed| plant_one(&kms.keys, seed, now))
}

fn plant_one(keys: &Keys, seed: &Seed, now: Timestamp) -> Result<(), KmsError> {
    let Seed {
        account,
        region,
        key_id,
        ..
    } = seed;
    check(seed)?;
    let materials = materials(seed)?;
    let key = match keys.find(account, region, key_id, now) {
        Some(key) => {
            let snapshot = key.snapshot();
            let lacks = |given: &Material| snapshot.material(given.id()).is_none();
            if materials.iter().any(lacks) {
                return Err(KmsError::validation(format!(
                    "{key_id} is there with other material than the seed has"
                )));
            }
            key
        }
        None => make(keys, seed, materials, now)?,
    };
    for name in alias_names(seed) {
        if keys.alias_target(account, region, &name).as_deref() != Some(key_id) {
            keys.put_alias(&name, &key, now, |_| Ok(()))?;
        }
    }
    Ok(())
}

fn make(
    keys: &Keys,
    seed: &Seed,
    materials: Vec<Material>,
    now: Timestamp,
) -> Result<Arc<Key>, KmsError> {
    if !seed.spec.allows(seed.usage) {
        return Err(unfit(seed, "usage"));
    }
    let draft = Draft {
        spec: seed.spec,
        usage: seed.usage,
        origin: seed.origin,
        multi_region: seed.key_id.starts_with("mrk-"),
        description: seed.description.clone(),
        tags: seed.tags.clone(),
        ..Draft::new(&seed.account, &seed.region, seed.key_id.clone())
    };
    let mut materials = materials.into_iter();
    let key = match materials.next() {
        Some(first) => draft.make_of(keys, now, Some(first))?,
        None => draft.make(keys, now)?,
    };
    let newer: Vec<_> = materials.map(Arc::new).collect();
    if newer.is_empty() && seed.next_rotation.is_none() {
        return Ok(key);
    }
    let rotated = |material: &Arc<Material>| {
        MaterialRecord::new(material, now.unix_millis(), Some(RotationType::Automatic))
    };
    keys.change_with_materials(&key, |record, materials| {
        record.materials.extend(newer.iter().map(rotated));
        materials.extend(newer.iter().map(Arc::clone));
        record.rotation = seed.next_rotation.map(|next| Rotation {
            period_days: 365,
            next_ms: next.unix_millis(),
        });
        Ok(())
    })?;
    Ok(key)
}

fn materials(seed: &Seed) -> Result<Vec<Material>, KmsError> {
    let of = |secret: &Zeroizing<Vec<u8>>| {
        Material::from_secret(seed.spec, &seed.key_id, secret.clone())
            .ok_or_else(|| unfit(seed, "material"))
    };
    let single = seed.spec != KeySpec::SymmetricDefault || seed.origin == Origin::External;
    if single && seed.materials.len() > 1 {
        return Err(unfit(seed, "number of materials"));
    }
    seed.materials.iter().map(of).collect()
}

fn check(seed: &Seed) -> Result<(), KmsError> {
    let id = &seed.key_id;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    if !(1..=NAME_BYTES_MAX).contains(&id.len()) || !id.bytes().all(allowed) {
        return Err(KmsError::validation(format!("'{id}' is no key id")));
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
