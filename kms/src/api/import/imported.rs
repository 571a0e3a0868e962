//! Imported material among a key's: put there, and forgotten.

use std::sync::Arc;

use proto::kms::v1;

use crate::crypto::material::Material;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Edited;
use crate::keys::key::Key;
use crate::keys::metadata::KeySpec;
use crate::keys::record::Import;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Record;

/// Which material a request says that it imports.
pub(crate) struct Wanted {
    /// Material that the key did not have; else material that it had, unless it has none yet.
    is_new: bool,
    /// The id of material that the key had.
    id: Option<String>,
}

impl Wanted {
    /// What the request says, if it goes together and with the key.
    pub(crate) fn of(request: &v1::ImportKeyMaterialRequest, key: &Key) -> Result<Self, KmsError> {
        let is_new = request.import_type.as_deref() == Some("NEW_KEY_MATERIAL");
        let is_replica = key.snapshot().record.is_replica(key.region());
        if is_replica && is_new {
            return Err(KmsError::validation(
                "Input parameter ImportType NEW_KEY_MATERIAL cannot be used on replica Multi-Region keys",
            ));
        }
        if is_replica && request.key_material_description.is_some() {
            return Err(KmsError::validation(
                "Key material description can only be specified on primary Multi-Region keys",
            ));
        }
        if is_new && request.key_material_id.is_some() {
            return Err(KmsError::validation(
                "Input parameter keyMaterialId cannot be used with NEW_KEY_MATERIAL importType.",
            ));
        }
        Ok(Self {
            is_new,
            id: request.key_material_id.clone(),
        })
    }
}

/// Puts material among the key's: again where it was, or as new. New material is known to all keys of a multi-Region
/// key at once, and so is its description.
pub(crate) fn place(
    own: &mut Edited,
    others: &mut [Edited],
    key_arn: &str,
    material: &Arc<Material>,
    mut import: Import,
    wanted: &Wanted,
    now_ms: i64,
) -> Result<(), KmsError> {
    let id = material.id_text();
    if wanted.id.as_deref().is_some_and(|wanted| wanted != id) {
        return Err(unexpected(&own.record, wanted));
    }
    let known = own.record.materials.iter().find(|known| known.id == id);
    match known {
        Some(_) if wanted.is_new => {
            return Err(incorrect(&format!(
                "Key material (id: {id}) being imported as NEW_KEY_MATERIAL is already associated \
                 with KMS key {key_arn}."
            )));
        }
        Some(known) => {
            let before = known.import.clone();
            import.pending_rotation = before.as_ref().is_some_and(|it| it.pending_rotation);
            import.description = import.description.or(before.and_then(|it| it.description));
        }
        None => {
            let is_first = own.record.materials.is_empty();
            check_new(own, key_arn, id, wanted, is_first)?;
            import.pending_rotation = !is_first;
        }
    }
    for edited in others {
        let absent = Import {
            present: false,
            valid_to_ms: None,
            ..import.clone()
        };
        let entry = entry(&mut edited.record, material, now_ms);
        let mine = entry.import.get_or_insert(absent);
        mine.description.clone_from(&import.description);
    }
    entry(&mut own.record, material, now_ms).import = Some(import);
    own.record.enabled = true;
    if !own.materials.iter().any(|here| here.id() == material.id()) {
        own.materials.push(Arc::clone(material));
    }
    Ok(())
}

/// What is stored of a material, which is added if the key did not have it.
fn entry<'r>(record: &'r mut Record, material: &Material, now_ms: i64) -> &'r mut MaterialRecord {
    let materials = &mut record.materials;
    let at = materials
        .iter()
        .position(|known| known.id == material.id_text());
    let at = at.unwrap_or_else(|| {
        materials.push(MaterialRecord::new(material, now_ms, None));
        materials.len() - 1
    });
    materials.get_mut(at).expect("it was found or added")
}

/// Refuses material that the key did not have, unless it is its first or is to replace the current.
fn check_new(
    own: &Edited,
    key_arn: &str,
    id: &str,
    wanted: &Wanted,
    is_first: bool,
) -> Result<(), KmsError> {
    let record = &own.record;
    let may_rotate = wanted.is_new && record.spec == KeySpec::SymmetricDefault;
    if record.is_replica(&own.region) || wanted.id.is_some() || !(is_first || may_rotate) {
        return Err(unexpected(record, wanted));
    }
    let is_pending = |known: &&MaterialRecord| {
        let import = known.import.as_ref();
        import.is_some_and(|import| import.pending_rotation)
    };
    let Some(waiting) = record.materials.iter().find(is_pending) else {
        return Ok(());
    };
    Err(KmsError::new(
        Code::KmsInvalidStateException,
        format!(
            "New key material (id: {id}) cannot be imported into KMS key {key_arn}, because \
             another key material (id: {}) is pending rotation.",
            waiting.id
        ),
    ))
}

/// Forgets imported material, and returns its id. Material that waits for a rotation is no longer the key's, in no
/// Region if it is forgotten in the primary's; other material is waited for.
pub(crate) fn forget(
    own: &mut Edited,
    others: &mut [Edited],
    key_arn: &str,
    wanted: Option<String>,
) -> Result<String, KmsError> {
    let never = |id: &str| {
        KmsError::validation(format!(
            "Key material (id: {id}) has never been imported into KMS key {key_arn}."
        ))
    };
    let pending_import = || {
        KmsError::new(
            Code::KmsInvalidStateException,
            format!("{key_arn} is pending import."),
        )
    };
    let current = own.record.current().map(|material| material.id.clone());
    let id = match wanted {
        Some(id) => id,
        None => current.ok_or_else(pending_import)?,
    };
    let is_replica = own.record.is_replica(&own.region);
    let mut known = own.record.materials.iter_mut();
    let named = known.find(|material| material.id == id);
    let import = named.and_then(|material| material.import.as_mut());
    let import = import.ok_or_else(|| never(&id))?;
    if import.pending_rotation && !is_replica {
        for edited in others.iter_mut().chain([own]) {
            edited.record.materials.retain(|known| known.id != id);
            edited.materials.retain(|here| here.id_text() != id);
        }
        return Ok(id);
    }
    import.present = false;
    own.materials.retain(|here| here.id_text() != id);
    Ok(id)
}

/// The material is not that which the request names or the key waits for. The ids of other than symmetric encryption
/// keys' are not shown.
fn unexpected(record: &Record, wanted: &Wanted) -> KmsError {
    let absent = record
        .materials
        .iter()
        .find(|known| !record.holds(&known.id));
    let expected = absent.or_else(|| record.current());
    let expected = wanted.id.as_ref().or_else(|| expected.map(|it| &it.id));
    match expected {
        Some(id) if record.spec == KeySpec::SymmetricDefault => incorrect(&format!(
            "Imported key material does not have the expected identifier ({id})."
        )),
        _ => incorrect(""),
    }
}

/// The material is not the right one.
pub(crate) fn incorrect(text: &str) -> KmsError {
    KmsError::new(Code::IncorrectKeyMaterialException, text.to_owned())
}
