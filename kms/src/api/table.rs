//! The table of operations, from which everything that must name each operation is made.
//!
//! A row reads: AWS's name, name of the gRPC method, request, answer, function, and its kind:
//!
//! - `use`: cryptography in memory, quick. Read-only in the audit trail, as AWS has it.
//! - `read`: returns what is stored about keys.
//! - `write`: changes keys durably, so it waits for the disk.
//! - `heavy`: cryptography that takes milliseconds or more.
//!
//! An operation is added by a row here and its function in its family's file.

/// Hands the table to the macro `$each`.
macro_rules! operations {
    ($each:ident) => {
        $each! {
            CancelKeyDeletion cancel_key_deletion(CancelKeyDeletionRequest)
                -> CancelKeyDeletionResponse = crate::api::key::cancel_deletion, write;
            ConnectCustomKeyStore connect_custom_key_store(ConnectCustomKeyStoreRequest)
                -> ConnectCustomKeyStoreResponse = crate::api::key_store::connect, write;
            CreateAlias create_alias(CreateAliasRequest)
                -> CreateAliasResponse = crate::api::alias::create, write;
            CreateCustomKeyStore create_custom_key_store(CreateCustomKeyStoreRequest)
                -> CreateCustomKeyStoreResponse = crate::api::key_store::create, write;
            CreateGrant create_grant(CreateGrantRequest)
                -> CreateGrantResponse = crate::api::grant::create, write;
            CreateKey create_key(CreateKeyRequest)
                -> CreateKeyResponse = crate::api::key::create, write;
            Decapsulate decapsulate(DecapsulateRequest)
                -> DecapsulateResponse = crate::api::shared_secret::decapsulate, use;
            Decrypt decrypt(DecryptRequest)
                -> DecryptResponse = crate::api::encrypt::decrypt, use;
            DeleteAlias delete_alias(DeleteAliasRequest)
                -> DeleteAliasResponse = crate::api::alias::delete, write;
            DeleteCustomKeyStore delete_custom_key_store(DeleteCustomKeyStoreRequest)
                -> DeleteCustomKeyStoreResponse = crate::api::key_store::delete, write;
            DeleteImportedKeyMaterial delete_imported_key_material(DeleteImportedKeyMaterialRequest)
                -> DeleteImportedKeyMaterialResponse = crate::api::import::delete_material, write;
            DeriveSharedSecret derive_shared_secret(DeriveSharedSecretRequest)
                -> DeriveSharedSecretResponse = crate::api::shared_secret::derive, use;
            DescribeCustomKeyStores describe_custom_key_stores(DescribeCustomKeyStoresRequest)
                -> DescribeCustomKeyStoresResponse = crate::api::key_store::describe, read;
            DescribeKey describe_key(DescribeKeyRequest)
                -> DescribeKeyResponse = crate::api::key::describe, read;
            DisableKey disable_key(DisableKeyRequest)
                -> DisableKeyResponse = crate::api::key::disable, write;
            DisableKeyRotation disable_key_rotation(DisableKeyRotationRequest)
                -> DisableKeyRotationResponse = crate::api::rotation::disable, write;
            DisconnectCustomKeyStore disconnect_custom_key_store(DisconnectCustomKeyStoreRequest)
                -> DisconnectCustomKeyStoreResponse = crate::api::key_store::disconnect, write;
            EnableKey enable_key(EnableKeyRequest)
                -> EnableKeyResponse = crate::api::key::enable, write;
            EnableKeyRotation enable_key_rotation(EnableKeyRotationRequest)
                -> EnableKeyRotationResponse = crate::api::rotation::enable, write;
            Encapsulate encapsulate(EncapsulateRequest)
                -> EncapsulateResponse = crate::api::shared_secret::encapsulate, use;
            Encrypt encrypt(EncryptRequest)
                -> EncryptResponse = crate::api::encrypt::encrypt, use;
            GenerateDataKey generate_data_key(GenerateDataKeyRequest)
                -> GenerateDataKeyResponse = crate::api::data_key::generate, use;
            GenerateDataKeyPair generate_data_key_pair(GenerateDataKeyPairRequest)
                -> GenerateDataKeyPairResponse = crate::api::data_key_pair::generate, heavy;
            GenerateDataKeyPairWithoutPlaintext generate_data_key_pair_without_plaintext(GenerateDataKeyPairWithoutPlaintextRequest)
                -> GenerateDataKeyPairWithoutPlaintextResponse = crate::api::data_key_pair::generate_without_plaintext, heavy;
            GenerateDataKeyWithoutPlaintext
                generate_data_key_without_plaintext(GenerateDataKeyWithoutPlaintextRequest)
                -> GenerateDataKeyWithoutPlaintextResponse
                = crate::api::data_key::generate_without_plaintext, use;
            GenerateMac generate_mac(GenerateMacRequest)
                -> GenerateMacResponse = crate::api::sign::generate_mac, use;
            GenerateRandom generate_random(GenerateRandomRequest)
                -> GenerateRandomResponse = crate::api::data_key::generate_random, use;
            GetKeyLastUsage get_key_last_usage(GetKeyLastUsageRequest)
                -> GetKeyLastUsageResponse = crate::api::key::last_usage, read;
            GetKeyPolicy get_key_policy(GetKeyPolicyRequest)
                -> GetKeyPolicyResponse = crate::api::key_policy::get, read;
            GetKeyRotationStatus get_key_rotation_status(GetKeyRotationStatusRequest)
                -> GetKeyRotationStatusResponse = crate::api::rotation::status, read;
            GetParametersForImport get_parameters_for_import(GetParametersForImportRequest)
                -> GetParametersForImportResponse = crate::api::import::parameters, heavy;
            GetPublicKey get_public_key(GetPublicKeyRequest)
                -> GetPublicKeyResponse = crate::api::sign::public_key, read;
            ImportKeyMaterial import_key_material(ImportKeyMaterialRequest)
                -> ImportKeyMaterialResponse = crate::api::import::import_material, write;
            ListAliases list_aliases(ListAliasesRequest)
                -> ListAliasesResponse = crate::api::alias::list, read;
            ListGrants list_grants(ListGrantsRequest)
                -> ListGrantsResponse = crate::api::grant::list, read;
            ListKeyPolicies list_key_policies(ListKeyPoliciesRequest)
                -> ListKeyPoliciesResponse = crate::api::key_policy::list, read;
            ListKeyRotations list_key_rotations(ListKeyRotationsRequest)
                -> ListKeyRotationsResponse = crate::api::rotation::list, read;
            ListKeys list_keys(ListKeysRequest)
                -> ListKeysResponse = crate::api::key::list, read;
            ListResourceTags list_resource_tags(ListResourceTagsRequest)
                -> ListResourceTagsResponse = crate::api::tag::list, read;
            ListRetirableGrants list_retirable_grants(ListRetirableGrantsRequest)
                -> ListRetirableGrantsResponse = crate::api::grant::list_retirable, read;
            PutKeyPolicy put_key_policy(PutKeyPolicyRequest)
                -> PutKeyPolicyResponse = crate::api::key_policy::put, write;
            ReEncrypt re_encrypt(ReEncryptRequest)
                -> ReEncryptResponse = crate::api::encrypt::re_encrypt, use;
            ReplicateKey replicate_key(ReplicateKeyRequest)
                -> ReplicateKeyResponse = crate::api::multi_region::replicate, write;
            RetireGrant retire_grant(RetireGrantRequest)
                -> RetireGrantResponse = crate::api::grant::retire, write;
            RevokeGrant revoke_grant(RevokeGrantRequest)
                -> RevokeGrantResponse = crate::api::grant::revoke, write;
            RotateKeyOnDemand rotate_key_on_demand(RotateKeyOnDemandRequest)
                -> RotateKeyOnDemandResponse = crate::api::rotation::rotate_on_demand, write;
            ScheduleKeyDeletion schedule_key_deletion(ScheduleKeyDeletionRequest)
                -> ScheduleKeyDeletionResponse = crate::api::key::schedule_deletion, write;
            Sign sign(SignRequest)
                -> SignResponse = crate::api::sign::sign, use;
            TagResource tag_resource(TagResourceRequest)
                -> TagResourceResponse = crate::api::tag::tag, write;
            UntagResource untag_resource(UntagResourceRequest)
                -> UntagResourceResponse = crate::api::tag::untag, write;
            UpdateAlias update_alias(UpdateAliasRequest)
                -> UpdateAliasResponse = crate::api::alias::update, write;
            UpdateCustomKeyStore update_custom_key_store(UpdateCustomKeyStoreRequest)
                -> UpdateCustomKeyStoreResponse = crate::api::key_store::update, write;
            UpdateKeyDescription update_key_description(UpdateKeyDescriptionRequest)
                -> UpdateKeyDescriptionResponse = crate::api::key::update_description, write;
            UpdatePrimaryRegion update_primary_region(UpdatePrimaryRegionRequest)
                -> UpdatePrimaryRegionResponse = crate::api::multi_region::update_primary, write;
            Verify verify(VerifyRequest)
                -> VerifyResponse = crate::api::sign::verify, use;
            VerifyMac verify_mac(VerifyMacRequest)
                -> VerifyMacResponse = crate::api::sign::verify_mac, use;
        }
    };
}
pub(crate) use operations;
