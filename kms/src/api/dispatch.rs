//! One operation for a caller: the function that does it, and the record of it in the audit trail.

use crate::api::Kms;
use crate::api::alias;
use crate::api::call::Call;
use crate::api::call_counts::CallKind;
use crate::api::conditions;
use crate::api::data_key;
use crate::api::data_key_pair;
use crate::api::encrypt;
use crate::api::grant;
use crate::api::grant_token;
use crate::api::import;
use crate::api::key;
use crate::api::key_policy;
use crate::api::key_store;
use crate::api::localstack;
use crate::api::multi_region;
use crate::api::operation::Answer;
use crate::api::operation::Operation;
use crate::api::rotation;
use crate::api::shared_secret;
use crate::api::sign;
use crate::api::tag;
use crate::caller::Caller;
use crate::compat::Compat;
use crate::error::KmsError;

impl Kms {
    /// Does one operation for an authenticated caller.
    ///
    /// Operations that are [slow](crate::api::OperationName::is_slow) block the thread.
    ///
    /// # Errors
    ///
    /// AWS's exception for the situation.
    pub fn call(&self, caller: &Caller, operation: Operation) -> Result<Answer, KmsError> {
        let mut call = Call::new(self, caller, operation.name());
        call.conditions = conditions::from_operation(&operation, caller);
        call.grant_tokens = grant_token::given(&operation).to_vec();
        let permitted = call.permit_account(&operation);
        let mut answer = permitted.and_then(|()| run(&mut call, operation));
        if self.compat() == Compat::LocalStack {
            answer = localstack::as_recorded(answer);
        }
        let (name, now) = (call.name, call.now);
        let error = answer.as_ref().err();
        let kind = CallKind::new(caller, name, call.record.key_arns(), error);
        self.counts().count(kind);
        call.record.hand_over(&self.audit, caller, name, now, error);
        answer
    }
}

macro_rules! functions {
    ($($name:ident => $module:ident::$function:ident,)+) => {
        fn run(call: &mut Call<'_>, operation: Operation) -> Result<Answer, KmsError> {
            match operation {
                $(Operation::$name(request) => {
                    $module::$function(call, request).map(Answer::$name)
                })+
            }
        }
    };
}

functions! {
    CancelKeyDeletion => key::cancel_deletion,
    ConnectCustomKeyStore => key_store::connect,
    CreateAlias => alias::create,
    CreateCustomKeyStore => key_store::create,
    CreateGrant => grant::create,
    CreateKey => key::create,
    Decapsulate => shared_secret::decapsulate,
    Decrypt => encrypt::decrypt,
    DeleteAlias => alias::delete,
    DeleteCustomKeyStore => key_store::delete,
    DeleteImportedKeyMaterial => import::delete_material,
    DeriveSharedSecret => shared_secret::derive,
    DescribeCustomKeyStores => key_store::describe,
    DescribeKey => key::describe,
    DisableKey => key::disable,
    DisableKeyRotation => rotation::disable,
    DisconnectCustomKeyStore => key_store::disconnect,
    EnableKey => key::enable,
    EnableKeyRotation => rotation::enable,
    Encapsulate => shared_secret::encapsulate,
    Encrypt => encrypt::encrypt,
    GenerateDataKey => data_key::generate,
    GenerateDataKeyPair => data_key_pair::generate,
    GenerateDataKeyPairWithoutPlaintext => data_key_pair::generate_without_plaintext,
    GenerateDataKeyWithoutPlaintext => data_key::generate_without_plaintext,
    GenerateMac => sign::generate_mac,
    GenerateRandom => data_key::generate_random,
    GetKeyLastUsage => key::last_usage,
    GetKeyPolicy => key_policy::get,
    GetKeyRotationStatus => rotation::status,
    GetParametersForImport => import::parameters,
    GetPublicKey => sign::public_key,
    ImportKeyMaterial => import::import_material,
    ListAliases => alias::list,
    ListGrants => grant::list,
    ListKeyPolicies => key_policy::list,
    ListKeyRotations => rotation::list,
    ListKeys => key::list,
    ListResourceTags => tag::list,
    ListRetirableGrants => grant::list_retirable,
    PutKeyPolicy => key_policy::put,
    ReEncrypt => encrypt::re_encrypt,
    ReplicateKey => multi_region::replicate,
    RetireGrant => grant::retire,
    RevokeGrant => grant::revoke,
    RotateKeyOnDemand => rotation::rotate_on_demand,
    ScheduleKeyDeletion => key::schedule_deletion,
    Sign => sign::sign,
    TagResource => tag::tag,
    UntagResource => tag::untag,
    UpdateAlias => alias::update,
    UpdateCustomKeyStore => key_store::update,
    UpdateKeyDescription => key::update_description,
    UpdatePrimaryRegion => multi_region::update_primary,
    Verify => sign::verify,
    VerifyMac => sign::verify_mac,
}
