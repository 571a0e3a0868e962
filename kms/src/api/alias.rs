//! Aliases: names of keys that may move from key to key.

use std::sync::Arc;

use proto::kms::v1;

use crate::api::Call;
use crate::api::call::By;
use crate::api::call::alias_arn;
use crate::api::call::no_such_alias;
use crate::api::key::Draft;
use crate::api::key::fresh_id;
use crate::api::key::seconds;
use crate::api::page;
use crate::api::page::Limits;
use crate::api::violations;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Alias;
use crate::keys::key::Key;
use crate::keys::key::default_policy;
use crate::keys::metadata::KeySpec;
use crate::keys::metadata::KeyUsage;
use crate::keys::metadata::Manager;
use crate::keys::metadata::Origin;
use crate::keys::state::Group;

/// Gives a key a second name.
pub(crate) fn create(
    call: &mut Call<'_>,
    request: v1::CreateAliasRequest,
) -> Result<v1::CreateAliasResponse, KmsError> {
    call.parameter_text("aliasName", request.alias_name.as_deref());
    call.parameter_text("targetKeyId", request.target_key_id.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    check_target(request.target_key_id.as_deref())?;
    let permit = call.key(request.target_key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_own(call, key)?;
    call.check_state(key, Group::Describe)?;
    let Caller {
        account, region, ..
    } = call.caller;
    let of_key = call.kms.keys.aliases(account, region, call.now);
    if of_key
        .iter()
        .filter(|(_, alias)| *alias.key_id == **key.id())
        .count()
        >= ALIASES_MAX
    {
        let text = format!(
            "{} has reached the limit of {ALIASES_MAX} aliases.",
            key.arn()
        );
        return Err(KmsError::new(Code::LimitExceededException, text));
    }
    put(call, name, key, |present| match present {
        None => Ok(()),
        Some(_) => Err(KmsError::new(
            Code::AlreadyExistsException,
            format!(
                "An alias with the name {} already exists",
                alias_arn(account, region, name)
            ),
        )),
    })?;
    Ok(v1::CreateAliasResponse {})
}

/// Moves an alias to another key.
pub(crate) fn update(
    call: &mut Call<'_>,
    request: v1::UpdateAliasRequest,
) -> Result<v1::UpdateAliasResponse, KmsError> {
    call.parameter_text("aliasName", request.alias_name.as_deref());
    call.parameter_text("targetKeyId", request.target_key_id.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    check_target(request.target_key_id.as_deref())?;
    let Caller {
        account, region, ..
    } = call.caller;
    let missing = || no_such_alias(&alias_arn(account, region, name));
    let permit = call.key(request.target_key_id.as_deref(), By::Id)?;
    let key = permit.key();
    check_own(call, key)?;
    call.check_state(key, Group::Describe)?;
    let present = call
        .kms
        .keys
        .alias(account, region, name, call.now)
        .ok_or_else(missing)?;
    if let Some(old) = call
        .kms
        .keys
        .find(account, region, &present.key_id, call.now)
    {
        check_alike(&old, key)?;
        call.key(Some(old.id()), By::Id)?;
    }
    put(call, name, key, |present| {
        present.map_or_else(|| Err(missing()), |_| Ok(()))
    })?;
    Ok(v1::UpdateAliasResponse {})
}

/// Takes a name from a key.
pub(crate) fn delete(
    call: &mut Call<'_>,
    request: v1::DeleteAliasRequest,
) -> Result<v1::DeleteAliasResponse, KmsError> {
    call.parameter_text("aliasName", request.alias_name.as_deref());
    violations::check(&request)?;
    let name = request.alias_name.as_deref().unwrap_or_default();
    check_name(name)?;
    call.key(Some(name), By::Alias)?;
    let Caller {
        account, region, ..
    } = call.caller;
    call.kms
        .keys
        .change_alias(account, region, name, call.now, |present| match present {
            Some(_) => Ok(None),
            None => Err(no_such_alias(&alias_arn(account, region, name))),
        })?;
    Ok(v1::DeleteAliasResponse {})
}

/// Lists the aliases of the caller's account in the Region called, or those of one key.
pub(crate) fn list(
    call: &mut Call<'_>,
    request: v1::ListAliasesRequest,
) -> Result<v1::ListAliasesResponse, KmsError> {
    call.parameter_text("keyId", request.key_id.as_deref());
    violations::check(&request)?;
    call.charge(None)?;
    let key = match request.key_id.as_deref() {
        Some(key_id) => Some(Arc::clone(call.key(Some(key_id), By::Id)?.key())),
        None => None,
    };
    let Caller {
        account, region, ..
    } = call.caller;
    let mut aliases = call.kms.keys.aliases(account, region, call.now);
    aliases.retain(|(name, alias)| {
        key.as_ref().is_none_or(|key| *alias.key_id == **key.id()) && &**name != SSE_S3_ALIAS
    });
    let limits = Limits {
        default: 50,
        most: 100,
    };
    let marker = request.marker.as_deref();
    let page = page::page(aliases, |(name, _)| name, marker, request.limit, limits)?;
    let entry = |(name, alias): (Arc<str>, Alias)| v1::AliasListEntry {
        alias_arn: Some(alias_arn(account, region, &name)),
        alias_name: Some(name.to_string()),
        target_key_id: Some(alias.key_id),
        creation_date: Some(seconds(alias.created_ms)),
        last_updated_date: Some(seconds(alias.updated_ms)),
    };
    Ok(v1::ListAliasesResponse {
        aliases: page.items.into_iter().map(entry).collect(),
        next_marker: page.next_marker,
        truncated: Some(page.truncated),
    })
}

fn put(
    call: &Call<'_>,
    name: &str,
    key: &Key,
    check: impl FnOnce(Option<&Alias>) -> Result<(), KmsError>,
) -> Result<(), KmsError> {
    let Caller {
        account, region, ..
    } = call.caller;
    let now_ms = call.now.unix_millis();
    call.kms
        .keys
        .change_alias(account, region, name, call.now, |present| {
            check(present.as_ref())?;
            let created_ms = present.map_or(now_ms, |alias| alias.created_ms);
            Ok(Some(Alias {
                key_id: key.id().to_string(),
                created_ms,
                updated_ms: now_ms,
            }))
        })
}

/// An alias names a key, never another alias.
fn check_target(target: Option<&str>) -> Result<(), KmsError> {
    if target.is_some_and(|target| target.starts_with("alias/") || target.contains(":alias/")) {
        return Err(KmsError::validation(
            "Aliases must refer to keys. Not aliases",
        ));
    }
    Ok(())
}

/// Whether clients may make and change aliases of that name.
pub(crate) fn check_name(name: &str) -> Result<(), KmsError> {
    let Some(rest) = name.strip_prefix("alias/").filter(|rest| !rest.is_empty()) else {
        return Err(KmsError::validation(
            "Alias must start with the prefix \"alias/\". Please see \
             https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
        ));
    };
    if rest.starts_with("aws/") || name == SSE_S3_ALIAS {
        return Err(KmsError::new(Code::NotAuthorizedException, ""));
    }
    if rest.contains(':') {
        return Err(KmsError::validation(format!(
            "{name} contains invalid characters for an alias"
        )));
    }
    Ok(())
}

/// An alias names a key of its own account.
fn check_own(call: &Call<'_>, key: &Key) -> Result<(), KmsError> {
    if *call.caller.account == **key.account() {
        return Ok(());
    }
    Err(KmsError::not_found(format!(
        "Key '{}' does not exist",
        key.arn()
    )))
}

/// An alias moves only between keys of the same kind.
fn check_alike(old: &Key, new: &Key) -> Result<(), KmsError> {
    let (old, new) = (old.snapshot(), new.snapshot());
    let alike = old.record.usage == new.record.usage
        && old.record.spec.is_symmetric() == new.record.spec.is_symmetric();
    if alike {
        return Ok(());
    }
    Err(KmsError::validation(format!(
        "Alias cannot be moved from a key with KeySpec {} and KeyUsage {} to a key with KeySpec {} \
         and KeyUsage {}",
        old.record.spec.as_str(),
        old.record.usage.as_str(),
        new.record.spec.as_str(),
        new.record.usage.as_str()
    )))
}

impl Call<'_> {
    /// Makes the key that an AWS service uses in this account and Region, if `name` is the alias
    /// of such a key. Services' keys are made when they are first used.
    pub(crate) fn make_service_key(&self, name: &str) -> Result<Option<Arc<Key>>, KmsError> {
        let (manager, description) = if name == SSE_S3_ALIAS && self.caller.is_s3_itself() {
            (
                Manager::AwsOwned,
                "Wraps the root keys of SSE-S3".to_owned(),
            )
        } else if let Some(service) = name.strip_prefix("alias/aws/")
            && SERVICES.contains(&service)
        {
            let what = "Default key that protects my data when no other key is defined";
            (Manager::Aws, format!("{what} ({service})"))
        } else {
            return Ok(None);
        };
        let draft = Draft {
            key_id: fresh_id(false),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            multi_region: false,
            key_store: None,
            manager,
            description,
            policy: default_policy(self.caller.partition(), &self.caller.account),
            tags: Vec::new(),
        };
        let key = draft.make(self)?;
        let made = put(self, name, &key, |present| match present {
            None => Ok(()),
            Some(_) => Err(KmsError::new(Code::AlreadyExistsException, "")),
        });
        if made.is_ok() {
            return Ok(Some(key));
        }
        // Another call was faster: its key has the alias, ours is not needed.
        let Caller {
            account, region, ..
        } = self.caller;
        self.kms.keys.change(&key, |record| {
            record.deletion_ms = Some(self.now.unix_millis());
            Ok(())
        })?;
        let alias = self.kms.keys.alias(account, region, name, self.now);
        Ok(alias.and_then(|alias| self.kms.keys.find(account, region, &alias.key_id, self.now)))
    }
}

/// Alias of the AWS-owned key under which the gateway wraps the root keys of SSE-S3.
pub(crate) const SSE_S3_ALIAS: &str = "alias/sealgate/sse-s3";

/// Services that have a key of their own in each account.
///
/// Source: <https://docs.aws.amazon.com/kms/latest/developerguide/aws-managed-policies.html>
const SERVICES: &[&str] = &[
    "acm",
    "backup",
    "codecommit",
    "connect",
    "dms",
    "dynamodb",
    "ebs",
    "elasticfilesystem",
    "es",
    "fsx",
    "glue",
    "kafka",
    "kinesis",
    "kinesisvideo",
    "lambda",
    "lightsail",
    "rds",
    "redshift",
    "s3",
    "secretsmanager",
    "ses",
    "sns",
    "sqs",
    "ssm",
    "workspaces",
    "xray",
];

/// Most aliases of a key.
const ALIASES_MAX: usize = 50;
