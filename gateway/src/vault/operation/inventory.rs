//! Inventories: the archives of a vault, as JSON or CSV.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/api-job-output-get.html>

use std::fmt::Write as _;
use std::sync::Arc;

use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use crate::vault::error::VaultError;
use crate::vault::record::ArchiveRecord;

/// Which archives an inventory has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct InventoryParameters {
    /// Those uploaded then or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    start_date: Option<String>,
    /// Those uploaded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_date: Option<String>,
    /// So many at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
    /// The first one, as the inventory before named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    marker: Option<String>,
}

/// An archive and its id.
type Entry = (String, Arc<ArchiveRecord>);

/// The archives that the parameters select, in the order of their upload, and the marker of those left.
///
/// # Errors
///
/// `InvalidParameterValueException`.
pub(super) fn select(
    mut archives: Vec<Entry>,
    parameters: &InventoryParameters,
) -> Result<(Vec<Entry>, Option<String>), VaultError> {
    let date = |text: &Option<String>| {
        let parse = |text: &String| {
            Timestamp::parse_iso8601(text)
                .map_err(|_| VaultError::invalid(format!("Invalid date: {text}")))
        };
        text.as_ref().map(parse).transpose()
    };
    let (start, end) = (date(&parameters.start_date)?, date(&parameters.end_date)?);
    let limit = match &parameters.limit {
        None => usize::MAX,
        Some(text) => {
            let limit = text.parse().ok().filter(|limit| *limit > 0);
            limit.ok_or_else(|| VaultError::invalid(format!("Invalid limit: {text}")))?
        }
    };
    archives.retain(|(_, archive)| {
        let uploaded = archive.uploaded();
        start.is_none_or(|start| start <= uploaded) && end.is_none_or(|end| uploaded < end)
    });
    archives.sort_by(|(a, one), (b, other)| (one.uploaded_ms, a).cmp(&(other.uploaded_ms, b)));
    if let Some(marker) = &parameters.marker {
        let place = archives.iter().position(|(id, _)| id == marker);
        let place =
            place.ok_or_else(|| VaultError::invalid(format!("Invalid marker: {marker}")))?;
        archives.drain(..place);
    }
    let next = archives.get(limit).map(|(id, _)| id.clone());
    archives.truncate(limit);
    Ok((archives, next))
}

/// An inventory as JSON.
pub(super) fn to_json(arn: &str, now: Timestamp, archives: &[Entry]) -> String {
    let list: Vec<_> = archives
        .iter()
        .map(|(id, archive)| {
            json!({
                "ArchiveId": id,
                "ArchiveDescription": archive.description,
                "CreationDate": archive.uploaded().iso8601(),
                "Size": archive.content.bytes(),
                "SHA256TreeHash": archive.tree_hash,
            })
        })
        .collect();
    json!({"VaultARN": arn, "InventoryDate": now.iso8601(), "ArchiveList": list}).to_string()
}

/// An inventory as CSV: quotes in descriptions have a backslash before them.
pub(super) fn to_csv(archives: &[Entry]) -> String {
    let header = "ArchiveId,ArchiveDescription,CreationDate,Size,SHA256TreeHash\n";
    let mut text = header.to_owned();
    for (id, archive) in archives {
        let description = archive.description.replace('"', "\\\"");
        let (uploaded, bytes) = (archive.uploaded().iso8601(), archive.content.bytes());
        let hash = archive.tree_hash;
        writeln!(text, "{id},\"{description}\",{uploaded},{bytes},{hash}")
            .expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vault::record::StoredContent;
    use crate::vault::record::StoredSegment;
    use crate::vault::tree_hash::TreeHasher;

    fn entry(id: &str, seconds: i64) -> Entry {
        let segment = StoredSegment {
            name: "s".to_owned(),
            bytes: 3,
        };
        let archive = ArchiveRecord {
            description: format!("a \"{id}\""),
            uploaded_ms: seconds * 1_000,
            tree_hash: TreeHasher::default().finish(),
            content: StoredContent {
                folder: "f".to_owned(),
                segments: vec![segment],
            },
        };
        (id.to_owned(), Arc::new(archive))
    }

    fn ids(parameters: serde_json::Value) -> Result<(String, Option<String>), VaultError> {
        let parameters = serde_json::from_value(parameters).unwrap();
        let archives = vec![entry("a", 30), entry("b", 10), entry("c", 20)];
        let (found, next) = select(archives, &parameters)?;
        Ok((found.into_iter().map(|(id, _)| id).collect(), next))
    }

    #[test]
    fn an_inventory_has_what_was_uploaded_between_its_dates_in_pages() {
        let found = |parameters| ids(parameters).unwrap();
        assert_eq!(found(json!({})), ("bca".to_owned(), None));
        let dates = json!({"StartDate": "1970-01-01T00:00:20Z", "EndDate": "1970-01-01T00:00:30Z"});
        assert_eq!(found(dates), ("c".to_owned(), None));
        let first = found(json!({"Limit": "2"}));
        assert_eq!(first, ("bc".to_owned(), Some("a".to_owned())));
        assert_eq!(found(json!({"Marker": "a"})), ("a".to_owned(), None));
        for wrong in [
            json!({"Limit": "0"}),
            json!({"Marker": "x"}),
            json!({"StartDate": "now"}),
        ] {
            assert!(ids(wrong).is_err());
        }
    }

    #[test]
    fn quotes_in_csv_have_a_backslash() {
        let text = to_csv(&[entry("a", 0)]);
        let line = text.lines().nth(1).unwrap();
        let start = "a,\"a \\\"a\\\"\",1970-01-01T00:00:00Z,3,e3b0c442";
        assert!(line.starts_with(start), "{line}");
    }
}
