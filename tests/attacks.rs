//! Attacks on the way into the gateway: each is refused, and the backend saw nothing of it.
//!
//! The names start with the case's id: A are signatures, B framing, C names of buckets and keys, D
//! names of headers (E, encryption, is among the gateway's tests). There is no KMS here: what is let in uses customer keys or passes through.

#[path = "attacks/gate.rs"]
mod gate;

#[path = "attacks/answers.rs"]
mod answers;
#[path = "attacks/chunks.rs"]
mod chunks;
#[path = "attacks/credentials.rs"]
mod credentials;
#[path = "attacks/forms.rs"]
mod forms;
#[path = "attacks/framing.rs"]
mod framing;
#[path = "attacks/names.rs"]
mod names;
#[path = "attacks/payload.rs"]
mod payload;
#[path = "attacks/pressure.rs"]
mod pressure;
#[path = "attacks/targets.rs"]
mod targets;
#[path = "attacks/time.rs"]
mod time;
#[path = "attacks/tls.rs"]
mod tls;
#[path = "attacks/unsigned_headers.rs"]
mod unsigned_headers;
