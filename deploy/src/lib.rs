//! The composition root: the only place that names both houses.

pub mod certificate;
pub mod credentials;
pub mod embedded;
pub mod files;
