//! SigV4 against what AWS published and against AWS's own signer.

mod oracle;
mod published;
