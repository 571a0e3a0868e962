//! What an account blocks of public access: it holds for all its buckets and access points.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_PutPublicAccessBlock.html>

use crate::bucket::document::public_access::PublicAccessBlock;
use crate::error::S3Error;
use crate::records::documents::DocumentStore;
use crate::records::documents::Documents;

/// The blocks of all accounts.
pub struct AccountBlocks {
    documents: Documents<PublicAccessBlock>,
}

impl AccountBlocks {
    /// Those in `store`.
    #[must_use]
    pub fn new(store: DocumentStore) -> Self {
        Self {
            documents: Documents::new(store),
        }
    }

    /// The block of an account, if it has one.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be read. The request must be refused then.
    pub async fn find(&self, account: &str) -> Result<Option<PublicAccessBlock>, S3Error> {
        let block = self.documents.find(&name(account)).await?;
        Ok(block.map(|block| *block))
    }

    /// Replaces or removes the block of an account.
    ///
    /// # Errors
    ///
    /// `ServiceUnavailable` when the state cannot be written; `OperationAborted`.
    pub async fn set(
        &self,
        account: &str,
        block: Option<PublicAccessBlock>,
    ) -> Result<(), S3Error> {
        let name = name(account);
        self.documents.change(&name, |_| Ok(block)).await?;
        Ok(())
    }
}

fn name(account: &str) -> String {
    format!("accounts/{account}/public-access-block")
}
