//! S3's words: what headers, documents and errors mean, without any request, key or backend.
//!
//! | module | what it reads and writes |
//! |---|---|
//! | [`etag`] | entity tags |
//! | [`range`] | `Range` and `Content-Range` |
//! | [`conditions`] | `If-Match` and its kin |
//! | [`checksum`] | `Content-MD5`, `x-amz-checksum-*`, and the digests behind them |
//! | [`single_header`] | headers that a request must not repeat |
//! | [`headers`] | which headers pass between client and backend with an object |
//! | [`acl`] | access control lists |
//! | [`copy_source`] | `x-amz-copy-source` |
//! | [`xml`], [`document`] | documents |

pub mod acl;
pub mod checksum;
pub mod conditions;
pub mod copy_source;
pub mod document;
pub mod etag;
pub mod headers;
pub mod range;
pub mod single_header;
pub mod xml;
