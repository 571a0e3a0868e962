//! Operations on objects: one file each, by their API names.
//!
//! They translate between what a client sees and what the backend holds ([`crate::sealed`]): sizes, ETags,
//! ranges, conditions, checksums, encryption.

pub(crate) mod answer;
pub mod config;
pub mod copy_object;
mod copy_source;
pub mod delete_objects;
pub mod get_object;
pub mod get_object_attributes;
mod if_range;
pub mod list_objects;
pub mod post_object;
pub mod put_object;
pub mod store;
pub mod update_object_encryption;
pub mod upload;
mod write_conditions;
