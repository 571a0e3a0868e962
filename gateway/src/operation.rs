//! Operations: one file each, or one for a group, by their API names. Only they spend permits
//! ([`crate::authorize::Permitted`]; `tests/tidy` checks it).
//!
//! Those on objects translate between what a client sees and what the backend holds ([`crate::sealed`]): sizes, ETags,
//! ranges, conditions, checksums, encryption.

pub mod access_points;
pub mod acl;
pub(crate) mod answer;
pub mod bucket;
pub mod bucket_configuration;
pub mod config;
pub mod copy_object;
mod copy_source;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
mod if_range;
pub mod list_objects;
pub(crate) mod listed_entry;
mod listed_folders;
mod listed_owners;
mod listing_query;
mod lock_digest;
pub mod object_lambda;
mod parts_page;
pub mod pass_through;
pub mod post_object;
pub mod promises;
pub mod put_object;
pub mod store;
pub mod update_object_encryption;
pub mod upload;
pub mod versioning;
mod write_conditions;
