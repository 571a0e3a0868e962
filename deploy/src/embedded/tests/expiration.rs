//! Lifecycle rules are carried out when the clock says so.

use std::sync::Arc;

use proto::time::ManualClock;
use proto::time::Timestamp;

use crate::embedded::buckets;
use crate::embedded::configurations;
use crate::embedded::disk::Disk;
use crate::embedded::expiration;
use crate::embedded::index::record::LockMode;
use crate::embedded::index::record::Retention;
use crate::embedded::index::record::Versioning;
use crate::embedded::index::tables::Tables;
use crate::embedded::lifecycle::DAY_MS;
use crate::embedded::lifecycle::Expiration;
use crate::embedded::lifecycle::Filter;
use crate::embedded::lifecycle::Lifecycle;
use crate::embedded::lifecycle::NoncurrentExpiration;
use crate::embedded::lifecycle::Rule;
use crate::embedded::store::Place;
use crate::embedded::store::Store;
use crate::embedded::tests::BUCKET;
use crate::embedded::tests::LARGE;
use crate::embedded::tests::begin_upload;
use crate::embedded::tests::create_bucket;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;
use crate::embedded::tests::get;
use crate::embedded::tests::place;
use crate::embedded::tests::put;
use crate::embedded::tests::put_part;
use crate::embedded::versions;

struct Fixture {
    store: Store,
    clock: Arc<ManualClock>,
}

impl Fixture {
    /// A store at the end of day 100, with a bucket that has these rules.
    async fn start(lock: bool, rules: Vec<Rule>) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_millis(100 * DAY_MS)));
        let disk: Arc<dyn Disk> = TestDisk::with(Image::default());
        let store = Store::open(disk, Arc::<ManualClock>::clone(&clock)).unwrap();
        create_bucket(&store, lock).await.unwrap();
        let configure = move |tables: &mut Tables<'_>| {
            let mut bucket = buckets::find(&*tables.buckets, BUCKET)?;
            bucket.has_lifecycle = true;
            let lifecycle = Lifecycle {
                rules,
                varies_by_storage_class: false,
            };
            configurations::store(tables, bucket.number, &lifecycle)?;
            buckets::store(tables, BUCKET, &bucket)
        };
        store.index.change(configure).await.unwrap();
        Self { store, clock }
    }

    /// Moves the clock and carries out what is due then.
    async fn after_days(&self, days: i64) -> u64 {
        let now = self.store.now_ms() + days * DAY_MS;
        self.clock.set(Timestamp::from_unix_millis(now));
        expiration::apply(&self.store).await.unwrap()
    }

    async fn set_versioning(&self, versioning: Versioning) {
        let set =
            move |tables: &mut Tables<'_>| buckets::set_versioning(tables, BUCKET, versioning);
        self.store.index.change(set).await.unwrap();
    }

    fn versions(&self, key: &str) -> usize {
        let count = self.store.index.read(|snapshot| {
            let bucket = buckets::find(&snapshot.buckets()?, BUCKET)?;
            let (number, key) = (bucket.number, key.as_bytes());
            let table = snapshot.versions()?;
            Ok(table
                .range((number, key, 0)..=(number, key, u64::MAX))?
                .count())
        });
        count.unwrap()
    }
}

fn rule() -> Rule {
    Rule {
        id: "rule".to_owned(),
        is_enabled: true,
        filter: Filter::default(),
        expiration: None,
        noncurrent: None,
        abort_days: None,
    }
}

fn expires_after(days: u32, prefix: &str) -> Rule {
    Rule {
        expiration: Some(Expiration::Days(days)),
        filter: Filter {
            prefix: Some(prefix.to_owned()),
            ..Filter::default()
        },
        ..rule()
    }
}

#[tokio::test]
async fn objects_expire_by_prefix_on_their_day_and_not_before() {
    let fixture = Fixture::start(false, vec![expires_after(3, "log/")]).await;
    for key in ["log/a", "log/b", "other"] {
        put(&fixture.store, key, vec![1; LARGE]).await.unwrap();
    }
    assert_eq!(fixture.after_days(2).await, 0);
    put(&fixture.store, "log/b", vec![2; 9]).await.unwrap();
    assert_eq!(fixture.after_days(1).await, 1);
    assert_eq!(get(&fixture.store, "log/a").await, None);
    assert_eq!(get(&fixture.store, "log/b").await, Some(vec![2; 9]));
    assert_eq!(fixture.after_days(90).await, 1);
    assert_eq!(get(&fixture.store, "other").await, Some(vec![1; LARGE]));
}

#[tokio::test]
async fn more_objects_than_a_page_expire_in_one_run() {
    let fixture = Fixture::start(false, vec![expires_after(1, "k")]).await;
    let count: u64 = 2_100;
    let puts = (0..count).map(|number| {
        let store = fixture.store.clone();
        async move { put(&store, &format!("k{number}"), vec![1]).await.unwrap() }
    });
    futures_util::future::join_all(puts).await;
    assert_eq!(fixture.after_days(1).await, count);
    assert_eq!(fixture.after_days(1).await, 0);
}

#[tokio::test]
async fn a_disabled_rule_and_rules_that_were_deleted_do_nothing() {
    let disabled = Rule {
        is_enabled: false,
        ..expires_after(1, "")
    };
    let fixture = Fixture::start(false, vec![disabled]).await;
    put(&fixture.store, "key", vec![1]).await.unwrap();
    assert_eq!(fixture.after_days(9).await, 0);
}

#[tokio::test]
async fn where_there_are_versions_expiring_makes_a_delete_marker_which_goes_last() {
    let noncurrent = Rule {
        noncurrent: Some(NoncurrentExpiration {
            days: 1,
            newer: None,
        }),
        ..rule()
    };
    let fixture = Fixture::start(false, vec![expires_after(5, ""), noncurrent]).await;
    fixture.set_versioning(Versioning::Enabled).await;
    put(&fixture.store, "key", vec![1]).await.unwrap();
    put(&fixture.store, "key", vec![2]).await.unwrap();
    assert_eq!(fixture.versions("key"), 2);
    assert_eq!(fixture.after_days(1).await, 1);
    assert_eq!(get(&fixture.store, "key").await, Some(vec![2]));
    // Expires: a marker over one version.
    assert_eq!(fixture.after_days(4).await, 1);
    assert_eq!(
        (get(&fixture.store, "key").await, fixture.versions("key")),
        (None, 2)
    );
    // The version is noncurrent for a day, then the marker is alone.
    assert_eq!(fixture.after_days(1).await, 1);
    assert_eq!(fixture.versions("key"), 1);
    assert_eq!(fixture.after_days(5).await, 1);
    assert_eq!(fixture.versions("key"), 0);
}

#[tokio::test]
async fn in_a_suspended_bucket_the_null_version_is_replaced_by_a_marker() {
    let fixture = Fixture::start(false, vec![expires_after(1, "")]).await;
    fixture.set_versioning(Versioning::Suspended).await;
    put(&fixture.store, "key", vec![1]).await.unwrap();
    assert_eq!(fixture.after_days(1).await, 1);
    assert_eq!(
        (get(&fixture.store, "key").await, fixture.versions("key")),
        (None, 1)
    );
}

#[tokio::test]
async fn a_locked_version_stays_until_its_lock_is_over() {
    let noncurrent = Rule {
        noncurrent: Some(NoncurrentExpiration {
            days: 1,
            newer: None,
        }),
        ..rule()
    };
    let fixture = Fixture::start(true, vec![noncurrent]).await;
    for mode in [LockMode::Governance, LockMode::Compliance] {
        let key = format!("{mode:?}");
        let first = put(&fixture.store, &key, vec![1]).await.unwrap();
        let until_ms = fixture.store.now_ms() + 10 * DAY_MS;
        let locked = Place {
            version: first.id,
            ..place(&key)
        };
        let edit = fixture.store.edit(locked, move |_, object| {
            object.retention = Some(Retention { mode, until_ms });
            Ok(())
        });
        edit.await.unwrap();
        put(&fixture.store, &key, vec![2]).await.unwrap();
    }
    assert_eq!(fixture.after_days(9).await, 0);
    assert_eq!(fixture.versions("Governance"), 2);
    assert_eq!(fixture.after_days(1).await, 2);
    assert_eq!(fixture.versions("Compliance"), 1);
}

#[tokio::test]
async fn uploads_are_aborted_and_their_parts_removed() {
    let abort = Rule {
        abort_days: Some(2),
        ..rule()
    };
    let fixture = Fixture::start(false, vec![abort]).await;
    // It was created in 1970.
    let old = begin_upload(&fixture.store, "key").await.unwrap();
    put_part(&fixture.store, &old, 1, vec![1; LARGE])
        .await
        .unwrap();
    assert_eq!(fixture.after_days(0).await, 1);
    let gone = put_part(&fixture.store, &old, 2, vec![1]).await;
    assert!(gone.is_err());
    assert_eq!(fixture.after_days(0).await, 0);
}

#[tokio::test]
async fn what_was_overwritten_since_the_search_is_judged_anew() {
    let fixture = Fixture::start(false, vec![expires_after(1, "")]).await;
    put(&fixture.store, "key", vec![1]).await.unwrap();
    fixture.clock.set(Timestamp::from_unix_millis(101 * DAY_MS));
    let (applied, written) = tokio::join!(
        expiration::apply(&fixture.store),
        put(&fixture.store, "key", vec![2])
    );
    let (applied, _) = (applied.unwrap(), written.unwrap());
    // Either the first expired before, or the second was found: it stays.
    assert!(applied <= 1);
    assert_eq!(get(&fixture.store, "key").await, Some(vec![2]));
    let latest = fixture.store.find(&place("key")).unwrap().1;
    assert_eq!(versions::show(latest.version.id), "null");
}
