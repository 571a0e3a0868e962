//! What a caller must be allowed to do, operation by operation, against AWS's own lists.
//!
//! The data is beside this file: `operations.toml` (botocore's model of S3), `actions.toml` (the service
//! authorization reference) and `permissions.toml` (which operation needs which action). A permission that AWS
//! requires and the gateway does not is a row that fails here.

mod absence;
mod buckets;
mod conditions;
mod deletions;
mod denied;
mod destinations;
mod documents;
mod fixture;
mod forms;
mod headers;
mod outcome;
mod policy;
mod public_access;
mod reference;
mod subresources;
mod unsigned;
mod uploads;
mod versions;
mod withheld;
