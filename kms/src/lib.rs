//! A local AWS KMS.
