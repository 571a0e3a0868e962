//! Making a key: what may be requested together, and the key that comes of it.

use std::sync::Arc;

use crate::api::Call;
use crate::api::key_policy;
use crate::api::key_store;
use crate::compat::Compat;
use crate::crypto;
use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key::Key;
use crate::keys::key::default_policy;
use crate::keys::key_store::Backing;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::record::Import;
use crate::keys::record::KeyStoreLink;
use crate::keys::record::MaterialRecord;
use crate::keys::record::MultiRegion;
use crate::keys::record::Record;

/// What CreateKey requests.
pub(crate) struct KeyRequest {
    pub(crate) spec: Option<String>,
    pub(crate) deprecated_spec: Option<String>,
    pub(crate) usage: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) key_store_id: Option<String>,
    pub(crate) external_key: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) lockout_accepted: bool,
    pub(crate) description: String,
    pub(crate) multi_region: bool,
    pub(crate) tags: Vec<(String, String)>,
}

/// A key that fits together and can be made.
pub(crate) struct Draft {
    pub(crate) key_id: String,
    pub(crate) spec: KeySpec,
    pub(crate) usage: KeyUsage,
    pub(crate) origin: Origin,
    pub(crate) multi_region: bool,
    pub(crate) key_store: Option<KeyStoreLink>,
    pub(crate) manager: Manager,
    pub(crate) description: String,
    pub(crate) policy: String,
    pub(crate) tags: Vec<(String, String)>,
}

impl Draft {
    /// Checks that what is requested fits together.
    pub(crate) fn of_request(call: &mut Call<'_>, request: KeyRequest) -> Result<Self, KmsError> {
        if request.spec.is_some() && request.deprecated_spec.is_some() {
            return Err(KmsError::validation(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
                 CustomerMasterKeySpec is deprecated.",
            ));
        }
        let spec = request.spec.or(request.deprecated_spec);
        let spec = spec
            .as_deref()
            .and_then(KeySpec::parse)
            .unwrap_or(KeySpec::SymmetricDefault);
        let usage = usage(request.usage.as_deref(), spec, call.kms.compat())?;
        let origin = request
            .origin
            .as_deref()
            .and_then(Origin::parse)
            .unwrap_or(Origin::AwsKms);
        call.parameter("keySpec", spec.as_str());
        call.parameter("keyUsage", usage.as_str());
        call.parameter("origin", origin.as_str());
        call.parameter("description", &*request.description);
        call.parameter("multiRegion", request.multi_region);
        if spec == KeySpec::Sm2 {
            return Err(not_offered());
        }
        let link = KeyStoreRequest {
            origin,
            id: request.key_store_id,
            external_key: request.external_key,
            ordinary: spec == KeySpec::SymmetricDefault && !request.multi_region,
        };
        let key_store = link.checked(call)?;
        let key_id = fresh_id(request.multi_region);
        let policy = request.policy.map_or_else(
            || {
                Ok(default_policy(
                    call.caller.partition(),
                    &call.caller.account,
                ))
            },
            |policy| {
                key_policy::checked(
                    call,
                    policy,
                    &call.key_arn(&key_id),
                    request.lockout_accepted,
                )
            },
        )?;
        Ok(Self {
            key_id,
            spec,
            usage,
            origin,
            multi_region: request.multi_region,
            key_store,
            manager: Manager::Customer,
            description: request.description,
            policy,
            tags: request.tags,
        })
    }

    /// Makes the key in the caller's account and Region.
    pub(crate) fn make(self, call: &Call<'_>) -> Result<Arc<Key>, KmsError> {
        if self.origin == Origin::External {
            return self.make_of(call, None);
        }
        let material = Material::generate(self.spec, &self.key_id).ok_or_else(not_offered)?;
        self.make_of(call, Some(material))
    }

    /// Makes the key of that material, or one that waits for its import.
    pub(crate) fn make_of(
        self,
        call: &Call<'_>,
        material: Option<Material>,
    ) -> Result<Arc<Key>, KmsError> {
        let now_ms = call.now.unix_millis();
        let caller = call.caller;
        let of = |material: &Material| MaterialRecord {
            id: material.id_text().to_owned(),
            since_ms: now_ms,
            rotation: None,
            import: (self.origin == Origin::External).then_some(Import {
                present: true,
                pending_rotation: false,
                valid_to_ms: None,
                description: None,
            }),
        };
        let region = caller.region.to_string();
        let record = Record {
            spec: self.spec,
            usage: self.usage,
            origin: self.origin,
            manager: self.manager,
            description: self.description,
            created_ms: now_ms,
            enabled: true,
            deletion_ms: None,
            tags: self.tags,
            policy: self.policy,
            materials: material.iter().map(of).collect(),
            rotation: None,
            multi_region: self.multi_region.then(|| MultiRegion {
                primary: region.clone(),
                regions: vec![region],
            }),
            deletion_window_days: None,
            key_store: self.key_store,
            grants: Vec::new(),
            last_use: None,
        };
        let materials = material.into_iter().map(Arc::new).collect();
        call.kms.keys.create(
            &caller.account,
            &caller.region,
            &self.key_id,
            record,
            materials,
        )
    }
}

/// The usage that is requested, or that of symmetric encryption keys.
fn usage(request: Option<&str>, spec: KeySpec, compat: Compat) -> Result<KeyUsage, KmsError> {
    let usage = match request.and_then(KeyUsage::parse) {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsage::EncryptDecrypt,
        None => {
            return Err(KmsError::validation(
                "You must specify a KeyUsage value for all KMS keys except for symmetric \
                 encryption keys.",
            ));
        }
    };
    if spec.allows(usage) {
        return Ok(usage);
    }
    if compat == Compat::LocalKms && spec == KeySpec::SymmetricDefault {
        return Err(KmsError::validation(format!(
            "The operation failed because the KeyUsage value of the CMK is {}. To perform this \
             operation, the KeyUsage value must be ENCRYPT_DECRYPT.",
            usage.as_str()
        )));
    }
    Err(KmsError::validation(format!(
        "KeyUsage {} is not compatible with KeySpec {}",
        usage.as_str(),
        spec.as_str()
    )))
}

/// The custom key store that a key is to be in, as requested.
struct KeyStoreRequest {
    origin: Origin,
    id: Option<String>,
    external_key: Option<String>,
    /// A symmetric encryption key of one Region; only those may be in a custom key store.
    ordinary: bool,
}

impl KeyStoreRequest {
    /// The store, if it is connected and of the origin's kind; none for keys outside such stores.
    fn checked(self, call: &Call<'_>) -> Result<Option<KeyStoreLink>, KmsError> {
        let external = self.origin == Origin::ExternalKeyStore;
        if !external && self.origin != Origin::AwsCloudHsm {
            return match self.id.or(self.external_key) {
                None => Ok(None),
                Some(_) => Err(KmsError::validation(format!(
                    "A custom key store is not valid for origin {}.",
                    self.origin.as_str()
                ))),
            };
        }
        if !self.ordinary {
            return Err(KmsError::new(Code::UnsupportedOperationException, ""));
        }
        let Some(id) = self.id else {
            return Err(KmsError::validation("CustomKeyStoreId is required."));
        };
        let store = key_store::named(call, Some(&id))?;
        if !store.connected {
            return Err(key_store::invalid_state(&store, "must be connected"));
        }
        match (store.backing, self.external_key) {
            (Backing::CloudHsm { cluster, .. }, None) if !external => Ok(Some(KeyStoreLink {
                id,
                external_key: None,
                cluster: Some(cluster),
            })),
            (Backing::External { .. }, Some(key)) if external => {
                let taken = |other: &Arc<Key>| {
                    let snapshot = other.snapshot();
                    let link = snapshot.record.key_store.as_ref();
                    link.is_some_and(|l| l.id == id && l.external_key.as_ref() == Some(&key))
                };
                let caller = call.caller;
                let keys = call
                    .kms
                    .keys
                    .list(&caller.account, &caller.region, call.now);
                if keys.iter().any(taken) {
                    return Err(KmsError::new(Code::XksKeyAlreadyInUseException, ""));
                }
                Ok(Some(KeyStoreLink {
                    id,
                    external_key: Some(key),
                    cluster: None,
                }))
            }
            _ => Err(KmsError::validation(
                "The origin, the custom key store and the external key do not fit together.",
            )),
        }
    }
}

/// An id that no other key has: a UUID, or for multi-Region keys `mrk-` and 32 hex digits.
pub(crate) fn fresh_id(multi_region: bool) -> String {
    if multi_region {
        return format!("mrk-{}", hex::encode(crypto::random_array::<16>()));
    }
    uuid::Builder::from_random_bytes(crypto::random_array())
        .into_uuid()
        .to_string()
}

/// SM2 exists in China Regions only.
fn not_offered() -> KmsError {
    KmsError::new(
        Code::UnsupportedOperationException,
        "Keys of this kind are not available in this Region.",
    )
}
