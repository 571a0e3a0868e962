//! Multipart uploads: parts sealed one by one, put together by a sealed table behind them.
//!
//! | operation | where |
//! |---|---|
//! | CreateMultipartUpload | [`create`] |
//! | UploadPart, UploadPartCopy | [`part`], [`part_copy`] |
//! | CompleteMultipartUpload | [`complete`], [`footer_placement`] |
//! | AbortMultipartUpload | [`abort`] |
//! | ListParts, ListMultipartUploads | [`list`] |
//!
//! The data key and the envelope are made when an upload is created, because S3 takes metadata then
//! only; so the envelope has "in parts" and no more, and sizes and digests are in the footer.
//! What is stored about an upload lies in the state bucket ([`crate::records::uploads`]), so that any
//! gateway continues where another one stopped.

pub mod abort;
pub mod complete;
pub mod create;
mod footer_placement;
mod journal;
pub mod list;
pub mod part;
pub mod part_copy;
mod part_writer;
