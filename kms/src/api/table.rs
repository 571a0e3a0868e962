//! The table of operations, from which everything that must name each operation is made.
//!
//! A row reads: AWS's name, name of the gRPC method, request, answer, function, and its kind:
//!
//! - `use`: cryptography in memory, quick. Read-only in the audit trail, as AWS has it.
//! - `read`: tells about keys.
//! - `write`: changes keys durably, so it waits for the disk.
//! - `heavy`: cryptography that takes milliseconds or more.
//!
//! An operation is added by a row here and its function in its family's file.

/// Hands the table to the macro `$each`.
macro_rules! operations {
    ($each:ident) => {
        $each! {
            GenerateRandom generate_random(GenerateRandomRequest) -> GenerateRandomResponse
                = crate::api::data_key::generate_random, use;
        }
    };
}
pub(crate) use operations;
