//! Which operation a request names: the one table of operations.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/amazon-glacier-api.html>

use http::Method;
use percent_encoding::percent_decode_str;

use crate::request::Query;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;

/// What the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// None, or a document that is read whole.
    Document,
    /// Bytes of an archive. Their hashes must be in headers.
    Archive,
}

/// Makes the enum of operations and the table of their rows.
macro_rules! operations {
    ($($name:ident, $method:ident, $path:literal, $body:ident;)*) => {
        /// An operation, by its API name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum VaultOperation {
            $($name,)*
        }

        impl VaultOperation {
    /// The API's name of the id in its address, if it has one.
    pub(crate) const fn id_parameter(self) -> Option<&'static str> {
        match self {
            Self::AbortMultipartUpload
            | Self::CompleteMultipartUpload
            | Self::ListParts
            | Self::UploadMultipartPart => Some("uploadId"),
            Self::CompleteVaultLock => Some("lockId"),
            Self::DeleteArchive => Some("archiveId"),
            Self::DescribeJob | Self::GetJobOutput => Some("jobId"),
            _ => None,
        }
    }

            /// Its name in the API, which also is that of its action.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }

        const ROWS: &[Row] = &[
            $(Row {
                operation: VaultOperation::$name,
                method: Method::$method,
                path: $path,
                body: BodyKind::$body,
            },)*
        ];
    };
}

/// What names an operation.
struct Row {
    operation: VaultOperation,
    method: Method,
    /// The path behind the account, and `?operation=` where that decides.
    path: &'static str,
    body: BodyKind,
}

operations! {
    AbortMultipartUpload, DELETE, "vaults/{vault}/multipart-uploads/{id}", Document;
    AbortVaultLock, DELETE, "vaults/{vault}/lock-policy", Document;
    AddTagsToVault, POST, "vaults/{vault}/tags?operation=add", Document;
    CompleteMultipartUpload, POST, "vaults/{vault}/multipart-uploads/{id}", Document;
    CompleteVaultLock, POST, "vaults/{vault}/lock-policy/{id}", Document;
    CreateVault, PUT, "vaults/{vault}", Document;
    DeleteArchive, DELETE, "vaults/{vault}/archives/{id}", Document;
    DeleteVault, DELETE, "vaults/{vault}", Document;
    DeleteVaultAccessPolicy, DELETE, "vaults/{vault}/access-policy", Document;
    DeleteVaultNotifications, DELETE, "vaults/{vault}/notification-configuration", Document;
    DescribeJob, GET, "vaults/{vault}/jobs/{id}", Document;
    DescribeVault, GET, "vaults/{vault}", Document;
    GetDataRetrievalPolicy, GET, "policies/data-retrieval", Document;
    GetJobOutput, GET, "vaults/{vault}/jobs/{id}/output", Document;
    GetVaultAccessPolicy, GET, "vaults/{vault}/access-policy", Document;
    GetVaultLock, GET, "vaults/{vault}/lock-policy", Document;
    GetVaultNotifications, GET, "vaults/{vault}/notification-configuration", Document;
    InitiateJob, POST, "vaults/{vault}/jobs", Document;
    InitiateMultipartUpload, POST, "vaults/{vault}/multipart-uploads", Document;
    InitiateVaultLock, POST, "vaults/{vault}/lock-policy", Document;
    ListJobs, GET, "vaults/{vault}/jobs", Document;
    ListMultipartUploads, GET, "vaults/{vault}/multipart-uploads", Document;
    ListParts, GET, "vaults/{vault}/multipart-uploads/{id}", Document;
    ListProvisionedCapacity, GET, "provisioned-capacity", Document;
    ListTagsForVault, GET, "vaults/{vault}/tags", Document;
    ListVaults, GET, "vaults", Document;
    PurchaseProvisionedCapacity, POST, "provisioned-capacity", Document;
    RemoveTagsFromVault, POST, "vaults/{vault}/tags?operation=remove", Document;
    SetDataRetrievalPolicy, PUT, "policies/data-retrieval", Document;
    SetVaultAccessPolicy, PUT, "vaults/{vault}/access-policy", Document;
    SetVaultNotifications, PUT, "vaults/{vault}/notification-configuration", Document;
    UploadArchive, POST, "vaults/{vault}/archives", Archive;
    UploadMultipartPart, PUT, "vaults/{vault}/multipart-uploads/{id}", Archive;
}

impl VaultOperation {
    /// Why this gateway does not do it, and what to do instead.
    pub(crate) const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::DeleteVaultNotifications
            | Self::GetVaultNotifications
            | Self::SetVaultNotifications => Some(NO_NOTIFICATIONS),
            Self::GetDataRetrievalPolicy | Self::SetDataRetrievalPolicy => {
                Some(NO_RETRIEVAL_POLICY)
            }
            Self::ListProvisionedCapacity | Self::PurchaseProvisionedCapacity => Some(NO_CAPACITY),
            _ => None,
        }
    }
}

const NO_NOTIFICATIONS: &str =
    "This gateway sends no notifications of vaults. DescribeJob reports when a job is done.";
const NO_RETRIEVAL_POLICY: &str =
    "This gateway has no data retrieval policies: retrievals cost nothing here.";
const NO_CAPACITY: &str = "This gateway has no provisioned capacity: every job takes the configured time, \
    vaults.job_seconds.";

/// What a request is about, as its address names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultAddress {
    pub(crate) operation: VaultOperation,
    pub(crate) body: BodyKind,
    /// The account as it was written; `-` is the caller's.
    pub(crate) account: String,
    pub(crate) vault: Option<String>,
    /// The id of an archive, a job, an upload or a lock.
    pub(crate) id: Option<String>,
}

/// Reads the address of a request. The path is split before it is decoded and never normalised.
///
/// # Errors
///
/// `InvalidParameterValueException` for a path with dot segments, which the signature does not cover as they
/// are, or one that does not decode; `BadRequest` for an address that no operation has.
pub(crate) fn address(
    method: &Method,
    path: &str,
    query: &Query,
) -> Result<VaultAddress, VaultError> {
    let mut segments = Vec::new();
    for segment in path.strip_prefix('/').unwrap_or(path).split('/') {
        if matches!(segment, "." | "..") {
            let message = "A path with dot segments is ambiguous: write them as %2E.";
            return Err(VaultError::invalid(message));
        }
        let decoded = percent_decode_str(segment).decode_utf8();
        let decoded = decoded.map_err(|_| VaultError::invalid("The path is not UTF-8."))?;
        segments.push(decoded.into_owned());
    }
    let found = segments.split_first().and_then(|(account, rest)| {
        ROWS.iter()
            .find_map(|row| row.match_address(method, account, rest, query))
    });
    found.ok_or_else(|| {
        let message = format!("There is no operation {method} {path} of Glacier.");
        VaultError::new(VaultCode::BadRequest, message)
    })
}

impl Row {
    fn match_address(
        &self,
        method: &Method,
        account: &str,
        segments: &[String],
        query: &Query,
    ) -> Option<VaultAddress> {
        let (path, operation) = match self.path.split_once("?operation=") {
            Some((path, operation)) => (path, Some(operation)),
            None => (self.path, None),
        };
        let template: Vec<_> = path.split('/').collect();
        let is_other = operation.is_some_and(|it| query.get("operation") != Some(it));
        if self.method != *method || is_other || template.len() != segments.len() {
            return None;
        }
        let mut address = VaultAddress {
            operation: self.operation,
            body: self.body,
            account: account.to_owned(),
            vault: None,
            id: None,
        };
        for (expected, segment) in template.into_iter().zip(segments) {
            match expected {
                "{vault}" => address.vault = Some(segment.clone()),
                "{id}" => address.id = Some(segment.clone()),
                literal if literal == segment => {}
                _ => return None,
            }
        }
        Some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<VaultAddress, VaultError> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let pairs = query.split_once('=').into_iter();
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = Query::from_pairs(pairs.collect());
        address(&method.parse().unwrap(), path, &query)
    }

    #[test]
    fn every_operation_is_found_by_its_row() {
        for row in ROWS {
            let path = row.path.replace("{vault}", "v").replace("{id}", "i");
            let found = find(row.method.as_str(), &format!("/-/{path}")).unwrap();
            assert_eq!(found.operation, row.operation);
            assert_eq!(found.account, "-");
            assert_eq!(found.vault.is_some(), row.path.contains("{vault}"));
            assert_eq!(found.id.is_some(), row.path.contains("{id}"));
        }
    }

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        let found = find("GET", "/%2d/vaults/a%2Fjobs").unwrap();
        assert_eq!(found.operation, VaultOperation::DescribeVault);
        assert_eq!(found.vault.as_deref(), Some("a/jobs"));
        assert_eq!(found.account, "-");
        let dots = find("GET", "/-/vaults/%2E%2e").unwrap();
        assert_eq!(dots.vault.as_deref(), Some(".."));
    }

    #[test]
    fn an_address_of_no_operation_and_an_ambiguous_one_are_refused() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/-"),
            ("PATCH", "/-/vaults/v"),
            ("POST", "/-/vaults/v/tags"),
            ("POST", "/-/vaults/v/tags?operation=other"),
            ("GET", "//-/vaults"),
            ("GET", "/-/vaults/v/jobs/j/output/x"),
            ("GET", "/-/vaults/./jobs"),
            ("GET", "/-/vaults/v/../w"),
            ("GET", "/-/vaults/%ff"),
        ] {
            assert!(find(method, path).is_err(), "{method} {path}");
        }
    }
}
