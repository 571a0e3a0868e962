//! The gateway's promises about objects, held against a backend that keeps every byte it saw.

#[path = "gateway/backend_way.rs"]
mod backend_way;
#[path = "gateway/bucket_encryption.rs"]
mod bucket_encryption;
#[path = "gateway/copy.rs"]
mod copy;
#[path = "gateway/cors.rs"]
mod cors;
#[path = "gateway/deleting.rs"]
mod deleting;
#[path = "gateway/direct.rs"]
mod direct;
#[path = "gateway/encryption_attacks.rs"]
mod encryption_attacks;
#[path = "gateway/fake_kms.rs"]
mod fake_kms;
#[path = "gateway/integrity.rs"]
mod integrity;
#[path = "gateway/key_service.rs"]
mod key_service;
#[path = "gateway/listing.rs"]
mod listing;
#[path = "gateway/multipart.rs"]
mod multipart;
#[path = "gateway/multipart/copying.rs"]
mod multipart_copying;
#[path = "gateway/multipart/reading.rs"]
mod multipart_reading;
#[path = "gateway/multipart/refusals.rs"]
mod multipart_refusals;
#[path = "gateway/post_form.rs"]
mod post_form;
#[path = "gateway/presigned.rs"]
mod presigned;
#[path = "gateway/read.rs"]
mod read;
#[path = "gateway/refusals.rs"]
mod refusals;
#[path = "gateway/rewrap.rs"]
mod rewrap;
#[path = "gateway/round_trip.rs"]
mod round_trip;
#[path = "gateway/state.rs"]
mod state;
#[path = "gateway/sweep.rs"]
mod sweep;
#[path = "gateway/tamper.rs"]
mod tamper;
#[path = "gateway/tamper/ways.rs"]
mod tamper_ways;
#[path = "gateway/update_encryption.rs"]
mod update_encryption;
