//! What is stored about vaults, in the state bucket.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::TryStreamExt as _;
use futures_util::stream;
use proto::time::Clock;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::capabilities::Capabilities;
use crate::bucket::installation::Installation;
use crate::chunks::random::Random;
use crate::operation::store::ObjectStore;
use crate::records::exclusive::ExclusiveRecords;
use crate::records::record::Records;
use crate::state::State;
use crate::vault::config::Config;
use crate::vault::error::VaultError;
use crate::vault::place::Contents;
use crate::vault::place::VaultOwner;
use crate::vault::place::VaultPlace;
use crate::vault::place::random_id;
use crate::vault::record::ArchiveRecord;
use crate::vault::record::Phase;
use crate::vault::record::VaultRecord;

/// The vaults of a gateway.
pub struct VaultStore {
    pub(crate) config: Config,
    pub(crate) objects: Arc<ObjectStore>,
    pub(crate) exclusive: ExclusiveRecords,
    pub(crate) capabilities: Arc<Capabilities>,
    pub(crate) state: State,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    records: Records,
    installation: Arc<Installation>,
    /// Records of archives by their names. They never change; whether they are there is not taken from here.
    archives: moka::sync::Cache<String, Arc<ArchiveRecord>>,
}

/// What vaults are stored in.
pub struct VaultParts {
    /// What writes and reads sealed objects.
    pub objects: Arc<ObjectStore>,
    /// Sealed records.
    pub records: Records,
    /// Those that are replaced by compare-and-swap.
    pub exclusive: ExclusiveRecords,
    /// What the backend can do.
    pub capabilities: Arc<Capabilities>,
    /// The state bucket.
    pub state: State,
    /// Confirms that it is the right one.
    pub installation: Arc<Installation>,
    /// The time that locks, ages and jobs go by.
    pub clock: Arc<dyn Clock>,
    /// For ids.
    pub random: Arc<dyn Random>,
}

impl VaultStore {
    /// Vaults in these parts.
    #[must_use]
    pub fn new(config: Config, parts: VaultParts) -> Self {
        Self {
            config,
            objects: parts.objects,
            exclusive: parts.exclusive,
            capabilities: parts.capabilities,
            state: parts.state,
            clock: parts.clock,
            random: parts.random,
            records: parts.records,
            installation: parts.installation,
            archives: moka::sync::Cache::new(ARCHIVES_CACHED),
        }
    }

    /// A vault as it is stored now, if there is one.
    pub(crate) async fn find(&self, place: &VaultPlace) -> Result<Option<VaultRecord>, VaultError> {
        self.installation
            .serve()
            .await
            .map_err(crate::error::S3Error::from)?;
        let record = self.exclusive.find(&place.record_name()).await?;
        Ok(record.filter(VaultRecord::is_there))
    }

    /// Creates a vault, unless there is one.
    pub(crate) async fn create(&self, place: &VaultPlace) -> Result<(), VaultError> {
        let incarnation = random_id(&*self.random, INCARNATION_CHARS);
        let new = VaultRecord::new(incarnation, self.clock.now());
        let create = |current: Option<&VaultRecord>| -> Result<_, VaultError> {
            let is_there = current.is_some_and(VaultRecord::is_there);
            Ok((!is_there).then(|| new.clone()))
        };
        self.exclusive.change(&place.record_name(), create).await?;
        Ok(())
    }

    /// Changes a vault, if it still is this incarnation; what is stored then. `edit` returns whether it
    /// changed anything, and is called again if somebody else was faster.
    ///
    /// # Errors
    ///
    /// What `edit` refuses; `ResourceNotFoundException` for a vault that is gone.
    pub(crate) async fn change(
        &self,
        place: &VaultPlace,
        incarnation: &str,
        mut edit: impl FnMut(&mut VaultRecord) -> Result<bool, VaultError> + Send,
    ) -> Result<VaultRecord, VaultError> {
        let edit = |current: Option<&VaultRecord>| {
            let is_same = |it: &&VaultRecord| it.is_there() && it.incarnation == incarnation;
            let current = current.filter(is_same).ok_or_else(|| not_found(place))?;
            let mut record = current.clone();
            Ok::<_, VaultError>(edit(&mut record)?.then_some(record))
        };
        let stored = self.exclusive.change(&place.record_name(), edit).await?;
        stored.ok_or_else(|| not_found(place))
    }

    /// Makes sure that a vault is there after something was put into it, and that nobody who found it
    /// empty before deletes it now.
    ///
    /// # Errors
    ///
    /// `ResourceNotFoundException` for a vault that is gone; what was put into it must be removed then.
    pub(crate) async fn confirm_content(
        &self,
        place: &VaultPlace,
        incarnation: &str,
    ) -> Result<(), VaultError> {
        let revive = |record: &mut VaultRecord| {
            let is_deleting = record.phase == Phase::Deleting;
            record.phase = Phase::Live;
            Ok(is_deleting)
        };
        self.change(place, incarnation, revive).await?;
        Ok(())
    }

    /// All vaults of an owner, in the order of their names.
    pub(crate) async fn vaults(
        &self,
        owner: &VaultOwner,
    ) -> Result<Vec<(VaultPlace, VaultRecord)>, VaultError> {
        self.installation
            .serve()
            .await
            .map_err(crate::error::S3Error::from)?;
        let records = self.read_all::<VaultRecord>(&owner.record_prefix()).await?;
        let mut vaults: Vec<_> = records
            .into_iter()
            .filter(|(_, record)| record.is_there())
            .filter_map(|(name, record)| {
                Some((VaultPlace::from_record_name(owner, &name)?, record))
            })
            .collect();
        vaults.sort_by(|(a, _), (b, _)| a.name.as_str().cmp(b.name.as_str()));
        Ok(vaults)
    }

    /// A record of something in a vault.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, VaultError> {
        Ok(self.exclusive.find(name).await?)
    }

    /// All records whose names have this start, in the order of the names.
    pub(crate) async fn read_all<T: DeserializeOwned + Send>(
        &self,
        prefix: &str,
    ) -> Result<Vec<(String, T)>, VaultError> {
        let names = self.state.names(prefix).await?;
        let reads = stream::iter(names).map(|name| async move {
            let record = self.read(&name).await?;
            Ok::<_, VaultError>(record.map(|record| (name, record)))
        });
        let records = reads.buffered(READS_AT_A_TIME);
        // One that is not there was removed since it was listed.
        records
            .try_filter_map(|record| std::future::ready(Ok(record)))
            .try_collect()
            .await
    }

    /// Writes a record of something in a vault.
    pub(crate) async fn write<T: Serialize + Sync>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), VaultError> {
        self.records.write_document(name, value).await?;
        Ok(())
    }

    /// The archives of a vault with their ids, in the order of the ids.
    pub(crate) async fn archives(
        &self,
        contents: Contents<'_>,
    ) -> Result<Vec<(String, Arc<ArchiveRecord>)>, VaultError> {
        let prefix = contents.archive("");
        let names = self.state.names(&prefix).await?;
        let start = prefix.len();
        let reads = stream::iter(names).map(|name| async move {
            let id = name.get(start..).unwrap_or_default().to_owned();
            if let Some(archive) = self.archives.get(&name) {
                return Ok(Some((id, archive)));
            }
            let archive = self.read::<ArchiveRecord>(&name).await?.map(Arc::new);
            if let Some(archive) = &archive {
                self.archives.insert(name, Arc::clone(archive));
            }
            Ok::<_, VaultError>(archive.map(|archive| (id, archive)))
        });
        let archives = reads.buffered(READS_AT_A_TIME);
        archives
            .try_filter_map(|archive| std::future::ready(Ok(archive)))
            .try_collect()
            .await
    }
}

/// The error where there is no such vault.
pub(crate) fn not_found(place: &VaultPlace) -> VaultError {
    VaultError::not_found(format!("Vault not found for ARN: {}", place.arn()))
}

/// Characters of the id of an incarnation: 192 bits.
const INCARNATION_CHARS: usize = 32;

/// Records of archives that are cached.
const ARCHIVES_CACHED: u64 = 50_000;

/// Records that are read at a time.
const READS_AT_A_TIME: usize = 32;
