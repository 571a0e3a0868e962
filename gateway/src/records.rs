//! Sealed records in the state bucket, and the uploads that are not complete.

pub mod documents;
pub mod exclusive;
pub mod listed_etags;
pub mod mfa_codes;
pub mod object_acls;
pub mod record;
pub mod sweep;
pub mod unknown_uploads;
pub mod uploads;
