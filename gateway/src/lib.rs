//! A reverse proxy that adds server-side encryption to any S3 backend.
//!
//! The modules, in the order of a request's way down. A module names only modules below it.
//!
//! | module | its one job |
//! |---|---|
//! | [`server`] | listeners, connections and their limits, start and stop |
//! | [`admin`] | health and metrics, for operators |
//! | [`config`] | how a gateway runs, checked |
//! | [`respond`] | one request, from its head to its answer |
//! | [`audit`] | CloudTrail's events |
//! | [`access_log`] | server access logs: records and their delivery |
//! | [`vault`] | Glacier vaults: archives, jobs and Vault Lock |
//! | [`operation`] | operations by their API names; only they spend permits |
//! | [`authorize`] | whether the caller may; leaves a permit behind |
//! | [`authenticate`] | who sent a request, and what of it they signed |
//! | [`payload`] | bodies on the wire: framing, `aws-chunked`, `multipart/form-data` |
//! | [`object_lambda`] | access points on which a function transforms what is read |
//! | [`route`] | which bucket, object and operation a request names |
//! | [`access_point`] | access points: named ways to a bucket, with policies of their own |
//! | [`bucket`] | buckets: their default encryption, policies, owners and cross-origin rules |
//! | [`sealed`] | sealed objects at the backend: written, described, opened, re-wrapped |
//! | [`records`] | sealed records: configurations of buckets, uploads that are not complete |
//! | [`keys`] | data keys, bucket keys, root keys, and the KMS |
//! | [`sse`] | server-side encryption as requests and answers name it |
//! | [`state`] | plain documents in the gateway's own bucket |
//! | [`backend`] | the S3 client |
//! | [`envelope`] | the header by which an object's data key is found |
//! | [`chunks`] | the sealed form of an object, pure |
//! | [`protocol`] | S3's words: headers, documents, digests |
//! | [`measured`] | what one gateway counts: every metric, with its meaning |
//! | [`request_counts`] | exact counts of requests, for tests |
//! | [`request`] | a request as the operations see it |
//! | [`error`] | S3's error answers |

// For tests/fuzz only.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

// In the order of the table; `tests/tidy` reads it.
pub mod server;
pub mod admin;
pub mod config;
pub mod respond;
pub mod audit;
pub mod access_log;
pub mod vault;
pub mod operation;
pub mod authorize;
pub mod authenticate;
pub mod payload;
pub mod object_lambda;
pub mod route;
pub mod access_point;
pub mod bucket;
pub mod sealed;
pub mod records;
pub mod keys;
pub mod sse;
pub mod state;
pub mod backend;
pub mod envelope;
pub mod chunks;
pub mod protocol;
pub mod measured;
pub mod request_counts;
pub mod request;
pub mod error;
