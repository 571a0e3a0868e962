//! A reverse proxy that adds server-side encryption to any S3 backend.
//!
//! The rooms, in the order of a request's way down. A room names only rooms below it.
//!
//! | Room | Its one job |
//! |---|---|
//! | [`server`] | listeners, connections and their limits, the way down and up |
//! | [`config`] | how a gateway runs, checked |
//! | [`respond`] | one request, from its head to its answer |
//! | [`authorize`] | whether the caller may; leaves a permit behind |
//! | [`authenticate`] | who sent a request, and that what arrives is what they signed |
//! | [`route`] | what a request is about, and which operation it asks for |
//! | [`object`] | operations on objects: sealed on their way in, opened on their way out |
//! | [`bucket`] | buckets: their default encryption, policies, owners and cross-origin rules |
//! | [`sse`] | which encryption applies, and where data keys come from |
//! | [`state`] | what no object can hold, kept at the backend |
//! | [`backend`] | the way to the S3 backend |
//! | [`envelope`] | the header that says how to find an object's data key |
//! | [`chunks`] | the sealed form of an object, pure |
//! | [`protocol`] | S3's words: headers, documents, digests |
//! | [`request`] | a request as the operations see it |
//! | [`error`] | S3's error answers |

// In the order of the table; `tests/tidy` reads it.
// For tests/fuzz only.
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub mod server;
pub mod config;
pub mod respond;
pub mod authorize;
pub mod authenticate;
pub mod route;
pub mod object;
pub mod bucket;
pub mod sse;
pub mod state;
pub mod backend;
pub mod envelope;
pub mod chunks;
pub mod protocol;
pub mod request;
pub mod error;
