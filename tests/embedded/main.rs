//! `sealgate up` with its embedded backend, as clients of S3 see it.

mod buckets;
mod copies;
mod fixture;
mod keys;
mod kills;
mod listings;
mod locks;
mod port;
mod uploads;
mod versions;

use fixture::Fixture;
use fixture::code;
