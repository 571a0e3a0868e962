//! The languages both houses must speak alike.

pub mod aws_json;
pub mod kms;
