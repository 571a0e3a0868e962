//! The gateway's promises about objects, held against a backend that keeps every byte it saw.

#[path = "gateway/direct.rs"]
mod direct;
#[path = "gateway/round_trip.rs"]
mod round_trip;
