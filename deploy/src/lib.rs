//! The composition root: the only place that names both houses.
//!
//! Rooms, top to bottom; each names only rooms below it:
//!
//! | Room | Its one job |
//! |---|---|
//! | [`up`] | both houses and a backend, together |
//! | [`house`] | one house alone |
//! | [`cli`] | the command line |
//! | [`announce`] | what is printed |
//! | [`process`] | logs, core dumps, signals |
//! | [`seed`] | KMS keys to make at start |
//! | [`embedded`] | a backend in a folder |
//! | [`certificate`] | the local authority and the gateway's certificate |
//! | [`credentials`] | users, made on first start |
//! | [`files`] | files with the rights they need |

// In the order of the table; `tests/tidy` reads it.
pub mod up;
pub mod house;
pub mod cli;
pub mod announce;
pub mod process;
pub mod seed;
pub mod embedded;
pub mod certificate;
pub mod credentials;
pub mod files;
