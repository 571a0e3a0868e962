//! Sealed objects at the backend: written, described, opened, re-wrapped.
//!
//! | module | what it does |
//! |---|---|
//! | [`objects`] | the objects of one backend, and what is remembered of them ([`cache`]) |
//! | [`reader`] | who reads an object, and the one loop for objects that change meanwhile |
//! | [`head`] | an object as the backend's headers describe it |
//! | [`read`] | keys, digests and ETag ([`etag`]) of an object, after its conditions held |
//! | [`selection`], [`segments`], [`body`] | which bytes, where they lie, and their plaintext |
//! | [`footer`] | the part table of an object in parts |
//! | [`facts`] | size and ETag alone |
//! | [`writer`] | a body sealed on its way to the backend |
//! | [`rewrap`], [`assembly`] | a new envelope for the same bytes |
//! | [`unsealed`] | objects that were there before the gateway |

pub(crate) mod assembly;
pub(crate) mod body;
pub(crate) mod cache;
pub(crate) mod etag;
pub(crate) mod facts;
pub(crate) mod footer;
pub(crate) mod head;
pub mod objects;
pub(crate) mod read;
pub(crate) mod reader;
pub(crate) mod rewrap;
pub(crate) mod segments;
pub(crate) mod selection;
pub(crate) mod unsealed;
pub(crate) mod writer;
