//! The keys that AWS services use in an account: made when they are first used.

use std::sync::Arc;

use proto::time::Timestamp;

use crate::api::draft::Draft;
use crate::api::draft::fresh_id;
use crate::caller::Caller;
use crate::error::Code;
use crate::error::KmsError;
use crate::keys::Keys;
use crate::keys::key::Key;
use crate::keys::metadata::Manager;

/// Makes the key that an AWS service uses in the caller's account and Region, if `name` is the alias
/// of such a key.
pub(crate) fn make(
    keys: &Keys,
    caller: &Caller,
    name: &str,
    now: Timestamp,
) -> Result<Option<Arc<Key>>, KmsError> {
    let (manager, description) = if name == SSE_S3_ALIAS && caller.is_s3_itself() {
        (
            Manager::AwsOwned,
            "Wraps the root keys of SSE-S3".to_owned(),
        )
    } else if let Some(service) = name.strip_prefix("alias/aws/")
        && SERVICES.contains(&service)
    {
        let description = match service {
            "s3" => {
                "Default key that protects my S3 objects when no other key is defined".to_owned()
            }
            _ => format!(
                "Default key that protects my data when no other key is defined ({service})"
            ),
        };
        (Manager::Aws, description)
    } else {
        return Ok(None);
    };
    let (account, region) = caller.place();
    let draft = Draft {
        manager,
        description,
        ..Draft::new(account, region, fresh_id(false))
    };
    let key = draft.make(keys, now)?;
    let made = keys.put_alias(name, &key, now, |present| match present {
        None => Ok(()),
        Some(_) => Err(KmsError::new(Code::AlreadyExistsException, "")),
    });
    if made.is_ok() {
        return Ok(Some(key));
    }
    // Another call was faster: its key has the alias, this one is not needed.
    keys.change(&key, |record| {
        record.deletion_ms = Some(now.unix_millis());
        Ok(())
    })?;
    let alias = keys.alias(account, region, name, now);
    Ok(alias.and_then(|alias| keys.find(account, region, &alias.key_id, now)))
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
