//! The gateway's promises about objects, held against a backend that keeps every byte it saw.

#[path = "gateway/bucket_encryption.rs"]
mod bucket_encryption;
#[path = "gateway/deleting.rs"]
mod deleting;
#[path = "gateway/direct.rs"]
mod direct;
#[path = "gateway/listing.rs"]
mod listing;
#[path = "gateway/round_trip.rs"]
mod round_trip;
#[path = "gateway/state.rs"]
mod state;
