//! The languages both houses must speak alike.
//!
//! A thing belongs here when two parties must agree on its bytes or its verdict: the signature a
//! client computes and a server checks, the ARN one house writes and the other compares, the
//! policy both must read the same way. Nothing here does I/O, and only [`time`] reads a clock.
//!
//! The rooms, from top to bottom; a room names only rooms below it:
//!
//! | room | what it is |
//! |---|---|
//! | [`kms`] | the contract between the two houses, as gRPC and as AWS JSON |
//! | [`aws_json`] | how AWS writes what JSON has no type for |
//! | [`policy`] | the IAM policy language and its one evaluator |
//! | [`sigv4`] | AWS Signature Version 4: to check a request and to sign one |
//! | [`arn`] | Amazon Resource Names |
//! | [`hosts`] | which host names a server on loopback answers to |
//! | [`time`] | the one type of time, its wire forms, and the clock that is passed in |

pub mod kms;

pub mod aws_json;

pub mod policy;

pub mod sigv4;

pub mod arn;

pub mod hosts;

pub mod time;
