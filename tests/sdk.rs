//! The AWS SDKs for Rust against both houses: what a user's program sees.

#[path = "sdk/buckets.rs"]
mod buckets;
#[path = "sdk/kms.rs"]
mod kms;
#[path = "sdk/policies.rs"]
mod policies;
#[path = "sdk/s3.rs"]
mod s3;
