//! The content of archives: sealed on its way to the backend, opened on its way back.

pub(crate) mod read;
pub(crate) mod write;
