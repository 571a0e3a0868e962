//! What every request did, as CloudTrail records it: management events of buckets, data events of objects.
//!
//! [`trail::Trail`] begins an event when it is known who sent a request and which operation it is, and hands it to
//! [`proto::audit`] when the request ends. A request never waits for that: where the writer falls behind, events are
//! dropped and counted. What no event is wanted of costs one comparison.
//!
//! As at AWS, a request whose signature is wrong makes no event, and one that is not allowed makes one with its
//! error. Events have no place for secrets: of headers and of the query they take what is in the lists of
//! [`parameters`], and nothing else.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/logging-with-S3.html>

pub mod config;
pub mod trail;
mod answered;
pub mod event_name;
pub mod parameters;
