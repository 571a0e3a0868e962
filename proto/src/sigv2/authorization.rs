//! The `Authorization` header.

/// An `Authorization` header of Version 2, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Whose key signed.
    pub access_key_id: String,
    /// The signature as sent.
    pub signature: String,
}

impl Authorization {
    /// Reads `AWS AccessKeyId:Signature`.
    ///
    /// # Errors
    ///
    /// [`AuthorizationError`], whose text is S3's.
    pub fn parse(header: &str) -> Result<Self, AuthorizationError> {
        let Some(("AWS", credential)) = header.split_once(' ') else {
            return Err(AuthorizationError::Spaces);
        };
        if credential.contains(' ') {
            return Err(AuthorizationError::Spaces);
        }
        match credential.split_once(':') {
            Some((id, signature))
                if !id.is_empty() && !signature.is_empty() && !signature.contains(':') =>
            {
                Ok(Self {
                    access_key_id: id.to_owned(),
                    signature: signature.to_owned(),
                })
            }
            _ => Err(AuthorizationError::Credential),
        }
    }
}

/// Why an `Authorization` header is refused: 400 `InvalidArgument`. The texts are S3's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// Not `AWS`, one space, and what has no space.
    #[error("Authorization header is invalid -- one and only one ' ' (space) required")]
    Spaces,
    /// Not two texts with one colon between them.
    #[error("AWS authorization header is invalid.  Expected AwsAccessKeyId:signature")]
    Credential,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_an_access_key_id_a_colon_and_a_signature() {
        let read = Authorization::parse("AWS AKID:c2ln+/8=").unwrap();
        assert_eq!(read.access_key_id, "AKID");
        assert_eq!(read.signature, "c2ln+/8=");
        for (header, error) in [
            ("", AuthorizationError::Spaces),
            ("AWS", AuthorizationError::Spaces),
            ("aws AKID:c2ln", AuthorizationError::Spaces),
            ("AWS  AKID:c2ln", AuthorizationError::Spaces),
            ("AWS AKID: c2ln", AuthorizationError::Spaces),
            ("AWS ", AuthorizationError::Credential),
            ("AWS HAHAHA", AuthorizationError::Credential),
            ("AWS :c2ln", AuthorizationError::Credential),
            ("AWS AKID:", AuthorizationError::Credential),
            ("AWS AKID:c2ln:", AuthorizationError::Credential),
            ("AWS AKID::c2ln", AuthorizationError::Credential),
        ] {
            assert_eq!(Authorization::parse(header), Err(error), "{header}");
        }
    }
}
