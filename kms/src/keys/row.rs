//! The rows of the store: how what is stored becomes changes, and what cannot be read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::crypto::material::Material;
use crate::error::KmsError;
use crate::keys::key_sealer::OpenChange;
use crate::keys::key_sealer::OpenError;
use crate::keys::key_sealer::OpenRow;
use crate::keys::place::Place;
use crate::keys::store::StoreError;
use crate::keys::store::Table;

/// A row that is to have that value.
pub(crate) fn put(
    table: Table,
    name: &impl ToString,
    value: &impl Serialize,
) -> Result<OpenChange, KmsError> {
    let value = serde_json::to_vec(value).map_err(|_| KmsError::internal())?;
    Ok(OpenChange {
        table,
        name: name.to_string(),
        value: Some(Zeroizing::new(value)),
    })
}

/// A row that is to be deleted.
pub(crate) fn delete(table: Table, name: &impl ToString) -> OpenChange {
    OpenChange {
        table,
        name: name.to_string(),
        value: None,
    }
}

/// The row of a material of the key in that place.
pub(crate) fn material_row(key: &Place<'_>, material: &Material) -> OpenChange {
    OpenChange {
        table: Table::Materials,
        name: material_name(key, material.id_text()),
        value: Some(Zeroizing::new(material.secret().to_vec())),
    }
}

/// The name of the row of a material of the key in that place.
pub(crate) fn material_name(key: &Place<'_>, material_id: &str) -> String {
    format!("{key}/{material_id}")
}

/// The place and the value of a row.
pub(crate) fn read<T: DeserializeOwned>(row: &OpenRow) -> Result<(Place<'_>, T), OpenError> {
    let place = Place::parse(&row.name);
    let value = serde_json::from_slice(&row.value).ok();
    place
        .zip(value)
        .ok_or_else(|| damaged(row.table, &row.name))
}

/// A row that cannot be read, or is not there.
pub(crate) fn damaged(table: Table, name: &str) -> OpenError {
    OpenError::Damaged {
        row: format!("{}/{name}", table.name()),
    }
}

/// The cause belongs into the log, not into the answer.
pub(crate) fn not_durable(error: &StoreError) -> KmsError {
    tracing::error!(%error, "a change could not be made durable");
    KmsError::internal()
}
