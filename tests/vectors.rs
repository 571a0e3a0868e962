//! Test vectors: others' for what the gateway builds on, its own for what it once wrote.

#[path = "vectors/chunked_encryption.rs"]
mod chunked_encryption;
#[path = "vectors/sealed_objects.rs"]
mod sealed_objects;
