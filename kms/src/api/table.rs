//! The table of operations, from which everything that must name each operation is made.
//!
//! A row reads: AWS's name, name of the gRPC method, request, answer, its kind, and whose keys it is for. The kind:
//!
//! - `use`: cryptography in memory, quick. Read-only in the audit trail, as AWS has it.
//! - `read`: returns what is stored about keys.
//! - `write`: changes keys durably, so it waits for the disk.
//! - `heavy`: cryptography that takes milliseconds or more.
//!
//! Whose keys, by "Cross-account use" in AWS's table of permissions:
//!
//! - `any`: those of any account, if the key's policies allow it.
//! - `own`: those of the caller's account, whatever the policies of another account's key allow.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/kms-api-permissions-reference.html>
//!
//! An operation is added by a row here, its function in its family's file, and the row in
//! `dispatch.rs` that names the function; the compiler reports whichever is missing.

/// Hands the table to the macro `$each`.
macro_rules! operations {
    ($each:ident) => {
        $each! {
            CancelKeyDeletion cancel_key_deletion(CancelKeyDeletionRequest)
                -> CancelKeyDeletionResponse, write own;
            ConnectCustomKeyStore connect_custom_key_store(ConnectCustomKeyStoreRequest)
                -> ConnectCustomKeyStoreResponse, write own;
            CreateAlias create_alias(CreateAliasRequest) -> CreateAliasResponse, write own;
            CreateCustomKeyStore create_custom_key_store(CreateCustomKeyStoreRequest)
                -> CreateCustomKeyStoreResponse, write own;
            CreateGrant create_grant(CreateGrantRequest) -> CreateGrantResponse, write any;
            CreateKey create_key(CreateKeyRequest) -> CreateKeyResponse, write own;
            Decapsulate decapsulate(DecapsulateRequest) -> DecapsulateResponse, use any;
            Decrypt decrypt(DecryptRequest) -> DecryptResponse, use any;
            DeleteAlias delete_alias(DeleteAliasRequest) -> DeleteAliasResponse, write own;
            DeleteCustomKeyStore delete_custom_key_store(DeleteCustomKeyStoreRequest)
                -> DeleteCustomKeyStoreResponse, write own;
            DeleteImportedKeyMaterial delete_imported_key_material(DeleteImportedKeyMaterialRequest)
                -> DeleteImportedKeyMaterialResponse, write own;
            DeriveSharedSecret derive_shared_secret(DeriveSharedSecretRequest)
                -> DeriveSharedSecretResponse, use any;
            DescribeCustomKeyStores describe_custom_key_stores(DescribeCustomKeyStoresRequest)
                -> DescribeCustomKeyStoresResponse, read own;
            DescribeKey describe_key(DescribeKeyRequest) -> DescribeKeyResponse, read any;
            DisableKey disable_key(DisableKeyRequest) -> DisableKeyResponse, write own;
            DisableKeyRotation disable_key_rotation(DisableKeyRotationRequest)
                -> DisableKeyRotationResponse, write own;
            DisconnectCustomKeyStore disconnect_custom_key_store(DisconnectCustomKeyStoreRequest)
                -> DisconnectCustomKeyStoreResponse, write own;
            EnableKey enable_key(EnableKeyRequest) -> EnableKeyResponse, write own;
            EnableKeyRotation enable_key_rotation(EnableKeyRotationRequest)
                -> EnableKeyRotationResponse, write own;
            Encapsulate encapsulate(EncapsulateRequest) -> EncapsulateResponse, use any;
            Encrypt encrypt(EncryptRequest) -> EncryptResponse, use any;
            GenerateDataKey generate_data_key(GenerateDataKeyRequest)
                -> GenerateDataKeyResponse, use any;
            GenerateDataKeyPair generate_data_key_pair(GenerateDataKeyPairRequest)
                -> GenerateDataKeyPairResponse, heavy any;
            GenerateDataKeyPairWithoutPlaintext generate_data_key_pair_without_plaintext(GenerateDataKeyPairWithoutPlaintextRequest)
                -> GenerateDataKeyPairWithoutPlaintextResponse, heavy any;
            GenerateDataKeyWithoutPlaintext generate_data_key_without_plaintext(GenerateDataKeyWithoutPlaintextRequest)
                -> GenerateDataKeyWithoutPlaintextResponse, use any;
            GenerateMac generate_mac(GenerateMacRequest) -> GenerateMacResponse, use any;
            GenerateRandom generate_random(GenerateRandomRequest) -> GenerateRandomResponse, use own;
            GetKeyLastUsage get_key_last_usage(GetKeyLastUsageRequest)
                -> GetKeyLastUsageResponse, read own;
            GetKeyPolicy get_key_policy(GetKeyPolicyRequest) -> GetKeyPolicyResponse, read own;
            GetKeyRotationStatus get_key_rotation_status(GetKeyRotationStatusRequest)
                -> GetKeyRotationStatusResponse, read any;
            GetParametersForImport get_parameters_for_import(GetParametersForImportRequest)
                -> GetParametersForImportResponse, heavy own;
            GetPublicKey get_public_key(GetPublicKeyRequest) -> GetPublicKeyResponse, read any;
            ImportKeyMaterial import_key_material(ImportKeyMaterialRequest)
                -> ImportKeyMaterialResponse, write own;
            ListAliases list_aliases(ListAliasesRequest) -> ListAliasesResponse, read own;
            ListGrants list_grants(ListGrantsRequest) -> ListGrantsResponse, read any;
            ListKeyPolicies list_key_policies(ListKeyPoliciesRequest)
                -> ListKeyPoliciesResponse, read own;
            ListKeyRotations list_key_rotations(ListKeyRotationsRequest)
                -> ListKeyRotationsResponse, read own;
            ListKeys list_keys(ListKeysRequest) -> ListKeysResponse, read own;
            ListResourceTags list_resource_tags(ListResourceTagsRequest)
                -> ListResourceTagsResponse, read own;
            ListRetirableGrants list_retirable_grants(ListRetirableGrantsRequest)
                -> ListRetirableGrantsResponse, read own;
            PutKeyPolicy put_key_policy(PutKeyPolicyRequest) -> PutKeyPolicyResponse, write own;
            ReEncrypt re_encrypt(ReEncryptRequest) -> ReEncryptResponse, use any;
            ReplicateKey replicate_key(ReplicateKeyRequest) -> ReplicateKeyResponse, write own;
            RetireGrant retire_grant(RetireGrantRequest) -> RetireGrantResponse, write any;
            RevokeGrant revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse, write any;
            RotateKeyOnDemand rotate_key_on_demand(RotateKeyOnDemandRequest)
                -> RotateKeyOnDemandResponse, write own;
            ScheduleKeyDeletion schedule_key_deletion(ScheduleKeyDeletionRequest)
                -> ScheduleKeyDeletionResponse, write own;
            Sign sign(SignRequest) -> SignResponse, use any;
            TagResource tag_resource(TagResourceRequest) -> TagResourceResponse, write own;
            UntagResource untag_resource(UntagResourceRequest) -> UntagResourceResponse, write own;
            UpdateAlias update_alias(UpdateAliasRequest) -> UpdateAliasResponse, write own;
            UpdateCustomKeyStore update_custom_key_store(UpdateCustomKeyStoreRequest)
                -> UpdateCustomKeyStoreResponse, write own;
            UpdateKeyDescription update_key_description(UpdateKeyDescriptionRequest)
                -> UpdateKeyDescriptionResponse, write own;
            UpdatePrimaryRegion update_primary_region(UpdatePrimaryRegionRequest)
                -> UpdatePrimaryRegionResponse, write own;
            Verify verify(VerifyRequest) -> VerifyResponse, use any;
            VerifyMac verify_mac(VerifyMacRequest) -> VerifyMacResponse, use any;
        }
    };
}
pub(crate) use operations;
