//! A local AWS KMS.
//!
//! Rooms, top to bottom; each names only rooms below it:
//!
//! | room | what it does |
//! |---|---|
//! | [`api`] | the operations and the common order of their checks |
//! | [`quota`] | request quotas like AWS's |
//! | [`authorize`] | who may use which key |
//! | [`audit`] | what every request did, as CloudTrail tells it |
//! | [`keys`] | the keys, in memory and in the store |
//! | [`crypto`] | the only room that names algorithms |
//! | [`caller`] | who calls |
//! | [`error`] | AWS's exceptions |

pub mod api;
pub mod quota;
pub mod authorize;
pub mod audit;
pub mod keys;
pub mod crypto;
pub mod caller;
pub mod error;
