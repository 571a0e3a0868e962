//! The backend that comes with `sealgate up`: a folder, as S3 on one machine.
//!
//! It is a backend like any other, except that the gateway calls it in the same process; its port
//! opens for fixtures only.
//!
//! Modules, top to bottom; each names only modules below it:
//!
//! | Module | Its one job |
//! |---|---|
//! | [`in_process`] | the API as the gateway of the same process calls it |
//! | [`port`] | the API on a port of loopback |
//! | [`protocol`] | answers as they are sent |
//! | [`service`] | the API |
//! | [`literal`] | what `s3s` must not read |
//! | [`takeover`] | what an earlier version stored |
//! | [`expiration`] | lifecycle rules, carried out |
//! | [`sweep`] | bodies that nothing refers to |
//! | [`uploads`] | uploads in parts |
//! | [`checksums`] | checksums of objects in parts |
//! | [`list`] | pages of listings |
//! | [`store`] | objects: found, written, read, deleted |
//! | [`versions`] | versions of a key |
//! | [`lock`] | Object Lock |
//! | [`buckets`] | buckets |
//! | [`lifecycle`] | lifecycle rules |
//! | [`configurations`] | configurations of buckets |
//! | [`content`] | bytes, in and out |
//! | [`index`] | what there is, and the one thread that changes it |
//! | [`bodies`] | files with bytes |
//! | [`fault`] | why an operation failed |
//! | [`disk`] | all that is ever done to the disk |

use std::path::Path;
use std::sync::Arc;

use proto::time::Clock;

use crate::embedded::disk::Durability;
use crate::embedded::disk::Folder;
use crate::embedded::disk::Memory;
use crate::embedded::index::Damage;
use crate::embedded::store::Store;
use crate::files;

pub mod bodies;
pub mod buckets;
pub mod checksums;
pub mod configurations;
pub mod content;
pub mod disk;
pub mod expiration;
pub mod fault;
pub mod in_process;
pub mod index;
pub mod lifecycle;
pub mod list;
pub mod literal;
pub mod lock;
pub mod port;
pub mod protocol;
pub mod service;
pub mod store;
pub mod sweep;
pub mod takeover;
pub mod uploads;
pub mod versions;

#[cfg(test)]
mod tests;

/// A store in memory, which is gone when its last clone is dropped.
///
/// # Errors
///
/// When the index cannot be created.
pub fn in_memory(clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    Store::open(Arc::new(Memory::default()), clock)
        .map_err(|fault| anyhow::anyhow!("creating the store in memory: {fault}"))
}

/// Opens the store in a folder; creates it if it is not there.
///
/// # Errors
///
/// When another process uses the folder, the disk fails, or what is there is no store or damaged.
pub fn open(folder: &Path, durability: Durability, clock: Arc<dyn Clock>) -> anyhow::Result<Store> {
    open_with(folder, durability, clock, Damage::Refused)
}

/// The same, for a store whose index may be damaged.
///
/// # Errors
///
/// As [`open`].
pub fn open_with(
    folder: &Path,
    durability: Durability,
    clock: Arc<dyn Clock>,
    damage: Damage,
) -> anyhow::Result<Store> {
    files::private_directory(folder)?;
    let disk = Folder::open(folder, durability)?;
    let opened = Store::open_with(Arc::new(disk), clock, damage);
    opened.map_err(|fault| anyhow::anyhow!("opening the store in {}: {fault}", folder.display()))
}
