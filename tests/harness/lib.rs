//! The test harness: a world of both services and a backend, in one process.
//!
//! - [`backend`]: an S3 backend in memory that records every byte it received and can misbehave.
//! - [`expect`]: one check per claim.
//! - [`clients`]: the AWS SDKs, pointed at a world.
//! - [`process`]: the binary, to be killed.
//! - [`form`]: browsers' forms, signed by hand.
//! - [`connections`]: answers read by hand, and many at once.
//! - [`tls_front`]: a server of TLS before a server in clear.
//! - [`signed`]: requests signed by hand, which no SDK would send.
//! - [`world`]: KMS, gateway and backend, started together on ephemeral ports.
//!
//! A harness fails the test that uses it, so it panics freely.

// In the order of use; `tests/tidy` reads it.
pub mod world;
pub mod form;
pub mod connections;
pub mod tls_front;
pub mod signed;
pub mod clients;
pub mod expect;
pub mod process;
pub mod backend;
