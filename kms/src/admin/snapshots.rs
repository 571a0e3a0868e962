//! Snapshots of all keys by name, and forks: further KMSs in this process that start from one.
//!
//! Snapshots are in memory. To store one, or to take it elsewhere, export it: the file is
//! JSON, its rows are sealed under a key that the request gives.

use std::any::Any;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proto::identity::Secret;
use proto::sigv4::sha256_hex;
use proto::time::Clock as _;
use proto::time::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

use crate::admin::Control;
use crate::admin::Outcome;
use crate::admin::Refusal;
use crate::admin::controls::read;
use crate::crypto::random_array;
use crate::crypto::root_key::RootKey;
use crate::keys::Image;
use crate::keys::store::Row;
use crate::keys::store::Table;

/// A KMS that was forked from this one.
pub struct Fork {
    /// Where both protocols are served.
    pub endpoint: String,
    /// Where its admin port is.
    pub admin_endpoint: String,
    /// Stops it when dropped.
    pub running: Box<dyn Any + Send>,
}

/// What starts a fork from an image.
pub type Forker = Box<
    dyn Fn(Arc<Image>) -> Pin<Box<dyn Future<Output = Result<Fork, String>> + Send>> + Send + Sync,
>;

/// Snapshots and forks.
pub struct Snapshots {
    forker: Forker,
    taken: Mutex<BTreeMap<String, NamedSnapshot>>,
    forks: Mutex<BTreeMap<String, Fork>>,
}

#[derive(Clone)]
struct NamedSnapshot {
    at: Timestamp,
    image: Arc<Image>,
}

impl Snapshots {
    /// No snapshots yet; forks will be started by `forker`.
    #[must_use]
    pub fn new(forker: Forker) -> Self {
        Self {
            forker,
            taken: Mutex::default(),
            forks: Mutex::default(),
        }
    }

    fn image(&self, name: &str) -> Result<Arc<Image>, Refusal> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = taken.get(name).map(|taken| Arc::clone(&taken.image));
        taken.ok_or_else(|| Refusal::bad(format!("there is no snapshot `{name}`")))
    }

    fn insert(&self, name: String, taken: NamedSnapshot) -> Result<(), Refusal> {
        let mut all = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if name.is_empty() || (all.len() >= SNAPSHOTS_MAX && !all.contains_key(&name)) {
            let text = format!("a snapshot needs a name, and there can be {SNAPSHOTS_MAX}");
            return Err(Refusal::bad(text));
        }
        all.insert(name, taken);
        Ok(())
    }
}

/// The snapshots and forks there are.
pub(crate) fn list(control: &Control) -> Value {
    let snapshots = &control.snapshots;
    let taken = snapshots
        .taken
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let entry = |(name, taken): (&String, &NamedSnapshot)| {
        json!({
            "name": name,
            "taken": taken.at.iso8601_millis(),
            "keys": taken.image.keys(),
            "aliases": taken.image.aliases(),
        })
    };
    let forks = snapshots
        .forks
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    json!({
        "snapshots": taken.iter().map(entry).collect::<Vec<_>>(),
        "forks": forks.iter().map(|(id, fork)| fork_json(id, fork)).collect::<Vec<_>>(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotName {
    name: String,
}

/// Takes a snapshot; it replaces one of the same name.
pub(crate) fn take(control: &Control, body: &[u8]) -> Outcome {
    let named = read::<SnapshotName>(body)?;
    let taken = NamedSnapshot {
        at: control.clock.now(),
        image: Arc::new(control.kms.image()),
    };
    control.snapshots.insert(named.name, taken)?;
    Ok(list(control))
}

/// Puts a snapshot in the place of all keys.
pub(crate) fn restore(control: &Control, body: &[u8]) -> Outcome {
    let image = control.snapshots.image(&read::<SnapshotName>(body)?.name)?;
    control.kms.restore(&image).map_err(Refusal::bad)?;
    Ok(list(control))
}

/// Forgets a snapshot.
pub(crate) fn forget(control: &Control, body: &[u8]) -> Outcome {
    let named = read::<SnapshotName>(body)?;
    control.snapshots.image(&named.name)?;
    let snapshots = &control.snapshots;
    let mut taken = snapshots
        .taken
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    taken.remove(&named.name);
    drop(taken);
    Ok(list(control))
}

/// Forgets all keys, events in memory and usage of quotas; the clock shows the real time. Then empties what
/// runs beside this KMS, and returns what became of that.
pub(crate) async fn reset(control: &Control) -> Outcome {
    control.kms.reset().map_err(Refusal::bad)?;
    control.clock.reset();
    let mut answer = list(control);
    if let Some(reset) = control.hooks.beside_reset.get() {
        let outcome = reset().await.map_err(Refusal::failed)?;
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("backend".to_owned(), outcome.into());
        }
    }
    Ok(answer)
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ForkRequest {
    /// The snapshot to start from; the keys of now if none is named.
    name: Option<String>,
}

/// Starts a fork on free ports.
pub(crate) async fn fork(control: &Control, body: &[u8]) -> Outcome {
    let request = read::<ForkRequest>(body)?;
    let image = match request.name {
        Some(name) => control.snapshots.image(&name)?,
        None => Arc::new(control.kms.image()),
    };
    let full = {
        let forks = &control.snapshots.forks;
        forks.lock().unwrap_or_else(PoisonError::into_inner).len() >= FORKS_MAX
    };
    if full {
        return Err(Refusal::bad(format!(
            "there are {FORKS_MAX} forks; stop one"
        )));
    }
    let fork = (control.snapshots.forker)(image)
        .await
        .map_err(Refusal::bad)?;
    let id = hex::encode(random_array::<8>());
    let described = fork_json(&id, &fork);
    let forks = &control.snapshots.forks;
    let mut forks = forks.lock().unwrap_or_else(PoisonError::into_inner);
    forks.insert(id, fork);
    Ok(described)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopRequest {
    id: String,
}

/// Stops a fork at once.
pub(crate) fn stop(control: &Control, body: &[u8]) -> Outcome {
    let request = read::<StopRequest>(body)?;
    let forks = &control.snapshots.forks;
    let stopped = forks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&request.id);
    if stopped.is_none() {
        return Err(Refusal::bad(format!("there is no fork `{}`", request.id)));
    }
    Ok(list(control))
}

fn fork_json(id: &str, fork: &Fork) -> Value {
    json!({
        "id": id,
        "kms_endpoint": fork.endpoint,
        "kms_admin_endpoint": fork.admin_endpoint,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExportRequest {
    name: String,
    /// What seals the file: 64 hex digits.
    key: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ImportRequest {
    name: String,
    key: Secret,
    file: SnapshotFile,
}

/// A snapshot outside of the process.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SnapshotFile {
    format: String,
    version: u32,
    /// Table, name and sealed value in base64 of each row.
    rows: Vec<(String, String, String)>,
    /// Of the rows' JSON, so that damage is distinguished from a wrong key.
    sha256: String,
}

/// A snapshot as a file.
pub(crate) fn export(control: &Control, body: &[u8]) -> Outcome {
    let request = read::<ExportRequest>(body)?;
    let image = control.snapshots.image(&request.name)?;
    let rows = image.to_rows(&key(&request.key)?).map_err(Refusal::bad)?;
    let row = |row: Row| {
        (
            row.table.name().to_owned(),
            row.name,
            STANDARD.encode(row.value),
        )
    };
    let rows: Vec<_> = rows.into_iter().map(row).collect();
    let file = SnapshotFile {
        format: FORMAT.to_owned(),
        version: VERSION,
        sha256: checksum(&rows),
        rows,
    };
    serde_json::to_value(&file).map_err(Refusal::bad)
}

/// Takes a file in as a snapshot. It is not restored yet.
pub(crate) fn import(control: &Control, body: &[u8]) -> Outcome {
    let request = read::<ImportRequest>(body)?;
    let file = request.file;
    if file.format != FORMAT || file.version != VERSION {
        return Err(Refusal::bad(format!(
            "this is no {FORMAT} of version {VERSION}"
        )));
    }
    if checksum(&file.rows) != file.sha256 {
        return Err(Refusal::bad("the file is damaged"));
    }
    let row = |(table, name, value): (String, String, String)| {
        let known = Table::ALL.iter().find(|known| known.name() == table);
        let value = STANDARD.decode(value).ok();
        known
            .zip(value)
            .map(|(table, value)| Row {
                table: *table,
                name,
                value,
            })
            .ok_or_else(|| Refusal::bad("the file has a row that cannot be read"))
    };
    let rows = file.rows.into_iter().map(row).collect::<Result<_, _>>()?;
    let image = Image::from_rows(rows, &key(&request.key)?).map_err(Refusal::bad)?;
    let taken = NamedSnapshot {
        at: control.clock.now(),
        image: Arc::new(image),
    };
    control.snapshots.insert(request.name, taken)?;
    Ok(list(control))
}

fn key(text: &Secret) -> Result<RootKey, Refusal> {
    RootKey::from_hex(text.expose()).ok_or_else(|| Refusal::bad("`key` takes 64 hex digits"))
}

fn checksum(rows: &[(String, String, String)]) -> String {
    sha256_hex(&serde_json::to_vec(rows).expect("texts are JSON"))
}

/// Most snapshots in memory.
const SNAPSHOTS_MAX: usize = 1_000;

/// Most forks at once; each has two ports and a thread.
const FORKS_MAX: usize = 256;

const FORMAT: &str = "sealgate-kms-snapshot";
const VERSION: u32 = 1;
