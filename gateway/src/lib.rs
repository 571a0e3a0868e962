//! A reverse proxy that adds server-side encryption to any S3 backend.
