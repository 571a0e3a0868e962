//! Attacks on the way into the gateway: each is refused, and the backend saw nothing of it.
//!
//! The names start with the case's id: A are signatures, B framing, C names of buckets and keys, D
//! names of headers (E, encryption, is among the gateway's tests). There is no KMS here: what is let in uses customer keys or passes through.

mod gate;

mod answers;
mod chunks;
mod credentials;
mod forms;
mod framing;
mod logs;
mod names;
mod payload;
mod pressure;
mod targets;
mod time;
mod tls;
mod unsigned_headers;
