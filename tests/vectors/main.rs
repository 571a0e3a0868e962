//! Test vectors: others' for what the gateway builds on, its own for what it once wrote.

mod chunked_encryption;
mod sealed_objects;
