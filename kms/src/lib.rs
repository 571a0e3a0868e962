//! A local AWS KMS.
//!
//! Modules, top to bottom; each names only modules below it:
//!
//! | module | what it does |
//! |---|---|
//! | [`server`] | opens the store, binds the ports, serves and drains |
//! | [`config`] | how this KMS runs |
//! | [`admin`] | health, metrics and controls on a port of their own |
//! | [`transport`] | the two protocols, gRPC and AWS JSON, on one port |
//! | [`services`] | the operations of other AWS services that SDKs call |
//! | [`metrics`] | what is counted for Prometheus |
//! | [`faults`] | failures and delays on purpose |
//! | [`authenticate`] | signatures and the shared secret |
//! | [`api`] | the operations and the common order of their checks |
//! | [`quota`] | request quotas like AWS's |
//! | [`authorize`] | who may use which key |
//! | [`keys`] | the keys, in memory and in the store |
//! | [`crypto`] | the only module that names algorithms |
//! | [`clock`] | a clock that can be frozen and moved |
//! | [`caller`] | who calls |
//! | [`regions`] | the Regions that are served |
//! | [`compat`] | taking the place of another emulator |
//! | [`error`] | AWS's exceptions |

pub mod server;
pub mod config;
pub mod admin;
pub mod transport;
pub mod services;
pub mod metrics;
pub mod faults;
pub mod authenticate;
pub mod api;
pub mod quota;
pub mod authorize;
pub mod keys;
pub mod crypto;
pub mod clock;
pub mod caller;
pub mod regions;
pub mod compat;
pub mod error;
