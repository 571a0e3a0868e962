//! What is returned of a key: its metadata.

use proto::identity::Region;
use proto::kms::v1;
use proto::time::Timestamp;

use crate::api::call::Call;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::place::key_arn;
use crate::keys::record::MultiRegion;
use crate::keys::state::KeyState;

/// A key's metadata.
pub(crate) fn metadata(call: &Call<'_>, key: &Key) -> v1::KeyMetadata {
    let snapshot = key.snapshot();
    let record = &snapshot.record;
    let state = call.kms.keys.state(key, call.now);
    let algorithms = |usage| record.algorithms(usage);
    // It is there while imported material is gone, too.
    let current = record
        .current()
        .filter(|_| record.spec == KeySpec::SymmetricDefault);
    let current = current.map(|material| material.id.clone());
    let import = record
        .current()
        .and_then(|material| material.import.as_ref());
    let import = import.filter(|import| import.is_here(call.now));
    v1::KeyMetadata {
        aws_account_id: Some(key.account().to_string()),
        key_id: Some(key.id().to_string()),
        arn: Some(key.arn().to_string()),
        creation_date: Some(seconds(record.created_ms)),
        enabled: Some(state == KeyState::Enabled),
        description: Some(record.description.clone()),
        key_usage: Some(record.usage.as_str().to_owned()),
        key_state: Some(state.as_str().to_owned()),
        deletion_date: record.deletion_ms.map(seconds),
        origin: Some(record.origin.as_str().to_owned()),
        key_manager: Some(
            if record.manager == Manager::Customer {
                "CUSTOMER"
            } else {
                "AWS"
            }
            .to_owned(),
        ),
        customer_master_key_spec: Some(record.spec.as_str().to_owned()),
        key_spec: Some(record.spec.as_str().to_owned()),
        encryption_algorithms: algorithms(KeyUsage::EncryptDecrypt),
        signing_algorithms: algorithms(KeyUsage::SignVerify),
        mac_algorithms: algorithms(KeyUsage::GenerateVerifyMac),
        key_agreement_algorithms: algorithms(KeyUsage::KeyAgreement),
        encapsulation_algorithms: algorithms(KeyUsage::EncapsulateDecapsulate),
        multi_region: Some(record.multi_region.is_some()),
        multi_region_configuration: record
            .multi_region
            .as_ref()
            .map(|multi_region| configuration(key, multi_region)),
        pending_deletion_window_in_days: record.deletion_window_days,
        expiration_model: import.map(|import| import.expiration_model().to_owned()),
        valid_to: import.and_then(|import| import.valid_to_ms).map(seconds),
        xks_key_configuration: record
            .key_store
            .as_ref()
            .and_then(|link| link.external_key.clone())
            .map(|id| v1::XksKeyConfigurationType { id: Some(id) }),
        custom_key_store_id: record.key_store.as_ref().map(|link| link.id.clone()),
        cloud_hsm_cluster_id: record
            .key_store
            .as_ref()
            .and_then(|link| link.cluster.clone()),
        current_key_material_id: current,
    }
}

/// Which Regions a multi-Region key is in.
fn configuration(key: &Key, multi_region: &MultiRegion) -> v1::MultiRegionConfiguration {
    let related = |region: &Region| v1::MultiRegionKey {
        arn: Some(key_arn(key.account(), region, key.id())),
        region: Some(region.to_string()),
    };
    let own = multi_region.primary == *key.region();
    let replicas = multi_region
        .regions
        .iter()
        .filter(|region| **region != multi_region.primary);
    v1::MultiRegionConfiguration {
        multi_region_key_type: Some(if own { "PRIMARY" } else { "REPLICA" }.to_owned()),
        primary_key: Some(related(&multi_region.primary)),
        replica_keys: replicas.map(related).collect(),
    }
}

/// A time as AWS JSON writes it.
pub(crate) fn seconds(millis: i64) -> f64 {
    Timestamp::from_unix_millis(millis).unix_seconds_f64()
}
