//! Other AWS services of which a few operations are served, because SDKs and test suites call them.
//!
//! Each takes what a protocol read and returns what it is to write.

pub mod cloud_trail;
pub mod service_quotas;
pub mod sts;

use crate::services::service_quotas::ServiceQuotas;
use crate::services::sts::Sts;

/// Those that have state.
pub struct Services {
    /// Service Quotas.
    pub service_quotas: ServiceQuotas,
    /// STS.
    pub sts: Sts,
}
