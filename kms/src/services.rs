//! Other AWS services of which a few operations are served, because SDKs and test suites call them.
//!
//! Each takes what a protocol read and returns what it is to write.

pub mod cloud_trail;
pub mod service_quotas;
pub mod sts;
