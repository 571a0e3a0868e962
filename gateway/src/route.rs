//! What a request is about ([`target`]) and which operation it names ([`operation()`]).
//!
//! [`Operation`] is the closed list of S3's operations. The gateway does some itself; what touches no
//! bytes of objects passes through to the backend; and what would show or store them unsealed, or
//! move them where they could not be opened, is refused with the reason.

mod address;
mod operation;
mod reserved;

pub use address::ACCOUNT_ID;
pub use address::BaseDomains;
pub use address::KEY_BYTES_MAX;
pub use address::TAG_KEYS;
pub use address::control_target;
pub use address::target;
pub use operation::Action;
pub use operation::Handling;
pub use operation::Level;
pub use operation::Needed;
pub use operation::Operation;
pub use operation::Resource;
pub use operation::Row;
pub use operation::keep_headers;
pub use operation::operation;
pub use reserved::check_headers;
