//! Grant tokens: what CreateGrant returns, so that who uses a grant need not wait until it is known everywhere.
//!
//! Here a grant is known at once, so a token adds nothing; but it must be one.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/using-grant-token.html>

use crate::api::operation::Operation;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;

/// A token of the grant of that id, of the key of that ARN. No two are equal.
pub(crate) fn make(keys: &Keys, key_arn: &str, grant_id: &str) -> String {
    keys.seal_token(KIND, &format!("{key_arn} {grant_id}"))
}

/// The ARN of the key and the id of the grant that a token is of; the grant may have ended.
///
/// # Errors
///
/// `InvalidGrantTokenException` for a text that is no token of this KMS.
pub(crate) fn read(keys: &Keys, token: &str) -> Result<(String, String), KmsError> {
    let opened = keys.open_token(KIND, token);
    let parts = opened.as_deref().and_then(|opened| opened.split_once(' '));
    let (key_arn, grant_id) =
        parts.ok_or_else(|| KmsError::new(Code::InvalidGrantTokenException, ""))?;
    Ok((key_arn.to_owned(), grant_id.to_owned()))
}

/// The tokens that a request gives.
pub(crate) fn given(operation: &Operation) -> &[String] {
    match operation {
        Operation::CreateGrant(request) => &request.grant_tokens,
        Operation::Decapsulate(request) => &request.grant_tokens,
        Operation::Decrypt(request) => &request.grant_tokens,
        Operation::DeriveSharedSecret(request) => &request.grant_tokens,
        Operation::DescribeKey(request) => &request.grant_tokens,
        Operation::Encapsulate(request) => &request.grant_tokens,
        Operation::Encrypt(request) => &request.grant_tokens,
        Operation::GenerateDataKey(request) => &request.grant_tokens,
        Operation::GenerateDataKeyPair(request) => &request.grant_tokens,
        Operation::GenerateDataKeyPairWithoutPlaintext(request) => &request.grant_tokens,
        Operation::GenerateDataKeyWithoutPlaintext(request) => &request.grant_tokens,
        Operation::GenerateMac(request) => &request.grant_tokens,
        Operation::GetPublicKey(request) => &request.grant_tokens,
        Operation::ReEncrypt(request) => &request.grant_tokens,
        Operation::Sign(request) => &request.grant_tokens,
        Operation::Verify(request) => &request.grant_tokens,
        Operation::VerifyMac(request) => &request.grant_tokens,
        _ => &[],
    }
}

/// What a token of a grant is sealed for.
const KIND: &str = "grant token";
