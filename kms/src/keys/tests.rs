//! The working set over a store that can fail.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Timestamp;

use crate::crypto::material::Material;
use crate::crypto::root_key::RootKey;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::record::MaterialRecord;
use crate::keys::record::Record;
use crate::keys::store::Change;
use crate::keys::store::MemoryStore;
use crate::keys::store::Row;
use crate::keys::store::Store;
use crate::keys::store::StoreError;
use crate::keys::store::Table;
use crate::keys::upkeep;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);

/// A store that can be made to fail.
#[derive(Default)]
struct Faulty {
    rows: MemoryStore,
    fails: AtomicBool,
}

impl Store for Faulty {
    fn rows(&self) -> Result<Vec<Row>, StoreError> {
        self.rows.rows()
    }

    fn commit(&self, changes: Vec<Change>) -> Result<(), StoreError> {
        if self.fails.load(Ordering::SeqCst) {
            return Err(StoreError("no space left on device".into()));
        }
        self.rows.commit(changes)
    }
}

fn place() -> (AccountId, Region) {
    (
        "111122223333".parse().unwrap(),
        "us-east-1".parse().unwrap(),
    )
}

fn create(keys: &Keys, id: &str) -> Result<(), KmsError> {
    let (account, region) = place();
    let material = Material::generate(KeySpec::SymmetricDefault, id).unwrap();
    let record = Record {
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        origin: Origin::AwsKms,
        manager: Manager::Customer,
        description: String::new(),
        created_ms: NOW.unix_millis(),
        enabled: true,
        deletion_ms: None,
        tags: Vec::new(),
        policy: String::new(),
        materials: vec![MaterialRecord::new(&material, NOW.unix_millis(), None)],
        rotation: None,
        multi_region: None,
        deletion_window_days: None,
        key_store: None,
        grants: Vec::new(),
        last_use: None,
    };
    keys.create(&account, &region, id, record, vec![Arc::new(material)])
        .map(drop)
}

fn find(keys: &Keys, id: &str, now: Timestamp) -> Option<Arc<crate::keys::key::Key>> {
    let (account, region) = place();
    keys.find(&account, &region, id, now)
}

fn open(store: &Arc<Faulty>) -> Keys {
    Keys::open(Box::new(Arc::clone(store)), &RootKey::from_bytes([1; 32])).unwrap()
}

#[test]
fn what_could_not_be_made_durable_is_not_seen() {
    let store = Arc::new(Faulty::default());
    let keys = open(&store);
    create(&keys, "a").unwrap();
    store.fails.store(true, Ordering::SeqCst);
    let error = create(&keys, "b").unwrap_err();
    assert_eq!(error.code(), Code::KmsInternalException);
    assert!(!error.message().contains("space"));
    assert!(find(&keys, "b", NOW).is_none());
    let key = find(&keys, "a", NOW).unwrap();
    keys.change(&key, |record| {
        record.enabled = false;
        Ok(())
    })
    .unwrap_err();
    assert!(key.snapshot().record.enabled);
}

#[test]
fn a_key_past_its_waiting_period_is_gone_and_its_material_with_it() {
    let store = Arc::new(Faulty::default());
    let keys = open(&store);
    create(&keys, "a").unwrap();
    let key = find(&keys, "a", NOW).unwrap();
    keys.change(&key, |record| {
        record.deletion_ms = Some(NOW.plus(Duration::from_secs(1)).unix_millis());
        Ok(())
    })
    .unwrap();
    assert!(find(&keys, "a", NOW).is_some());
    let later = NOW.plus(Duration::from_secs(1));
    assert!(find(&keys, "a", later).is_none());
    upkeep::sweep(&keys, later).unwrap();
    let rows = store.rows().unwrap();
    assert!(rows.iter().all(|row| row.table == Table::Meta), "{rows:?}");
}

#[test]
fn a_key_whose_material_row_is_lost_does_not_open() {
    let store = Arc::new(Faulty::default());
    create(&open(&store), "a").unwrap();
    let row = store
        .rows()
        .unwrap()
        .into_iter()
        .find(|row| row.table == Table::Materials)
        .unwrap();
    let change = Change {
        table: row.table,
        name: row.name,
        value: None,
    };
    store.commit(vec![change]).unwrap();
    let opened = Keys::open(Box::new(Arc::clone(&store)), &RootKey::from_bytes([1; 32]));
    assert!(opened.err().unwrap().to_string().contains("materials/"));
}
