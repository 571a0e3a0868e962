//! Operations on vaults by their API names. Only they spend permits.

use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;

use crate::request::Body;
use crate::vault::authorize::Permitted;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::route::VaultOperation as Operation;
use crate::vault::store::VaultStore;

mod access_policy;
mod answer;
mod archive;
mod inventory;
mod job;
mod job_output;
mod lock;
mod multipart;
mod part;
mod tags;
mod vault;

/// Does an operation that was permitted.
pub(crate) fn run(
    store: &Arc<VaultStore>,
    operation: Operation,
    permitted: Permitted,
) -> BoxFuture<'_, Result<Response<Body>, VaultError>> {
    // Each in a box of its own: else every request would be as large as the largest.
    match operation {
        Operation::AbortMultipartUpload => multipart::abort(store, permitted).boxed(),
        Operation::AbortVaultLock => lock::abort(store, permitted).boxed(),
        Operation::AddTagsToVault => tags::add(store, permitted).boxed(),
        Operation::CompleteMultipartUpload => multipart::complete(store, permitted).boxed(),
        Operation::CompleteVaultLock => lock::complete(store, permitted).boxed(),
        Operation::CreateVault => vault::create(store, permitted).boxed(),
        Operation::DeleteArchive => archive::delete(store, permitted).boxed(),
        Operation::DeleteVault => vault::delete(store, permitted).boxed(),
        Operation::DeleteVaultAccessPolicy => access_policy::delete(store, permitted).boxed(),
        Operation::DescribeJob => job::describe(store, permitted).boxed(),
        Operation::DescribeVault => vault::describe(store, permitted).boxed(),
        Operation::GetJobOutput => job_output::get(store, permitted).boxed(),
        Operation::GetVaultAccessPolicy => access_policy::get(permitted).boxed(),
        Operation::GetVaultLock => lock::get(store, permitted).boxed(),
        Operation::InitiateJob => job::initiate(store, permitted).boxed(),
        Operation::InitiateMultipartUpload => multipart::initiate(store, permitted).boxed(),
        Operation::InitiateVaultLock => lock::initiate(store, permitted).boxed(),
        Operation::ListJobs => job::list(store, permitted).boxed(),
        Operation::ListMultipartUploads => multipart::list(store, permitted).boxed(),
        Operation::ListParts => part::list(store, permitted).boxed(),
        Operation::ListTagsForVault => tags::list(permitted).boxed(),
        Operation::ListVaults => vault::list(store, permitted).boxed(),
        Operation::RemoveTagsFromVault => tags::remove(store, permitted).boxed(),
        Operation::SetVaultAccessPolicy => access_policy::set(store, permitted).boxed(),
        Operation::UploadArchive => archive::upload(store, permitted).boxed(),
        Operation::UploadMultipartPart => part::upload(store, permitted).boxed(),
        Operation::DeleteVaultNotifications
        | Operation::GetDataRetrievalPolicy
        | Operation::GetVaultNotifications
        | Operation::ListProvisionedCapacity
        | Operation::PurchaseProvisionedCapacity
        | Operation::SetDataRetrievalPolicy
        | Operation::SetVaultNotifications => {
            let reason = operation.refusal().unwrap_or_default();
            let refusal = VaultError::new(VaultCode::BadRequest, reason);
            std::future::ready(Err(refusal)).boxed()
        }
    }
}
