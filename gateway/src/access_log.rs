//! Server access logs: one record for each request on a bucket whose owner switched logging on, delivered as
//! sealed objects to the bucket that it named.
//!
//! [`log::AccessLog`] takes a record when a request ends ([`record`], one [`mod@line`] of text) and holds it in memory,
//! within bounds. [`delivery::Deliverer`] writes what waited long enough, or has become large enough, under the
//! keys of [`object_key`]. A request never waits for a delivery: where memory is full, records are dropped and
//! counted.
//!
//! Delivery is best effort, as at AWS: what waits is lost when the process is killed. Deliveries are not
//! requests of clients and make no records, so a bucket that logs into itself does not grow by itself.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/LogFormat.html>

pub mod config;
pub mod delivery;
pub mod log;
pub mod pending;
pub mod request;
pub mod record;
pub mod operation_name;
pub mod object_key;
pub mod line;
