//! Requests of the KMS in AWS JSON.
//!
//! The first byte chooses the operation. A request that is read reads the same after it was written
//! as JSON, as gRPC has it as well; and no operation takes another one's name.

#![no_main]

use kms::api::Operation;
use kms::api::OperationName;
use libfuzzer_sys::fuzz_target;
use prost::Message;
use proto::kms::v1;

fuzz_target!(|input: &[u8]| {
    let Some((choice, body)) = input.split_first() else {
        return;
    };
    let names = OperationName::ALL;
    let name = names[usize::from(*choice) % names.len()];
    let Ok(operation) = Operation::from_json(name, body) else {
        return;
    };
    assert_eq!(operation.name(), name);

    macro_rules! both_protocols_agree {
        ($($operation:ident $request:ident),+ $(,)?) => {
            match &operation {
                $(Operation::$operation(request) => {
                    let json = serde_json::to_vec(request).expect("a request is JSON");
                    let again = Operation::from_json(name, &json);
                    assert_eq!(again.as_ref().ok(), Some(&operation));
                    let wire = v1::$request::decode(&*request.encode_to_vec());
                    assert_eq!(wire.as_ref(), Ok(request));
                })+
                _ => {}
            }
        };
    }
    both_protocols_agree!(
        CreateAlias CreateAliasRequest,
        CreateGrant CreateGrantRequest,
        CreateKey CreateKeyRequest,
        Decrypt DecryptRequest,
        DeriveSharedSecret DeriveSharedSecretRequest,
        Encrypt EncryptRequest,
        GenerateDataKey GenerateDataKeyRequest,
        GenerateMac GenerateMacRequest,
        ImportKeyMaterial ImportKeyMaterialRequest,
        ListGrants ListGrantsRequest,
        PutKeyPolicy PutKeyPolicyRequest,
        ReEncrypt ReEncryptRequest,
        ReplicateKey ReplicateKeyRequest,
        Sign SignRequest,
        TagResource TagResourceRequest,
        Verify VerifyRequest,
    );
});
