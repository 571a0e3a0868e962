//! KMS keys to make at start, for suites that expect certain ids.
//!
//! ```toml
//! [[key]]
//! id = "testkey-1"             # need not be a UUID
//! aliases = ["alias/test"]     # optional
//! account = "123456789012"     # optional: the main user's
//! region = "us-east-1"         # optional: the Region of `up`
//! description = "for tests"    # optional
//! material = "MDEy...=="       # optional: 32 bytes in base64; random when absent
//! ```

use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

/// A seed file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seed {
    /// Keys, in order.
    #[serde(default)]
    pub key: Vec<SeedKey>,
}

/// One key.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeedKey {
    /// Key id.
    pub id: String,
    /// Aliases, each with its `alias/`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Account; the main user's when absent.
    pub account: Option<String>,
    /// Region; that of `up` when absent.
    pub region: Option<String>,
    /// Description.
    #[serde(default)]
    pub description: String,
    /// Key material, 32 bytes; random when absent.
    #[serde(default, deserialize_with = "base64")]
    pub material: Option<Zeroizing<Vec<u8>>>,
}

fn base64<'de, D>(deserializer: D) -> Result<Option<Zeroizing<Vec<u8>>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let text = Zeroizing::new(String::deserialize(deserializer)?);
    let bytes = STANDARD.decode(text.as_bytes());
    bytes
        .map(|bytes| Some(Zeroizing::new(bytes)))
        .map_err(serde::de::Error::custom)
}

impl Seed {
    /// Reads a seed file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, has unknown fields, or an alias without `alias/`.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let context = || format!("in the seed file {}", file.display());
        Self::parse(&std::fs::read_to_string(file).with_context(context)?).with_context(context)
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let seed: Self = toml::from_str(text)?;
        for alias in seed.key.iter().flat_map(|key| &key.aliases) {
            anyhow::ensure!(
                alias.starts_with("alias/"),
                "{alias} does not start with alias/"
            );
        }
        Ok(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_need_not_be_uuids() {
        let text = "[[key]]\nid='testkey-1'\naliases=['alias/a']\n[[key]]\nid='testkey-2'\n";
        let seed = Seed::parse(text).unwrap();
        assert_eq!(seed.key[0].id, "testkey-1");
        assert_eq!(seed.key[1].aliases.len(), 0);
    }

    #[test]
    fn a_wrong_alias_or_field_is_refused() {
        assert!(Seed::parse("[[key]]\nid='a'\naliases=['b']\n").is_err());
        assert!(Seed::parse("[[key]]\nid='a'\nmaterial='?'\n").is_err());
        assert!(Seed::parse("[[key]]\nid='a'\npolicy='c'\n").is_err());
    }
}
