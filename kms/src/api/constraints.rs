//! What the service model demands of each member of each request.
//!
//! Lengths are characters of texts, bytes of blobs and items of lists; members are named as AWS's
//! validation errors name them. Source: the service model of AWS KMS, API version 2014-11-01.

use proto::kms::v1;

use crate::api::violations::Constrained;
use crate::api::violations::Rule::EachLength;
use crate::api::violations::Rule::EachOneOf;
use crate::api::violations::Rule::Items;
use crate::api::violations::Rule::Length;
use crate::api::violations::Rule::OneOf;
use crate::api::violations::Rule::Pattern;
use crate::api::violations::Rule::Range;
use crate::api::violations::Rule::Required;
use crate::api::violations::Violations;
use crate::api::violations::patterns;
use crate::api::violations::values;

macro_rules! constraints {
    ($($message:ident { $($field:ident $name:literal $rules:tt;)* })+) => {
        $(impl Constrained for v1::$message {
            #[allow(unused_variables, reason = "some messages have no constraints")]
            fn constrain(&self, path: &str, violations: &mut Violations) {
                $(rules!(self, $field, $name, path, violations, $rules);)*
            }
        })+
    };
}

macro_rules! rules {
    ($self:ident, $field:ident, $name:literal, $path:ident, $violations:ident, within) => {
        $violations.within($path, $name, &$self.$field)
    };
    ($self:ident, $field:ident, $name:literal, $path:ident, $violations:ident, $rules:tt) => {
        $violations.member($path, $name, &$self.$field, &$rules)
    };
}

constraints! {
    CreateKeyRequest {
        policy "policy" [Length(1, 131_072), Pattern(&patterns::POLICY)];
        description "description" [Length(0, 8_192)];
        key_usage "keyUsage" [OneOf(values::KEY_USAGE)];
        customer_master_key_spec "customerMasterKeySpec" [OneOf(values::CUSTOMER_MASTER_KEY)];
        key_spec "keySpec" [OneOf(values::KEY_SPEC)];
        origin "origin" [OneOf(values::ORIGIN)];
        custom_key_store_id "customKeyStoreId" [Length(1, 64)];
        tags "tags" within;
        xks_key_id "xksKeyId" [Length(1, 128), Pattern(&patterns::XKS_KEY_ID)];
    }
    DescribeKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    ListKeysRequest {
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
        resource_owners "resourceOwners" [Items(1, 2), EachOneOf(values::RESOURCE_OWNER)];
    }
    UpdateKeyDescriptionRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        description "description" [Required, Length(0, 8_192)];
    }
    EnableKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    DisableKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    ScheduleKeyDeletionRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        pending_window_in_days "pendingWindowInDays" [Range(1, 365)];
    }
    CancelKeyDeletionRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    GetKeyLastUsageRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    CreateAliasRequest {
        alias_name "aliasName" [Required, Length(1, 256), Pattern(&patterns::NAME)];
        target_key_id "targetKeyId" [Required, Length(1, 2_048)];
    }
    UpdateAliasRequest {
        alias_name "aliasName" [Required, Length(1, 256), Pattern(&patterns::NAME)];
        target_key_id "targetKeyId" [Required, Length(1, 2_048)];
    }
    DeleteAliasRequest {
        alias_name "aliasName" [Required, Length(1, 256), Pattern(&patterns::NAME)];
    }
    ListAliasesRequest {
        key_id "keyId" [Length(1, 2_048)];
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
    }
    EncryptRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        plaintext "plaintext" [Required, Length(1, 4_096)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        encryption_algorithm "encryptionAlgorithm" [OneOf(values::ENCRYPTION_ALGORITHM)];
    }
    DecryptRequest {
        ciphertext_blob "ciphertextBlob" [Length(1, 6_144)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        key_id "keyId" [Length(1, 2_048)];
        encryption_algorithm "encryptionAlgorithm" [OneOf(values::ENCRYPTION_ALGORITHM)];
        recipient "recipient" within;
        dry_run_modifiers "dryRunModifiers" [EachOneOf(values::DRY_RUN_MODIFIER)];
    }
    ReEncryptRequest {
        ciphertext_blob "ciphertextBlob" [Length(1, 6_144)];
        source_key_id "sourceKeyId" [Length(1, 2_048)];
        destination_key_id "destinationKeyId" [Required, Length(1, 2_048)];
        source_encryption_algorithm "sourceEncryptionAlgorithm" [OneOf(values::ENCRYPTION_ALGORITHM)];
        destination_encryption_algorithm "destinationEncryptionAlgorithm" [OneOf(values::ENCRYPTION_ALGORITHM)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        dry_run_modifiers "dryRunModifiers" [EachOneOf(values::DRY_RUN_MODIFIER)];
    }
    GenerateDataKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        number_of_bytes "numberOfBytes" [Range(1, 1_024)];
        key_spec "keySpec" [OneOf(values::DATA_KEY)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        recipient "recipient" within;
    }
    GenerateDataKeyWithoutPlaintextRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        key_spec "keySpec" [OneOf(values::DATA_KEY)];
        number_of_bytes "numberOfBytes" [Range(1, 1_024)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    GenerateDataKeyPairRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        key_pair_spec "keyPairSpec" [Required, OneOf(values::DATA_KEY_PAIR)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        recipient "recipient" within;
    }
    GenerateDataKeyPairWithoutPlaintextRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        key_pair_spec "keyPairSpec" [Required, OneOf(values::DATA_KEY_PAIR)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    GenerateRandomRequest {
        number_of_bytes "numberOfBytes" [Range(1, 1_024)];
        custom_key_store_id "customKeyStoreId" [Length(1, 64)];
        recipient "recipient" within;
    }
    SignRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        message "message" [Required, Length(1, 4_096)];
        message_type "messageType" [OneOf(values::MESSAGE)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        signing_algorithm "signingAlgorithm" [Required, OneOf(values::SIGNING_ALGORITHM)];
    }
    VerifyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        message "message" [Required, Length(1, 4_096)];
        message_type "messageType" [OneOf(values::MESSAGE)];
        signature "signature" [Required, Length(1, 6_144)];
        signing_algorithm "signingAlgorithm" [Required, OneOf(values::SIGNING_ALGORITHM)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    GenerateMacRequest {
        message "message" [Required, Length(1, 4_096)];
        key_id "keyId" [Required, Length(1, 2_048)];
        mac_algorithm "macAlgorithm" [Required, OneOf(values::MAC_ALGORITHM)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    VerifyMacRequest {
        message "message" [Required, Length(1, 4_096)];
        key_id "keyId" [Required, Length(1, 2_048)];
        mac_algorithm "macAlgorithm" [Required, OneOf(values::MAC_ALGORITHM)];
        mac "mac" [Required, Length(1, 6_144)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    GetPublicKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    DeriveSharedSecretRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        key_agreement_algorithm "keyAgreementAlgorithm" [Required, OneOf(values::KEY_AGREEMENT_ALGORITHM)];
        public_key "publicKey" [Required, Length(1, 8_192)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        recipient "recipient" within;
    }
    EncapsulateRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        encapsulation_algorithm "encapsulationAlgorithm" [Required, OneOf(values::ENCAPSULATION_ALGORITHM)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    DecapsulateRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        shared_secret_ciphertext_blob "sharedSecretCiphertextBlob" [Required, Length(1, 6_144)];
        encapsulation_algorithm "encapsulationAlgorithm" [Required, OneOf(values::ENCAPSULATION_ALGORITHM)];
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
    }
    TagResourceRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        tags "tags" [Required];
        tags "tags" within;
    }
    UntagResourceRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        tag_keys "tagKeys" [Required, EachLength(1, 128)];
    }
    ListResourceTagsRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
    }
    GetKeyPolicyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        policy_name "policyName" [Length(1, 128), Pattern(&patterns::POLICY_NAME)];
    }
    PutKeyPolicyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        policy_name "policyName" [Length(1, 128), Pattern(&patterns::POLICY_NAME)];
        policy "policy" [Required, Length(1, 131_072), Pattern(&patterns::POLICY)];
    }
    ListKeyPoliciesRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
    }
    CreateGrantRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        grantee_principal "granteePrincipal" [Length(1, 256), Pattern(&patterns::PRINCIPAL)];
        retiring_principal "retiringPrincipal" [Length(1, 256), Pattern(&patterns::PRINCIPAL)];
        operations "operations" [Required, EachOneOf(values::GRANT_OPERATION)];
        constraints "constraints" within;
        grant_tokens "grantTokens" [Items(0, 10), EachLength(1, 8_192)];
        name "name" [Length(1, 256), Pattern(&patterns::NAME)];
        grantee_service_principal "granteeServicePrincipal" [Length(1, 128), Pattern(&patterns::SERVICE)];
        retiring_service_principal "retiringServicePrincipal" [Length(1, 128), Pattern(&patterns::SERVICE)];
    }
    RetireGrantRequest {
        grant_token "grantToken" [Length(1, 8_192)];
        key_id "keyId" [Length(1, 2_048)];
        grant_id "grantId" [Length(1, 128)];
    }
    RevokeGrantRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        grant_id "grantId" [Required, Length(1, 128)];
    }
    ListGrantsRequest {
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
        key_id "keyId" [Required, Length(1, 2_048)];
        grant_id "grantId" [Length(1, 128)];
        grantee_principal "granteePrincipal" [Length(1, 256), Pattern(&patterns::PRINCIPAL)];
        grantee_service_principal "granteeServicePrincipal" [Length(1, 128), Pattern(&patterns::SERVICE)];
    }
    ListRetirableGrantsRequest {
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
        retiring_principal "retiringPrincipal" [Length(1, 256), Pattern(&patterns::PRINCIPAL)];
        retiring_service_principal "retiringServicePrincipal" [Length(1, 128), Pattern(&patterns::SERVICE)];
    }
    EnableKeyRotationRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        rotation_period_in_days "rotationPeriodInDays" [Range(90, 2_560)];
    }
    DisableKeyRotationRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    GetKeyRotationStatusRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    RotateKeyOnDemandRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
    }
    ListKeyRotationsRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        include_key_material "includeKeyMaterial" [OneOf(values::INCLUDE_KEY_MATERIAL)];
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
    }
    GetParametersForImportRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        wrapping_algorithm "wrappingAlgorithm" [Required, OneOf(values::ALGORITHM)];
        wrapping_key_spec "wrappingKeySpec" [Required, OneOf(values::WRAPPING_KEY)];
    }
    ImportKeyMaterialRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        import_token "importToken" [Required, Length(1, 6_144)];
        encrypted_key_material "encryptedKeyMaterial" [Required, Length(1, 6_144)];
        expiration_model "expirationModel" [OneOf(values::EXPIRATION_MODEL)];
        import_type "importType" [OneOf(values::IMPORT)];
        key_material_description "keyMaterialDescription" [Length(0, 256), Pattern(&patterns::MATERIAL_DESCRIPTION)];
        key_material_id "keyMaterialId" [Length(64, 64), Pattern(&patterns::HEX)];
    }
    DeleteImportedKeyMaterialRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        key_material_id "keyMaterialId" [Length(64, 64), Pattern(&patterns::HEX)];
    }
    ReplicateKeyRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        replica_region "replicaRegion" [Required, Length(1, 32), Pattern(&patterns::REGION)];
        policy "policy" [Length(1, 131_072), Pattern(&patterns::POLICY)];
        description "description" [Length(0, 8_192)];
        tags "tags" within;
    }
    UpdatePrimaryRegionRequest {
        key_id "keyId" [Required, Length(1, 2_048)];
        primary_region "primaryRegion" [Required, Length(1, 32), Pattern(&patterns::REGION)];
    }
    CreateCustomKeyStoreRequest {
        custom_key_store_name "customKeyStoreName" [Required, Length(1, 256)];
        cloud_hsm_cluster_id "cloudHsmClusterId" [Length(19, 24), Pattern(&patterns::CLUSTER_ID)];
        trust_anchor_certificate "trustAnchorCertificate" [Length(1, 5_000)];
        key_store_password "keyStorePassword" [Length(7, 32)];
        custom_key_store_type "customKeyStoreType" [OneOf(values::CUSTOM_KEY_STORE)];
        xks_proxy_uri_endpoint "xksProxyUriEndpoint" [Length(10, 128), Pattern(&patterns::HTTPS)];
        xks_proxy_uri_path "xksProxyUriPath" [Length(10, 128), Pattern(&patterns::XKS_PATH)];
        xks_proxy_vpc_endpoint_service_name "xksProxyVpcEndpointServiceName" [Length(20, 64), Pattern(&patterns::VPC_ENDPOINT)];
        xks_proxy_vpc_endpoint_service_owner "xksProxyVpcEndpointServiceOwner" [Length(12, 12), Pattern(&patterns::DIGITS_12)];
        xks_proxy_authentication_credential "xksProxyAuthenticationCredential" within;
        xks_proxy_connectivity "xksProxyConnectivity" [OneOf(values::XKS_PROXY_CONNECTIVITY)];
    }
    UpdateCustomKeyStoreRequest {
        custom_key_store_id "customKeyStoreId" [Required, Length(1, 64)];
        new_custom_key_store_name "newCustomKeyStoreName" [Length(1, 256)];
        key_store_password "keyStorePassword" [Length(7, 32)];
        cloud_hsm_cluster_id "cloudHsmClusterId" [Length(19, 24), Pattern(&patterns::CLUSTER_ID)];
        xks_proxy_uri_endpoint "xksProxyUriEndpoint" [Length(10, 128), Pattern(&patterns::HTTPS)];
        xks_proxy_uri_path "xksProxyUriPath" [Length(10, 128), Pattern(&patterns::XKS_PATH)];
        xks_proxy_vpc_endpoint_service_name "xksProxyVpcEndpointServiceName" [Length(20, 64), Pattern(&patterns::VPC_ENDPOINT)];
        xks_proxy_vpc_endpoint_service_owner "xksProxyVpcEndpointServiceOwner" [Length(12, 12), Pattern(&patterns::DIGITS_12)];
        xks_proxy_authentication_credential "xksProxyAuthenticationCredential" within;
        xks_proxy_connectivity "xksProxyConnectivity" [OneOf(values::XKS_PROXY_CONNECTIVITY)];
    }
    DeleteCustomKeyStoreRequest {
        custom_key_store_id "customKeyStoreId" [Required, Length(1, 64)];
    }
    DescribeCustomKeyStoresRequest {
        custom_key_store_id "customKeyStoreId" [Length(1, 64)];
        custom_key_store_name "customKeyStoreName" [Length(1, 256)];
        limit "limit" [Range(1, 1_000)];
        marker "marker" [Length(1, 1_024), Pattern(&patterns::MARKER)];
    }
    ConnectCustomKeyStoreRequest {
        custom_key_store_id "customKeyStoreId" [Required, Length(1, 64)];
    }
    DisconnectCustomKeyStoreRequest {
        custom_key_store_id "customKeyStoreId" [Required, Length(1, 64)];
    }
    GrantConstraints {
        source_arn "sourceArn" [Length(20, 512), Pattern(&patterns::SOURCE_ARN)];
    }
    RecipientInfo {
        key_encryption_algorithm "keyEncryptionAlgorithm" [OneOf(values::KEY_ENCRYPTION_MECHANISM)];
        attestation_document "attestationDocument" [Length(1, 262_144)];
    }
    Tag {
        tag_key "tagKey" [Required, Length(1, 128)];
        tag_value "tagValue" [Required, Length(0, 256)];
    }
    XksProxyAuthenticationCredentialType {
        access_key_id "accessKeyId" [Required, Length(20, 30), Pattern(&patterns::BASE32)];
        raw_secret_access_key "rawSecretAccessKey" [Required, Length(43, 64), Pattern(&patterns::BASE64)];
    }
}
