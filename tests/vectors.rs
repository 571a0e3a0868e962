//! Test vectors that others made.

#[path = "vectors/chunked_encryption.rs"]
mod chunked_encryption;
