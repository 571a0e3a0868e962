//! The sealed form of an object: pure code, no input or output, no clock.
//!
//! What follows is the format itself, as `gateway/FORMAT.md` states it; the code is held to it by
//! tests. Sizes and offsets are in bytes, chunk indexes count from 0.
#![doc = ""]
#![doc = include_str!("../FORMAT.md")]

pub mod footer;
pub mod layout;
pub mod open;
pub mod random;
pub mod seal;
pub mod segment;
pub mod trailer;

pub(crate) mod cipher;
mod error;
mod key;
mod message;
mod outer;
mod space;

pub use crate::chunks::error::OpenError;
pub use crate::chunks::error::SealError;
pub use crate::chunks::key::DataKey;
pub use crate::chunks::key::KeyLength;
pub use crate::chunks::key::Keys;
pub use crate::chunks::key::Salt;
pub use crate::chunks::layout::KEY_BYTES;
pub use crate::chunks::layout::SALT_BYTES;

#[cfg(test)]
mod tests;
