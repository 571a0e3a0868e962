//! Server-side encryption as requests and answers name it.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html>

pub mod context;
pub mod customer_key;
pub mod repeated;
pub mod request;
pub mod response;
