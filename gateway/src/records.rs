//! Sealed records in the state bucket: configurations of buckets, uploads that are not complete.

pub mod cached;
pub mod listed_etags;
pub mod record;
pub mod sweep;
pub mod uploads;
