//! What an operation did to objects, for the access log: what neither its request nor the head of its answer
//! shows. It travels among the extensions of the answer and is never sent.

use http::Response;

use crate::request::Body;

/// The objects that an operation read, wrote or deleted.
#[derive(Clone, Debug, Default)]
pub struct ServedObjects {
    /// Length of the object that was written, in bytes.
    pub object_bytes: Option<u64>,
    /// What a copy was made from.
    pub source: Option<CopiedSource>,
    /// What DeleteObjects did with each key.
    pub deletions: Vec<DeletedObject>,
}

/// That an access control list permitted a request, and no policy. It travels as [`ServedObjects`] does.
#[derive(Clone, Copy, Debug)]
pub struct AclRequired;

/// The source of a copy, after it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopiedSource {
    /// Length of the whole object, in bytes.
    pub object_bytes: u64,
    /// Length of what was copied of it, in bytes.
    pub copied_bytes: u64,
}

/// One key of DeleteObjects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedObject {
    /// The key.
    pub key: String,
    /// The version that the request names.
    pub version: Option<String>,
    /// The code of the error, if it was not deleted.
    pub error: Option<String>,
}

impl ServedObjects {
    /// Adds this to an answer.
    pub fn attach(self, response: &mut Response<Body>) {
        response.extensions_mut().insert(self);
    }
}
