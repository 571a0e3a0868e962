//! The languages both houses must speak alike.
