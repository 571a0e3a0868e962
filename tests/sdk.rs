//! The AWS SDKs for Rust against both houses: what a user's program sees.

#[path = "sdk/buckets.rs"]
mod buckets;
#[path = "sdk/kms.rs"]
mod kms;
#[path = "sdk/list_cost.rs"]
mod list_cost;
#[path = "sdk/owners.rs"]
mod owners;
#[path = "sdk/policies.rs"]
mod policies;
#[path = "sdk/s3.rs"]
mod s3;
