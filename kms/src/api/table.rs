//! The table of operations, from which everything that must name each operation is made.
//!
//! A row reads: AWS's name, name of the gRPC method, request, answer, and its kind:
//!
//! - `use`: cryptography in memory, quick. Read-only in the audit trail, as AWS has it.
//! - `read`: returns what is stored about keys.
//! - `write`: changes keys durably, so it waits for the disk.
//! - `heavy`: cryptography that takes milliseconds or more.
//!
//! An operation is added by a row here, its function in its family's file, and the row in
//! `dispatch.rs` that names the function; the compiler reports whichever is missing.

/// Hands the table to the macro `$each`.
macro_rules! operations {
    ($each:ident) => {
        $each! {
            CancelKeyDeletion cancel_key_deletion(CancelKeyDeletionRequest)
                -> CancelKeyDeletionResponse, write;
            ConnectCustomKeyStore connect_custom_key_store(ConnectCustomKeyStoreRequest)
                -> ConnectCustomKeyStoreResponse, write;
            CreateAlias create_alias(CreateAliasRequest) -> CreateAliasResponse, write;
            CreateCustomKeyStore create_custom_key_store(CreateCustomKeyStoreRequest)
                -> CreateCustomKeyStoreResponse, write;
            CreateGrant create_grant(CreateGrantRequest) -> CreateGrantResponse, write;
            CreateKey create_key(CreateKeyRequest) -> CreateKeyResponse, write;
            Decapsulate decapsulate(DecapsulateRequest) -> DecapsulateResponse, use;
            Decrypt decrypt(DecryptRequest) -> DecryptResponse, use;
            DeleteAlias delete_alias(DeleteAliasRequest) -> DeleteAliasResponse, write;
            DeleteCustomKeyStore delete_custom_key_store(DeleteCustomKeyStoreRequest)
                -> DeleteCustomKeyStoreResponse, write;
            DeleteImportedKeyMaterial delete_imported_key_material(DeleteImportedKeyMaterialRequest)
                -> DeleteImportedKeyMaterialResponse, write;
            DeriveSharedSecret derive_shared_secret(DeriveSharedSecretRequest)
                -> DeriveSharedSecretResponse, use;
            DescribeCustomKeyStores describe_custom_key_stores(DescribeCustomKeyStoresRequest)
                -> DescribeCustomKeyStoresResponse, read;
            DescribeKey describe_key(DescribeKeyRequest) -> DescribeKeyResponse, read;
            DisableKey disable_key(DisableKeyRequest) -> DisableKeyResponse, write;
            DisableKeyRotation disable_key_rotation(DisableKeyRotationRequest)
                -> DisableKeyRotationResponse, write;
            DisconnectCustomKeyStore disconnect_custom_key_store(DisconnectCustomKeyStoreRequest)
                -> DisconnectCustomKeyStoreResponse, write;
            EnableKey enable_key(EnableKeyRequest) -> EnableKeyResponse, write;
            EnableKeyRotation enable_key_rotation(EnableKeyRotationRequest)
                -> EnableKeyRotationResponse, write;
            Encapsulate encapsulate(EncapsulateRequest) -> EncapsulateResponse, use;
            Encrypt encrypt(EncryptRequest) -> EncryptResponse, use;
            GenerateDataKey generate_data_key(GenerateDataKeyRequest)
                -> GenerateDataKeyResponse, use;
            GenerateDataKeyPair generate_data_key_pair(GenerateDataKeyPairRequest)
                -> GenerateDataKeyPairResponse, heavy;
            GenerateDataKeyPairWithoutPlaintext generate_data_key_pair_without_plaintext(GenerateDataKeyPairWithoutPlaintextRequest)
                -> GenerateDataKeyPairWithoutPlaintextResponse, heavy;
            GenerateDataKeyWithoutPlaintext generate_data_key_without_plaintext(GenerateDataKeyWithoutPlaintextRequest)
                -> GenerateDataKeyWithoutPlaintextResponse, use;
            GenerateMac generate_mac(GenerateMacRequest) -> GenerateMacResponse, use;
            GenerateRandom generate_random(GenerateRandomRequest) -> GenerateRandomResponse, use;
            GetKeyLastUsage get_key_last_usage(GetKeyLastUsageRequest)
                -> GetKeyLastUsageResponse, read;
            GetKeyPolicy get_key_policy(GetKeyPolicyRequest) -> GetKeyPolicyResponse, read;
            GetKeyRotationStatus get_key_rotation_status(GetKeyRotationStatusRequest)
                -> GetKeyRotationStatusResponse, read;
            GetParametersForImport get_parameters_for_import(GetParametersForImportRequest)
                -> GetParametersForImportResponse, heavy;
            GetPublicKey get_public_key(GetPublicKeyRequest) -> GetPublicKeyResponse, read;
            ImportKeyMaterial import_key_material(ImportKeyMaterialRequest)
                -> ImportKeyMaterialResponse, write;
            ListAliases list_aliases(ListAliasesRequest) -> ListAliasesResponse, read;
            ListGrants list_grants(ListGrantsRequest) -> ListGrantsResponse, read;
            ListKeyPolicies list_key_policies(ListKeyPoliciesRequest)
                -> ListKeyPoliciesResponse, read;
            ListKeyRotations list_key_rotations(ListKeyRotationsRequest)
                -> ListKeyRotationsResponse, read;
            ListKeys list_keys(ListKeysRequest) -> ListKeysResponse, read;
            ListResourceTags list_resource_tags(ListResourceTagsRequest)
                -> ListResourceTagsResponse, read;
            ListRetirableGrants list_retirable_grants(ListRetirableGrantsRequest)
                -> ListRetirableGrantsResponse, read;
            PutKeyPolicy put_key_policy(PutKeyPolicyRequest) -> PutKeyPolicyResponse, write;
            ReEncrypt re_encrypt(ReEncryptRequest) -> ReEncryptResponse, use;
            ReplicateKey replicate_key(ReplicateKeyRequest) -> ReplicateKeyResponse, write;
            RetireGrant retire_grant(RetireGrantRequest) -> RetireGrantResponse, write;
            RevokeGrant revoke_grant(RevokeGrantRequest) -> RevokeGrantResponse, write;
            RotateKeyOnDemand rotate_key_on_demand(RotateKeyOnDemandRequest)
                -> RotateKeyOnDemandResponse, write;
            ScheduleKeyDeletion schedule_key_deletion(ScheduleKeyDeletionRequest)
                -> ScheduleKeyDeletionResponse, write;
            Sign sign(SignRequest) -> SignResponse, use;
            TagResource tag_resource(TagResourceRequest) -> TagResourceResponse, write;
            UntagResource untag_resource(UntagResourceRequest) -> UntagResourceResponse, write;
            UpdateAlias update_alias(UpdateAliasRequest) -> UpdateAliasResponse, write;
            UpdateCustomKeyStore update_custom_key_store(UpdateCustomKeyStoreRequest)
                -> UpdateCustomKeyStoreResponse, write;
            UpdateKeyDescription update_key_description(UpdateKeyDescriptionRequest)
                -> UpdateKeyDescriptionResponse, write;
            UpdatePrimaryRegion update_primary_region(UpdatePrimaryRegionRequest)
                -> UpdatePrimaryRegionResponse, write;
            Verify verify(VerifyRequest) -> VerifyResponse, use;
            VerifyMac verify_mac(VerifyMacRequest) -> VerifyMacResponse, use;
        }
    };
}
pub(crate) use operations;
