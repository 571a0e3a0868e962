//! The contract of the KMS, generated from `proto/kms/v1/kms.proto`.
//!
//! The same types serve gRPC (by prost) and AWS JSON 1.1 (by serde): AWS's member names, blobs in
//! base64, absent members left out.

/// Version 1 of the contract.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::allow_attributes_without_reason,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    rustdoc::all,
    reason = "generated code follows its generator's style"
)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/sealgate.kms.v1.rs"));
    include!(concat!(env!("OUT_DIR"), "/kms_debug.rs"));
}

/// The contract as an encoded `google.protobuf.FileDescriptorSet`, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] =
    include_bytes!(concat!(env!("OUT_DIR"), "/kms_descriptor.bin"));

#[cfg(test)]
mod contract;

#[cfg(test)]
mod tests {
    use super::v1;

    #[test]
    fn json_carries_awss_names_and_base64() {
        let answer = v1::EncryptResponse {
            ciphertext_blob: Some(vec![1, 2, 255]),
            key_id: Some("arn".to_owned()),
            encryption_algorithm: None,
        };
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(json, r#"{"CiphertextBlob":"AQL/","KeyId":"arn"}"#);
        assert_eq!(
            serde_json::from_str::<v1::EncryptResponse>(&json).unwrap(),
            answer
        );
    }

    #[test]
    fn json_names_with_runs_of_capitals_keep_awss_spelling() {
        let metadata = v1::KeyMetadata {
            aws_account_id: Some("111122223333".to_owned()),
            ..v1::KeyMetadata::default()
        };
        let json = serde_json::to_string(&metadata).unwrap();
        assert_eq!(json, r#"{"AWSAccountId":"111122223333"}"#);
    }

    #[test]
    fn null_and_unknown_members_are_read_as_absent() {
        let json = r#"{"KeyId":null,"GrantTokens":null,"EncryptionContext":null,"New":{"a":[1]}}"#;
        let request: v1::DecryptRequest = serde_json::from_str(json).unwrap();
        assert_eq!(request, v1::DecryptRequest::default());
    }

    #[test]
    fn empty_lists_of_an_answer_are_sent() {
        let json = serde_json::to_string(&v1::ListKeysResponse::default()).unwrap();
        assert_eq!(json, r#"{"Keys":[]}"#);
    }

    #[test]
    fn debug_leaves_plaintext_out() {
        let request = v1::EncryptRequest {
            plaintext: Some(b"canary".to_vec()),
            ..Default::default()
        };
        let shown = format!("{request:?}");
        assert!(!shown.contains("99, 97"), "{shown}");
        assert!(shown.starts_with("EncryptRequest {"), "{shown}");
    }
}
