//! The composition root: the only crate that depends on both services.
//!
//! Modules, top to bottom; each names only modules below it:
//!
//! | Module | Its one job |
//! |---|---|
//! | [`check`] | what is wrong with configuration files, without a start |
//! | [`plan`] | how many KMS calls a use of S3 makes |
//! | [`load`] | calls at a fixed rate, and what quotas did to them |
//! | [`schedule`] | when requests are due |
//! | [`fixture`] | both services and a backend in the process of a test |
//! | [`up`] | both services and a backend, together |
//! | [`single`] | one service alone |
//! | [`users`] | the commands that edit the file of users |
//! | [`token`] | bearer tokens of users |
//! | [`mod@env`] | the environment for clients of a running `up` |
//! | [`health`] | whether the services here are ready |
//! | [`manual`] | version, manual pages, completions |
//! | [`cli`] | the command line |
//! | [`console`] | pages about both services, for a browser |
//! | [`report`] | reports of loads: their results, page, and folder |
//! | [`chart`] | charts as SVG |
//! | [`retry`] | how SDKs retry |
//! | [`running`] | the file by which commands find a running `up` |
//! | [`announce`] | what is printed |
//! | [`process`] | logs, core dumps, signals |
//! | [`traces`] | traces, sent to a collector |
//! | [`seed`] | KMS keys to create at start |
//! | [`embedded`] | a backend in a folder |
//! | [`certificate`] | the local authority and the gateway's certificate |
//! | [`credentials`] | users, created on first start |
//! | [`environment`] | secrets that the environment gives |
//! | [`configuration`] | configuration files, and sentences about mistakes in them |
//! | [`files`] | files with the permissions they need |
//!
//! As a dev-dependency of tests: [`Sealgate::builder`].

// In the order of the table; `tests/tidy` reads it.
pub mod check;
pub mod plan;
pub mod load;
pub mod schedule;
pub mod fixture;
pub mod up;
pub mod single;
pub mod users;
pub mod token;
pub mod env;
pub mod health;
pub mod manual;
pub mod cli;
pub mod console;
pub mod report;
pub mod chart;
pub mod retry;
pub mod running;
pub mod announce;
pub mod process;
pub mod traces;
pub mod seed;
pub mod embedded;
pub mod certificate;
pub mod credentials;
pub mod configuration;
pub mod environment;
pub mod files;

pub use crate::fixture::AccessKey;
pub use crate::fixture::Backend;
pub use crate::fixture::Builder;
pub use crate::fixture::Calls;
pub use crate::fixture::Encryption;
pub use crate::fixture::Endpoints;
pub use crate::fixture::Fault;
pub use crate::fixture::Key;
pub use crate::fixture::Mark;
pub use crate::fixture::Requests;
pub use crate::fixture::Rule;
pub use crate::fixture::Sealgate;
pub use crate::fixture::SealgateError;
