//! KMS keys to create at start, with given ids and material.
//!
//! Two kinds of files: ours, below, in TOML or (with `key:` and a list) in YAML, and the `seed.yaml`
//! of local-kms, unchanged. Existing keys stay as they are.
//!
//! ```toml
//! [[key]]
//! id = "testkey-1"             # need not be a UUID
//! aliases = ["alias/test"]     # this and all that follows may be left out
//! account = "123456789012"     # the main user's
//! region = "us-east-1"         # the Region of `up`
//! description = "for tests"
//! tags = { team = "storage" }
//! spec = "SYMMETRIC_DEFAULT"   # as in CreateKey; with a private key, that key's
//! usage = "ENCRYPT_DECRYPT"    # as in CreateKey; the spec's first
//! origin = "AWS_KMS"           # or "EXTERNAL": imported material, or none yet
//! material = "MDEy...=="       # in base64; random when absent
//! materials = ["MDEy...=="]    # several, oldest first: a key that was rotated
//! private_key = """-----BEGIN PRIVATE KEY-----
//! ...
//! -----END PRIVATE KEY-----"""  # of a pair: PKCS #8, PKCS #1 or SEC 1
//! next_rotation = "2026-09-12T15:19:21Z"   # rotates by itself from then on, once a year
//! ```

mod local_kms;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms::config::Compat;
use kms::crypto::pair;
use kms::keys::metadata::KeySpec;
use kms::keys::metadata::KeyUsage;
use kms::keys::metadata::Origin;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::identity::Secret;
use proto::time::Timestamp;
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

use crate::configuration::ConfigurationFile;
use crate::seed::local_kms::LocalKmsSeed;

/// Keys to create.
#[derive(Default)]
pub struct Seed {
    keys: Vec<SeedKey>,
}

/// A seed file of ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedFile {
    #[serde(default)]
    key: Vec<SeedKey>,
}

/// One key in a file of ours.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SeedKey {
    pub(crate) id: String,
    pub(crate) aliases: Vec<String>,
    account: Option<AccountId>,
    region: Option<Region>,
    description: String,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) spec: Option<String>,
    pub(crate) usage: Option<String>,
    origin: Option<String>,
    pub(crate) material: Option<Secret>,
    materials: Vec<Secret>,
    private_key: Option<Secret>,
    next_rotation: Option<String>,
}

impl Seed {
    /// Reads a seed file: YAML by its name, else TOML.
    ///
    /// # Errors
    ///
    /// When it cannot be read, has unknown fields, or an alias without `alias/`.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let context = || format!("in the seed file {}", file.display());
        let written = ConfigurationFile::read(file)?;
        let yaml = file
            .extension()
            .is_some_and(|kind| kind == "yaml" || kind == "yml");
        if !yaml {
            let seed: SeedFile = written.parse()?;
            return Self::from_keys(seed.key).with_context(context);
        }
        Self::parse_yaml(written.text()).with_context(context)
    }

    /// Ours has its keys under `key`, local-kms's under `Keys`.
    fn parse_yaml(text: &str) -> anyhow::Result<Self> {
        if !text.lines().any(|line| line.starts_with("key:")) {
            return LocalKmsSeed::parse(text);
        }
        let seed: SeedFile = serde_saphyr::from_str(text)?;
        Self::from_keys(seed.key)
    }

    /// The same with more keys.
    ///
    /// # Errors
    ///
    /// When one of them has an alias without `alias/`, or a spec, a usage or material that is none.
    pub(crate) fn with(mut self, keys: Vec<SeedKey>) -> anyhow::Result<Self> {
        self.keys.extend(Self::from_keys(keys)?.keys);
        Ok(self)
    }

    fn from_keys(keys: Vec<SeedKey>) -> anyhow::Result<Self> {
        for alias in keys.iter().flat_map(|key| &key.aliases) {
            anyhow::ensure!(
                alias.starts_with("alias/"),
                "{alias} does not start with alias/"
            );
        }
        let (account, region) = (Compat::Aws.account(), Compat::Aws.region());
        for key in &keys {
            key.seed(&account, &region)?;
        }
        Ok(Self { keys })
    }

    /// Makes the keys that are not there yet, those that name no account or Region in these.
    ///
    /// # Errors
    ///
    /// When the KMS refuses one of them.
    pub fn plant(
        &self,
        kms: &kms::api::Kms,
        account: &AccountId,
        region: &Region,
    ) -> anyhow::Result<()> {
        let seeds: anyhow::Result<Vec<_>> = self
            .keys
            .iter()
            .map(|key| key.seed(account, region))
            .collect();
        kms::api::seed::plant(kms, &seeds?)
            .map_err(|error| anyhow::anyhow!("the KMS refused a seed: {error}"))
    }
}

impl SeedKey {
    fn seed(&self, account: &AccountId, region: &Region) -> anyhow::Result<kms::api::seed::Seed> {
        let id = &self.id;
        let unknown = |what: &str, text: &str| format!("{id}: `{text}` is no {what}");
        let given = self
            .spec
            .as_deref()
            .map(|text| KeySpec::parse(text).with_context(|| unknown("key spec", text)));
        let given = given.transpose()?;
        let private_key = match &self.private_key {
            Some(pem) => Some(
                pair::from_pem(pem.expose())
                    .with_context(|| format!("{id}: the private key cannot be read"))?,
            ),
            None => None,
        };
        let own = private_key.as_ref().map(|(spec, _)| *spec);
        let spec = given.or(own).unwrap_or(KeySpec::SymmetricDefault);
        let usage = match self.usage.as_deref() {
            Some(text) => KeyUsage::parse(text).with_context(|| unknown("key usage", text))?,
            None => first_usage(spec),
        };
        let origin = match self.origin.as_deref() {
            Some(text) => Origin::parse(text).with_context(|| unknown("origin", text))?,
            None => Origin::AwsKms,
        };
        let texts = self.materials.iter().chain(&self.material);
        let decoded = texts.map(|text| STANDARD.decode(text.expose()).map(Zeroizing::new));
        let mut materials = decoded
            .collect::<Result<Vec<_>, _>>()
            .with_context(|| format!("{id}: the material is no base64"))?;
        materials.extend(private_key.map(|(_, pkcs8)| pkcs8));
        let next_rotation = self.next_rotation.as_deref().map(time).transpose()?;
        Ok(kms::api::seed::Seed {
            account: self.account.as_ref().unwrap_or(account).clone(),
            region: self.region.as_ref().unwrap_or(region).clone(),
            key_id: id.clone(),
            aliases: self.aliases.clone(),
            description: self.description.clone(),
            tags: self.tags.clone().into_iter().collect(),
            spec,
            usage,
            origin,
            materials,
            next_rotation,
        })
    }
}

/// The usage of a spec that may be left out.
fn first_usage(spec: KeySpec) -> KeyUsage {
    let usages = [
        KeyUsage::EncryptDecrypt,
        KeyUsage::SignVerify,
        KeyUsage::GenerateVerifyMac,
        KeyUsage::EncapsulateDecapsulate,
    ];
    let fits = usages.into_iter().find(|usage| spec.allows(*usage));
    fits.unwrap_or(KeyUsage::EncryptDecrypt)
}

/// A time such as `2019-09-12T15:19:21+00:00`.
fn time(text: &str) -> anyhow::Result<Timestamp> {
    let time = OffsetDateTime::parse(text, &Rfc3339)
        .with_context(|| format!("`{text}` is no time such as 2026-09-12T15:19:21Z"))?;
    Ok(Timestamp::from_unix_seconds(time.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeds(text: &str) -> Vec<kms::api::seed::Seed> {
        let seed = parse(text).unwrap();
        seed.keys.iter().map(seed_of).collect()
    }

    fn seed_of(key: &SeedKey) -> kms::api::seed::Seed {
        let (account, region) = ("123456789012".parse(), "eu-west-1".parse());
        key.seed(&account.unwrap(), &region.unwrap()).unwrap()
    }

    fn parse(text: &str) -> anyhow::Result<Seed> {
        let file: SeedFile = toml::from_str(text)?;
        Seed::from_keys(file.key)
    }

    #[test]
    fn ids_need_not_be_uuids() {
        let text = "[[key]]\nid='testkey-1'\naliases=['alias/a']\n[[key]]\nid='testkey-2'\n";
        let seeds = seeds(text);
        assert_eq!(seeds[0].key_id, "testkey-1");
        assert_eq!(seeds[1].aliases.len(), 0);
        assert_eq!(seeds[1].region, "eu-west-1");
    }

    #[test]
    fn a_seed_may_give_the_material_and_the_usage_of_a_key() {
        let text = "[[key]]\nid='a'\nspec='HMAC_256'\nregion='us-east-2'\n\
                    material='AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='\n\
                    tags={team='storage'}\nnext_rotation='2026-09-12T15:19:21+02:00'\n";
        let seed = &seeds(text)[0];
        assert_eq!(seed.usage, KeyUsage::GenerateVerifyMac);
        assert_eq!(seed.materials[0].len(), 32);
        assert_eq!(seed.region, "us-east-2");
        assert_eq!(seed.tags, [("team".to_owned(), "storage".to_owned())]);
        let next = seed.next_rotation.unwrap().iso8601();
        assert_eq!(next, "2026-09-12T13:19:21Z");
    }

    #[test]
    fn a_file_of_ours_may_be_yaml() {
        let text = "key:\n  - id: testkey-1\n    aliases: [alias/a]\n    tags: {team: storage}\n\
                    \x20   material: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
                    \x20 - id: testkey-2\n    spec: HMAC_256\n";
        let seed = Seed::parse_yaml(text).unwrap();
        let of = |at: usize| seed_of(&seed.keys[at]);
        assert_eq!(
            (&*of(0).key_id, of(0).materials[0].len()),
            ("testkey-1", 32)
        );
        assert_eq!(of(0).aliases, ["alias/a"]);
        assert_eq!(of(1).usage, KeyUsage::GenerateVerifyMac);
        assert!(Seed::parse_yaml("key:\n  - id: a\n    policy: b\n").is_err());
        let local_kms = "Keys:\n  Symmetric:\n    Aes:\n      - Metadata:\n          KeyId: key\n";
        assert_eq!(Seed::parse_yaml(local_kms).unwrap().keys[0].id, "key");
    }

    #[test]
    fn a_wrong_alias_or_field_is_refused() {
        for line in [
            "aliases=['b']",
            "material='?'",
            "policy='c'",
            "spec='AES'",
            "usage='ALL'",
            "private_key='x'",
            "next_rotation='soon'",
            "account='1'",
            "region='US_EAST'",
        ] {
            assert!(
                parse(&format!("[[key]]\nid='a'\n{line}\n")).is_err(),
                "{line}"
            );
        }
    }
}
