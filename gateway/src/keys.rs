//! Keys: where the data key of an object comes from, and what it is wrapped under.
//!
//! [`data_key::DataKeys`] turns a choice of encryption into a data key and what the envelope has
//! about it, and turns an envelope and what a request brought back into the data key. There is one way
//! each, so that reads and writes cannot drift apart.
//!
//! Source: `gateway/FORMAT.md`, section "Where the data key comes from".

pub mod bucket_key;
pub mod data_key;
pub mod kms;
pub mod root_key;
