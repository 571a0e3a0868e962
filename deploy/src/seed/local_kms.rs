//! The `seed.yaml` of local-kms, in its current form and the previous one.
//!
//! Source: <https://github.com/nsmithuk/local-kms#seeding-file-format>. Unknown fields
//! are ignored, as by local-kms.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::identity::Secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::seed::Seed;
use crate::seed::SeedKey;

/// A seed file of local-kms.
#[derive(Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[derive(Default)]
pub(super) struct LocalKmsSeed {
    keys: Keys,
    aliases: Vec<Alias>,
}

/// Its keys: by kind, or, in the previous form, symmetric ones only.
#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    Before(Vec<Key>),
    Now(ByKind),
}

impl Default for Keys {
    fn default() -> Self {
        Self::Before(Vec::new())
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ByKind {
    symmetric: Symmetric,
    asymmetric: Asymmetric,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Symmetric {
    aes: Vec<Key>,
    hmac: Vec<Key>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Asymmetric {
    rsa: Vec<Key>,
    ecc: Vec<Key>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Key {
    metadata: Metadata,
    backing_keys: Vec<Secret>,
    private_key_pem: Option<Secret>,
    next_key_rotation: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Metadata {
    key_id: String,
    description: String,
    key_usage: Option<String>,
    key_spec: Option<String>,
    origin: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Alias {
    alias_name: String,
    target_key_id: String,
}

impl LocalKmsSeed {
    /// Reads the text of a file.
    pub(super) fn parse(text: &str) -> anyhow::Result<Seed> {
        let read: Self = serde_saphyr::from_str(text)?;
        let keys = match read.keys {
            Keys::Before(keys) => keys,
            Keys::Now(kinds) => {
                let hmac = kinds.symmetric.hmac;
                let pairs = [kinds.asymmetric.rsa, kinds.asymmetric.ecc];
                let mut keys = kinds.symmetric.aes;
                keys.extend(hmac);
                keys.extend(pairs.into_iter().flatten());
                keys
            }
        };
        let mut keys = keys
            .into_iter()
            .map(Key::into_seed)
            .collect::<anyhow::Result<Vec<_>>>()?;
        for alias in read.aliases {
            let target = keys.iter_mut().find(|key| key.id == alias.target_key_id);
            let target = target
                .with_context(|| format!("{} names a key that is not here", alias.alias_name))?;
            target.aliases.push(alias.alias_name);
        }
        Seed::from_keys(keys)
    }
}

impl Key {
    fn into_seed(self) -> anyhow::Result<SeedKey> {
        let id = self.metadata.key_id;
        let hex = |text: &Secret| {
            let bytes = Zeroizing::new(hex::decode(text.expose())?);
            Ok::<_, hex::FromHexError>(Secret::new(STANDARD.encode(&*bytes)))
        };
        let materials = self.backing_keys.iter().map(hex).collect::<Result<_, _>>();
        Ok(SeedKey {
            materials: materials.with_context(|| format!("{id}: a backing key is no hex"))?,
            description: self.metadata.description,
            spec: self.metadata.key_spec,
            usage: self.metadata.key_usage,
            origin: self.metadata.origin,
            private_key: self.private_key_pem,
            next_rotation: self.next_key_rotation,
            id,
            ..SeedKey::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use kms::keys::metadata::KeySpec;
    use kms::keys::metadata::KeyUsage;
    use kms::keys::metadata::Origin;

    use super::*;

    fn seeds(text: &str) -> Vec<kms::api::seed::Seed> {
        let seed = LocalKmsSeed::parse(text).unwrap();
        let compat = kms::config::Compat::LocalKms;
        let of = |key: &SeedKey| key.seed(&compat.account(), &compat.region()).unwrap();
        seed.keys.iter().map(of).collect()
    }

    #[test]
    fn a_seed_file_of_local_kms_is_read_unchanged() {
        let text = r#"
Keys:
  Symmetric:
    Aes:
      - Metadata:
          KeyId: bc436485-5092-42b8-92a3-0aa8b93536dc
          Description: "Your key description"
        NextKeyRotation: "2019-09-12T15:19:21+00:00"
        BackingKeys:
          - 34743777217A25432A46294A404E635266556A586E3272357538782F413F4428
          - 614E645267556B58703273357638792F423F4528472B4B6250655368566D5971
      - Metadata:
          KeyId: 5d05267f-bb87-4d0b-8594-295a4371d414
          Origin: EXTERNAL
  Asymmetric:
    Ecc:
      - Metadata:
          KeyId: 800d5768-3fd7-4edd-a4b8-4c81c3e4c147
          KeyUsage: SIGN_VERIFY
          Description: ECC key with curve secp256r1
        PrivateKeyPem: |
          -----BEGIN EC PRIVATE KEY-----
          MHcCAQEEIMnOrUrXr8rwne7d8f01cfwmpS/w+K7jcyWmmeLDgWKaoAoGCCqGSM49
          AwEHoUQDQgAEYNMBBZ3h1ipuph1iO5k+yLvTs94UN71quXN3f0P/tprs2Fp2FEas
          M7m7XZ2xlDK3wcEAs1QEIoQjjwnhcptQ6A==
          -----END EC PRIVATE KEY-----

Aliases:
  - AliasName: alias/testing
    TargetKeyId: bc436485-5092-42b8-92a3-0aa8b93536dc
"#;
        let seeds = seeds(text);
        assert_eq!(seeds[0].aliases, ["alias/testing"]);
        assert_eq!(seeds[0].materials.len(), 2);
        assert_eq!(seeds[0].materials[0][..2], [0x34, 0x74]);
        assert_eq!(
            seeds[0].next_rotation.unwrap().iso8601(),
            "2019-09-12T15:19:21Z"
        );
        assert_eq!(seeds[1].origin, Origin::External);
        assert!(seeds[1].materials.is_empty());
        assert_eq!(seeds[2].spec, KeySpec::EccNistP256);
        assert_eq!(seeds[2].usage, KeyUsage::SignVerify);
    }

    #[test]
    fn the_previous_form_is_read_too() {
        let text = "Keys:\n  - Metadata:\n      KeyId: a\n    BackingKeys:\n      - \
                    5cdaead27fe7da2de47945d73cd6d79e36494e73802f3cd3869f1d2cb0b5d7a9\n";
        let seeds = seeds(text);
        assert_eq!((seeds.len(), &*seeds[0].key_id), (1, "a"));
        assert_eq!(seeds[0].spec, KeySpec::SymmetricDefault);
    }

    #[test]
    fn a_seed_that_cannot_be_created_is_refused() {
        for text in [
            "Aliases:\n  - AliasName: alias/a\n    TargetKeyId: b\n",
            "Keys:\n  - Metadata:\n      KeyId: a\n    BackingKeys: [xyz]\n",
            "Keys: 5\n",
        ] {
            assert!(LocalKmsSeed::parse(text).is_err(), "{text}");
        }
    }
}
