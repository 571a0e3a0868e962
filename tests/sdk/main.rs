//! The AWS SDKs for Rust against both services: what a user's program sees.

mod buckets;
mod kms;
mod list_cost;
mod owners;
mod policies;
mod public_access;
mod regions;
mod s3;
mod sessions;
