//! Attacks on the way into the gateway: each is refused, and the backend receives nothing of it.
//!
//! `README.md` is the catalogue. Except in `bearer`, which is about the KMS's users, there is no KMS here:
//! what is let in uses customer keys or passes through.

mod access_points;
mod answers;
mod bearer;
mod chunks;
mod credentials;
mod forms;
mod framing;
mod gate;
mod logs;
mod names;
mod payload;
mod pressure;
mod sessions;
mod sidecar;
mod targets;
mod time;
mod tls;
mod trail;
mod unsigned_headers;
mod version_2;
