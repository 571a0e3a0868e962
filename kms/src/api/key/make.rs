//! Making a key: what may be requested together, and the key that comes of it.

use crate::api::call::Call;
use crate::api::draft::Draft;
use crate::api::draft::not_offered;
use crate::api::key_policy;
use crate::api::key_store;
use crate::compat::Compat;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::key_store::Backing;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Origin;
use crate::keys::place::key_arn;
use crate::keys::record::KeyStoreLink;

/// What CreateKey requests.
pub(crate) struct KeyRequest {
    pub(crate) key_id: String,
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

/// Checks that what is requested fits together.
pub(crate) fn draft(call: &mut Call<'_>, request: KeyRequest) -> Result<Draft, KmsError> {
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
    call.record.parameter("keySpec", spec.as_str());
    call.record.parameter("keyUsage", usage.as_str());
    call.record.parameter("origin", origin.as_str());
    call.record.parameter("description", &*request.description);
    call.record.parameter("multiRegion", request.multi_region);
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
    let (account, region) = call.caller.place();
    let mut draft = Draft::new(account, region, request.key_id);
    if let Some(policy) = request.policy {
        let arn = key_arn(account, region, &draft.key_id);
        draft.policy = key_policy::checked(call, policy, &arn, request.lockout_accepted)?;
    }
    Ok(Draft {
        spec,
        usage,
        origin,
        multi_region: request.multi_region,
        key_store,
        description: request.description,
        tags: request.tags,
        ..draft
    })
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
        let store = key_store::find(call, Some(&id))?;
        if !store.connected {
            return Err(key_store::invalid_state(&store, "must be connected"));
        }
        match (store.backing, self.external_key) {
            (Backing::CloudHsm { cluster, .. }, None) if !external => Ok(Some(KeyStoreLink {
                id,
                external_key: None,
                cluster: Some(cluster),
            })),
            (Backing::External(_), Some(key)) if external => Ok(Some(KeyStoreLink {
                id,
                external_key: Some(key),
                cluster: None,
            })),
            _ => Err(KmsError::validation(
                "The origin, the custom key store and the external key do not fit together.",
            )),
        }
    }
}
