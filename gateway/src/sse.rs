//! Which server-side encryption an object gets, and where its data key comes from.
//!
//! A write's encryption is what its headers ask for, as a whole, or else the bucket's default
//! ([`choice::for_write`]). [`data_key::DataKeys`] turns that choice into a data key and what the envelope says
//! about it, and turns an envelope and a request's headers back into the data key. There is one way
//! each, so that reads and writes cannot drift apart.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>;
//! `gateway/FORMAT.md` for what is stored.

pub mod answer;
pub mod bucket_key;
pub mod choice;
pub mod context;
pub mod customer_key;
pub mod data_key;
pub mod kms;
