//! Glacier vaults: archives that are sealed as objects are, retrieval jobs, and Vault Lock.
//!
//! Another service of AWS on the same port. A request is for it if its signature names the service
//! `glacier`; from there on nothing of S3 is used except what writes and reads sealed objects. What vaults
//! consist of is in the state bucket, which no client can name.
//!
//! | module | its one job |
//! |---|---|
//! | [`service`] | one request, from its verified head to its answer |
//! | [`event`] | what the trail records of a request |
//! | [`operation`] | operations by their API names; only they spend permits |
//! | [`authorize`] | whether the caller may, by identity, access policy and lock; leaves a permit behind |
//! | [`archive`] | content and facts of archives: written, read, listed |
//! | [`store`] | records of vaults in the state bucket |
//! | [`record`], [`lock`], [`policy`] | a vault, the states of its lock, its policies |
//! | [`request`], [`route`] | what a request names: the one table of operations |
//! | [`place`], [`page`], [`tree_hash`] | names and ARNs, pages of lists, tree hashes |
//! | [`error`] | Glacier's error answers |
//!
//! Sources: <https://docs.aws.amazon.com/amazonglacier/latest/dev/amazon-glacier-api.html>,
//! <https://docs.aws.amazon.com/amazonglacier/latest/dev/vault-lock.html>

pub mod service;
pub(crate) mod event;
pub(crate) mod operation;
pub(crate) mod authorize;
pub(crate) mod archive;
pub mod store;
pub(crate) mod record;
pub(crate) mod lock;
pub(crate) mod policy;
pub(crate) mod request;
pub(crate) mod route;
pub(crate) mod place;
pub(crate) mod page;
pub(crate) mod tree_hash;
pub mod config;
pub(crate) mod error;
