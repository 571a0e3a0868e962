//! The gateway's promises about objects, held against a backend that keeps every byte it saw.

mod backend_way;
mod bucket_encryption;
mod bucket_records;
mod bucket_takeover;
mod copy;
mod cors;
mod deleting;
mod direct;
mod encryption_attacks;
mod fake_kms;
mod integrity;
mod key_service;
mod installation;
mod listing;
mod multipart;
mod post_form;
mod presigned;
mod promises;
mod read;
mod refusals;
mod rewrap;
mod round_trip;
mod state;
mod sweep;
mod tamper;
mod update_encryption;
