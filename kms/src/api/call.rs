//! One call on its way through the checks: which key it names, what that costs, whether the caller may.
//!
//! What the audit trail records of it is in [`CallRecord`].

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use proto::time::Timestamp;

use crate::api::call_record::CallRecord;
use crate::api::grant_token;
use crate::api::kms::Kms;
use crate::api::operation::Operation;
use crate::api::operation::OperationName;
use crate::api::reference;
use crate::api::reference::By;
use crate::api::violations;
use crate::api::violations::Constrained;
use crate::authorize;
use crate::authorize::Condition;
use crate::authorize::Cryptography;
use crate::authorize::Enforcement;
use crate::authorize::Intent;
use crate::authorize::Management;
use crate::authorize::Permitted;
use crate::authorize::Purpose;
use crate::caller::Caller;
use crate::crypto::encryption_context;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::grant::Grant;
use crate::keys::key::Key;
use crate::keys::key::Use;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::place::alias_arn;
use crate::keys::state::Group;
use crate::keys::upkeep;
use crate::quota::Class;

/// One call on its way through the checks.
pub(crate) struct Call<'a> {
    pub(crate) kms: &'a Kms,
    pub(crate) caller: &'a Caller,
    pub(crate) name: OperationName,
    pub(crate) now: Timestamp,
    /// What the audit trail will have of it.
    pub(crate) record: CallRecord,
    charged: bool,
    /// What the conditions of a key policy may look at in the request.
    pub(crate) conditions: Vec<Condition>,
    /// The grant that CreateGrant is to make.
    pub(crate) new_grant: Option<Grant>,
    /// The grant tokens in the request.
    pub(crate) grant_tokens: Vec<String>,
}

/// What the caller does with a key.
pub(crate) struct Action<'a> {
    /// An action of IAM.
    pub(crate) name: &'a str,
    /// The encryption context, for actions that have one.
    pub(crate) context: Option<&'a BTreeMap<String, String>>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(kms: &'a Kms, caller: &'a Caller, name: OperationName) -> Self {
        Self {
            kms,
            caller,
            name,
            now: kms.clock.now(),
            record: CallRecord::default(),
            charged: false,
            conditions: Vec::new(),
            new_grant: None,
            grant_tokens: Vec::new(),
        }
    }

    /// The key that the caller names for an operation that looks at keys or changes them: it is
    /// there, the quota is not used up, the caller may do this.
    pub(crate) fn key(
        &mut self,
        reference: Option<&str>,
        by: By,
    ) -> Result<Permitted<Management>, KmsError> {
        let action = Action {
            name: self.name.as_str(),
            context: None,
        };
        self.permitted_key(reference, by, &action)
    }

    /// As [`Call::key`], for a request whose `KeyId` is recorded and that is checked against the
    /// service model first.
    pub(crate) fn requested_key(
        &mut self,
        request: &impl Constrained,
        key_id: Option<&str>,
        by: By,
    ) -> Result<Permitted<Management>, KmsError> {
        self.record.parameter_text("keyId", key_id);
        violations::check(request)?;
        self.key(key_id, by)
    }

    /// The key that the caller names for cryptography, under that encryption context if the
    /// operation has one.
    pub(crate) fn key_to_use(
        &mut self,
        reference: Option<&str>,
        context: Option<&BTreeMap<String, String>>,
    ) -> Result<Permitted<Cryptography>, KmsError> {
        self.key_for_action(reference, self.name.as_str(), context)
    }

    /// As [`Call::key_to_use`], for an operation whose action has another name.
    pub(crate) fn key_for_action(
        &mut self,
        reference: Option<&str>,
        name: &str,
        context: Option<&BTreeMap<String, String>>,
    ) -> Result<Permitted<Cryptography>, KmsError> {
        self.permitted_key(reference, By::Alias, &Action { name, context })
    }

    fn permitted_key<P: Purpose>(
        &mut self,
        reference: Option<&str>,
        by: By,
        action: &Action<'_>,
    ) -> Result<Permitted<P>, KmsError> {
        let reference = reference.unwrap_or_default();
        // What became of a replica may have started its primary's waiting period.
        if !P::USES_MATERIAL
            && let Ok(key) = self.resolve(reference, by)
            && key.snapshot().record.multi_region.is_some()
        {
            upkeep::sweep(&self.kms.keys, self.now)?;
        }
        match self.resolve(reference, by) {
            Ok(key) => {
                let alias = reference.find("alias/").and_then(|at| reference.get(at..));
                self.authorize(key, alias, action)
            }
            Err(error) => {
                self.charge(None)?;
                Err(error)
            }
        }
    }

    /// Charges the quota for a key that is there, and checks whether the caller may do this with it.
    pub(crate) fn authorize<P: Purpose>(
        &mut self,
        key: Arc<Key>,
        alias: Option<&str>,
        action: &Action<'_>,
    ) -> Result<Permitted<P>, KmsError> {
        let (manager, spec) = {
            let record = &key.snapshot().record;
            (record.manager, record.spec)
        };
        self.record.key(&key);
        // AWS-owned keys count against no quota, but attempts of others to use one do.
        if manager != Manager::AwsOwned || !self.caller.is_s3_itself() {
            self.charge(Some(spec.as_str()))?;
        }
        if P::USES_MATERIAL {
            self.charge_key_store(&key)?;
        }
        self.check_grant_tokens()?;
        upkeep::rotate_if_due(&self.kms.keys, &key, self.now)?;
        let intent = Intent {
            context: action.context,
            alias,
            ..self.intent(self.caller, action.name)
        };
        authorize::permit(&intent, key, &self.kms.keys, self.kms.enforcement())
    }

    /// Refuses a request with something else among its grant tokens, unless everybody may do everything.
    fn check_grant_tokens(&self) -> Result<(), KmsError> {
        if self.kms.enforcement() == Enforcement::Open || self.kms.compat().takes_any_grant() {
            return Ok(());
        }
        let mut tokens = self.grant_tokens.iter();
        tokens.try_for_each(|token| grant_token::read(&self.kms.keys, token).map(drop))
    }

    /// Checks the caller's own policies for an operation about no key, or about the name of one.
    pub(crate) fn permit_account(&self, operation: &Operation) -> Result<(), KmsError> {
        let (account, region) = self.caller.place();
        let alias = |name: &Option<String>| match name.as_deref() {
            Some(name) => alias_arn(account, region, name),
            None => "*".to_owned(),
        };
        let resource = match operation {
            Operation::CreateAlias(request) => alias(&request.alias_name),
            Operation::UpdateAlias(request) => alias(&request.alias_name),
            Operation::DeleteAlias(request) => alias(&request.alias_name),
            Operation::ListRetirableGrants(request) => {
                let principal = request.retiring_principal.as_deref();
                principal.unwrap_or("*").to_owned()
            }
            Operation::CreateKey(_)
            | Operation::ListKeys(_)
            | Operation::ListAliases(_)
            | Operation::GenerateRandom(_)
            | Operation::ConnectCustomKeyStore(_)
            | Operation::CreateCustomKeyStore(_)
            | Operation::DeleteCustomKeyStore(_)
            | Operation::DescribeCustomKeyStores(_)
            | Operation::DisconnectCustomKeyStore(_)
            | Operation::UpdateCustomKeyStore(_) => "*".to_owned(),
            _ => return Ok(()),
        };
        self.permit_as(self.caller, self.name.as_str(), &resource, &self.conditions)
    }

    /// Checks the caller's own policies for an action that is about no key that is there: what an operation does
    /// besides, such as tagging the key that it makes, or what it does in another Region.
    pub(crate) fn permit_as(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        conditions: &[Condition],
    ) -> Result<(), KmsError> {
        let (now, enforcement) = (self.now, self.kms.enforcement());
        authorize::permit_account(caller, action, resource, conditions, now, enforcement)
    }

    /// Checks whether the caller may do the same with a related key, which is in another Region.
    pub(crate) fn permit_related(&mut self, key: Arc<Key>) -> Result<(), KmsError> {
        self.record.key(&key);
        let caller = self.caller.in_region(key.region());
        let intent: Intent<'_, Management> = self.intent(&caller, self.name.as_str());
        authorize::permit(&intent, key, &self.kms.keys, self.kms.enforcement()).map(drop)
    }

    /// Checks whether the caller may retire a grant of that key.
    pub(crate) fn permit_retiring(&self, key: &Key, grant: &Grant) -> Result<(), KmsError> {
        let intent = self.intent(self.caller, self.name.as_str());
        let (keys, enforcement) = (&self.kms.keys, self.kms.enforcement());
        authorize::permit_retiring(&intent, grant, key, keys, enforcement)
    }

    /// That a caller does an action, named by no alias and under no encryption context.
    fn intent<'c, P>(&'c self, caller: &'c Caller, action: &'c str) -> Intent<'c, P> {
        Intent {
            caller,
            action,
            for_any_account: self.name.is_for_any_account(),
            purpose: PhantomData,
            context: None,
            alias: None,
            new_grant: self.new_grant.as_ref(),
            conditions: &self.conditions,
            now: self.now,
        }
    }

    /// Charges the operation's quota, once for each call.
    pub(crate) fn charge(&mut self, key_spec: Option<&str>) -> Result<(), KmsError> {
        if self.charged {
            return Ok(());
        }
        self.charged = true;
        let Some(class) = Class::for_operation(self.name.as_str(), key_spec) else {
            return Ok(());
        };
        Ok(self
            .kms
            .quotas
            .charge(&self.caller.account, &self.caller.region, class)?)
    }

    /// A key in a custom key store is charged to the store's quota as well.
    fn charge_key_store(&self, key: &Key) -> Result<(), KmsError> {
        let snapshot = key.snapshot();
        let Some(link) = snapshot.record.key_store.as_ref() else {
            return Ok(());
        };
        let class = match link.cluster {
            Some(_) => Class::KeyStoreCloudHsm,
            None => Class::KeyStoreExternal,
        };
        Ok(self.kms.quotas.charge_key_store(&link.id, class)?)
    }

    /// The key that a caller's text names, without any permission to use it.
    pub(crate) fn resolve(&self, reference: &str, by: By) -> Result<Arc<Key>, KmsError> {
        reference::resolve(&self.kms.keys, self.caller, self.now, reference, by)
    }

    /// Lets the operation through if the key's state does. Where a key is changed, it is looked at while the change is
    /// made, so that no other change comes between.
    pub(crate) fn check_state(&self, key: &Key, group: Group) -> Result<(), KmsError> {
        self.kms.keys.state(key, self.now).check(group, key.arn())
    }

    /// Lets cryptography through if the key's state and usage do.
    pub(crate) fn check_use(
        &self,
        permit: &Permitted<Cryptography>,
        usage: KeyUsage,
    ) -> Result<(), KmsError> {
        let key = permit.key();
        let record = &permit.snapshot().record;
        self.check_state(key, Group::Use)?;
        if record.usage == usage {
            return Ok(());
        }
        Err(KmsError::new(
            Code::InvalidKeyUsageException,
            format!(
                "{} key usage is {} which is not valid for {}.",
                key.arn(),
                record.usage.as_str(),
                self.name
            ),
        ))
    }

    /// Ends a dry run that got this far.
    pub(crate) fn end_dry_run(&self, dry_run: Option<bool>) -> Result<(), KmsError> {
        if dry_run != Some(true) {
            return Ok(());
        }
        Err(KmsError::new(
            Code::DryRunOperationException,
            "The request would have succeeded, but the DryRun option is set.",
        ))
    }

    /// Notes that the key was used, for GetKeyLastUsage.
    pub(crate) fn note_use(&self, key: &Key) {
        key.note_use(Use {
            operation: self.name.as_str(),
            at_ms: self.now.unix_millis(),
            request_id: Arc::clone(&self.caller.request_id),
            event_id: self.record.event_id(),
        });
    }

    /// Takes the encryption context into the audit trail, and refuses one that is too large.
    pub(crate) fn context(&mut self, context: &BTreeMap<String, String>) -> Result<(), KmsError> {
        self.context_as("encryptionContext", context)
    }

    /// As [`Call::context`], for an operation with two contexts.
    pub(crate) fn context_as(
        &mut self,
        name: &'static str,
        context: &BTreeMap<String, String>,
    ) -> Result<(), KmsError> {
        if context.is_empty() {
            return Ok(());
        }
        self.record.parameter(name, context);
        if encryption_context::bytes(context) <= encryption_context::BYTES_MAX {
            return Ok(());
        }
        Err(KmsError::validation(format!(
            "The encryption context must not be longer than {} bytes.",
            encryption_context::BYTES_MAX
        )))
    }
}

/// The origin of a key's material rules the operation out.
pub(crate) fn wrong_origin(key: &Key, origin: Origin) -> KmsError {
    KmsError::new(
        Code::UnsupportedOperationException,
        format!(
            "{} origin is {} which is not valid for this operation.",
            key.arn(),
            origin.as_str()
        ),
    )
}

/// The operation is for primary keys only.
pub(crate) fn not_primary(key: &Key) -> KmsError {
    KmsError::new(
        Code::UnsupportedOperationException,
        format!("{} is not a multi-region primary key.", key.arn()),
    )
}
