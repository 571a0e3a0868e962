//! A request for vaults, as its operation sees it.

use http::HeaderMap;
use serde::de::DeserializeOwned;

use crate::protocol::single_header::single_text;
use crate::request::Caller;
use crate::request::Connection;
use crate::request::Payload;
use crate::request::Query;
use crate::request::RequestId;
use crate::vault::error::VaultCode;
use crate::vault::error::VaultError;
use crate::vault::place::is_id;
use crate::vault::route::VaultAddress;
use crate::vault::tree_hash::TreeHash;

/// A request whose signature was checked.
#[derive(Debug)]
pub(crate) struct VaultRequest {
    pub(crate) address: VaultAddress,
    pub(crate) query: Query,
    pub(crate) headers: HeaderMap,
    pub(crate) caller: Caller,
    /// The Region that it was signed for.
    pub(crate) region: String,
    pub(crate) connection: Connection,
    pub(crate) request_id: RequestId,
    pub(crate) body: Payload,
}

impl VaultRequest {
    /// The value of a header.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` for one that comes twice or is no text.
    pub(crate) fn header(&self, name: &'static str) -> Result<Option<&str>, VaultError> {
        let name = http::HeaderName::from_static(name);
        Ok(single_text(&self.headers, &name)?)
    }

    /// The value of a header that must be there.
    ///
    /// # Errors
    ///
    /// `MissingParameterValueException`; as [`VaultRequest::header`].
    pub(crate) fn required_header(&self, name: &'static str) -> Result<&str, VaultError> {
        self.header(name)?.ok_or_else(|| VaultError::missing(name))
    }

    /// The tree hash that the client claims.
    ///
    /// # Errors
    ///
    /// `MissingParameterValueException`; `InvalidParameterValueException` for what is no hash.
    pub(crate) fn tree_hash(&self) -> Result<TreeHash, VaultError> {
        let text = self.required_header(TREE_HASH)?;
        let hash = TreeHash::parse(text);
        hash.ok_or_else(|| VaultError::invalid(format!("Invalid {TREE_HASH}: {text}")))
    }

    /// The description of an archive.
    ///
    /// # Errors
    ///
    /// `InvalidParameterValueException` for one that is too long or has other characters than printable ASCII.
    pub(crate) fn description(&self) -> Result<String, VaultError> {
        let text = self.header(DESCRIPTION)?.unwrap_or_default();
        check_description(text)?;
        Ok(text.to_owned())
    }

    /// The id in the address, where it may be one.
    pub(crate) fn id(&self) -> Option<&str> {
        self.address.id.as_deref().filter(|id| is_id(id))
    }

    /// The document in the body, which stays in it.
    ///
    /// # Errors
    ///
    /// `SerializationException` for another document; what was wrong with the body.
    pub(crate) async fn document<T: DeserializeOwned>(&mut self) -> Result<T, VaultError> {
        let bytes = self.body.collect(DOCUMENT_BYTES_MAX).await?;
        self.body = Payload::from_bytes(bytes.clone());
        serde_json::from_slice(&bytes).map_err(|cause| {
            VaultError::new(
                VaultCode::Serialization,
                format!("Invalid JSON body: {cause}"),
            )
        })
    }
}

/// Checks the description of an archive or a job.
///
/// # Errors
///
/// `InvalidParameterValueException`.
pub(crate) fn check_description(text: &str) -> Result<(), VaultError> {
    let is_printable = |byte: u8| (0x20..=0x7e).contains(&byte);
    match text.len() <= DESCRIPTION_CHARS_MAX && text.bytes().all(is_printable) {
        true => Ok(()),
        false => Err(VaultError::invalid("Invalid description")),
    }
}

/// The header with the tree hash of a body or a whole.
pub(crate) const TREE_HASH: &str = "x-amz-sha256-tree-hash";

/// The header with the description of an archive.
pub(crate) const DESCRIPTION: &str = "x-amz-archive-description";

/// Longest document, in bytes: a policy of 20 KB in which every character is escaped.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 64 << 10;

const DESCRIPTION_CHARS_MAX: usize = 1_024;
