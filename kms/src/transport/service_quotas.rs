//! The operations of AWS Service Quotas that read and raise KMS's request quotas.
//!
//! An increase is granted at once and holds for the account and Region that asked. Quotas whose
//! code is not known to us go by the name of their class.
//!
//! Source: <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html>

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use http::Request;
use http::header::HeaderMap;
use hyper::body::Incoming;
use proto::time::Clock as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::audit::EventId;
use crate::authenticate::Connection;
use crate::caller::Caller;
use crate::caller::partition;
use crate::error::KmsError;
use crate::quota::Adjustment;
use crate::quota::Quotas;
use crate::quota::Row;
use crate::transport::Core;
use crate::transport::json::read;

/// The increases that were asked for, so that they can be asked about.
pub(crate) type Increases = Mutex<Vec<Increase>>;

/// One increase that was asked for.
#[derive(Clone)]
pub(crate) struct Increase {
    account: Arc<str>,
    region: Arc<str>,
    told: Value,
}

/// Why a request failed: code and text.
pub(crate) struct Failure {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl From<KmsError> for Failure {
    fn from(error: KmsError) -> Self {
        Self {
            code: error.code().name(),
            message: error.message().to_owned(),
        }
    }
}

/// Members of all the requests served here.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Asked {
    service_code: Option<String>,
    quota_code: Option<String>,
    desired_value: Option<f64>,
    request_id: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

/// Whether the headers are for this service.
pub(crate) fn is_meant(headers: &HeaderMap) -> bool {
    headers
        .get("x-amz-target")
        .is_some_and(|target| target.as_bytes().starts_with(TARGET_PREFIX.as_bytes()))
}

/// Does one operation; its answer is the JSON body.
pub(crate) async fn answer(
    core: &Core,
    connection: &Connection,
    request_id: &Arc<str>,
    request: Request<Incoming>,
) -> Result<Value, Failure> {
    let (parts, body) = request.into_parts();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|value| value.to_str().ok());
    let operation = target.and_then(|target| target.strip_prefix(TARGET_PREFIX));
    let body = read(core, body).await?;
    let caller = core.authenticator.signed(
        &parts,
        &body,
        "servicequotas",
        connection,
        Arc::clone(request_id),
    )?;
    let asked: Asked = serde_json::from_slice(&body)
        .map_err(|_| failure("SerializationException", "The request is not valid JSON."))?;
    let view = View {
        quotas: &core.quotas,
        caller: &caller,
    };
    match operation.unwrap_or_default() {
        "ListServices" => Ok(json!({
            "Services": [{ "ServiceCode": SERVICE_CODE, "ServiceName": SERVICE_NAME }]
        })),
        "ListServiceQuotas" => view.list(&asked, false),
        "ListAWSDefaultServiceQuotas" => view.list(&asked, true),
        "GetServiceQuota" => Ok(json!({ "Quota": view.quota(view.row(&asked)?, false) })),
        "GetAWSDefaultServiceQuota" => Ok(json!({ "Quota": view.quota(view.row(&asked)?, true) })),
        "RequestServiceQuotaIncrease" => view.increase(&asked, &core.increases),
        "GetRequestedServiceQuotaChange" => view.requested(&asked, &core.increases),
        "ListRequestedServiceQuotaChangeHistory" => Ok(json!({
            "RequestedQuotas": view.history(&core.increases)
        })),
        _ => Err(failure("UnknownOperationException", "")),
    }
}

/// The quotas as one caller sees them.
struct View<'a> {
    quotas: &'a Quotas,
    caller: &'a Caller,
}

impl View<'_> {
    /// A page of the quotas, those in force or AWS's defaults.
    fn list(&self, asked: &Asked, defaults: bool) -> Result<Value, Failure> {
        self.check_service(asked)?;
        let profile = self.quotas.profile();
        let start = match asked.next_token.as_deref().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(start)) => start,
            Some(Err(_)) => {
                return Err(failure("InvalidPaginationTokenException", "Invalid token."));
            }
        };
        let count = asked.max_results.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS);
        let listed: Vec<&Row> = profile.rows().iter().filter(|row| row.listed).collect();
        let page = listed.iter().skip(start).take(count);
        let page: Vec<Value> = page
            .map(|row| self.quota((*row).clone(), defaults))
            .collect();
        let end = start + page.len();
        let mut answer = json!({ "Quotas": page });
        if let Some(map) = answer.as_object_mut().filter(|_| end < listed.len()) {
            map.insert("NextToken".to_owned(), end.to_string().into());
        }

        Ok(answer)
    }

    /// Raises a quota for the caller's account and Region.
    fn increase(&self, asked: &Asked, increases: &Increases) -> Result<Value, Failure> {
        let row = self.row(asked)?;
        let desired = asked.desired_value.unwrap_or_default();
        let Caller {
            account, region, ..
        } = self.caller;
        let current = self.quotas.rate(account, region, row.class).as_per_second();
        if !row.adjustable {
            let text = format!("The quota {} is not adjustable.", row.name);
            return Err(failure("IllegalArgumentException", text));
        }

        if desired <= current {
            let text = format!(
                "You must provide a quota value greater than the current quota value of {current}"
            );
            return Err(failure("IllegalArgumentException", text));
        }

        let adjustment = Adjustment {
            class: row.class.name().to_owned(),
            account: Some(account.to_string()),
            region: Some(region.to_string()),
            rate: desired,
        };
        let adjusted = self.quotas.adjust(adjustment);
        adjusted.map_err(|error| failure("IllegalArgumentException", error.to_string()))?;
        let now = proto::time::SystemClock.now().unix_seconds_f64();
        let told = json!({
            "Id": EventId::fresh().to_string().replace('-', ""),
            "ServiceCode": SERVICE_CODE,
            "ServiceName": SERVICE_NAME,
            "QuotaCode": code(&row),
            "QuotaName": row.name,
            "QuotaArn": self.arn(&row),
            "DesiredValue": desired,
            "Status": "APPROVED",
            "Created": now,
            "LastUpdated": now,
            "Requester": json!({ "accountId": &**account, "callerArn": &*self.caller.principal_arn })
                .to_string(),
            "GlobalQuota": false,
            "Unit": "None",
            "QuotaRequestedAtLevel": "ACCOUNT",
        });
        let mut increases = increases.lock().unwrap_or_else(PoisonError::into_inner);
        if increases.len() >= INCREASES_KEPT_MAX {
            increases.remove(0);
        }

        increases.push(Increase {
            account: Arc::clone(account),
            region: Arc::clone(region),
            told: told.clone(),
        });
        Ok(json!({ "RequestedQuota": told }))
    }

    /// One increase that was asked for.
    fn requested(&self, asked: &Asked, increases: &Increases) -> Result<Value, Failure> {
        let wanted = asked.request_id.as_deref();
        let told = self
            .history(increases)
            .into_iter()
            .find(|told| told.get("Id").and_then(Value::as_str) == wanted);
        told.map(|told| json!({ "RequestedQuota": told }))
            .ok_or_else(|| failure(NO_SUCH_RESOURCE, "The request does not exist."))
    }

    /// The caller's increases.
    fn history(&self, increases: &Increases) -> Vec<Value> {
        let increases = increases.lock().unwrap_or_else(PoisonError::into_inner);
        let Caller {
            account, region, ..
        } = self.caller;
        let mine = |one: &&Increase| one.account == *account && one.region == *region;
        increases
            .iter()
            .filter(mine)
            .map(|increase| increase.told.clone())
            .collect()
    }

    /// The row of the quota that the request names.
    fn row(&self, asked: &Asked) -> Result<Row, Failure> {
        self.check_service(asked)?;
        let wanted = asked.quota_code.as_deref().unwrap_or_default();
        let profile = self.quotas.profile();
        let mut rows = profile.rows().iter().filter(|row| row.listed);
        let row = rows.find(|row| code(row) == wanted || row.class.name() == wanted);
        row.cloned()
            .ok_or_else(|| failure(NO_SUCH_RESOURCE, "The quota does not exist."))
    }

    /// Only KMS's quotas are here.
    fn check_service(&self, asked: &Asked) -> Result<(), Failure> {
        if asked.service_code.as_deref() == Some(SERVICE_CODE) {
            return Ok(());
        }

        Err(failure(
            NO_SUCH_RESOURCE,
            "The request failed because the specified service does not exist.",
        ))
    }

    /// A quota as Service Quotas tells it.
    fn quota(&self, row: Row, default: bool) -> Value {
        let Caller {
            account, region, ..
        } = self.caller;
        let rate = if default {
            row.rate_in(region)
        } else {
            self.quotas.rate(account, region, row.class)
        };
        json!({
            "ServiceCode": SERVICE_CODE,
            "ServiceName": SERVICE_NAME,
            "QuotaArn": self.arn(&row),
            "QuotaCode": code(&row),
            "QuotaName": row.name,
            "Value": rate.as_per_second(),
            "Unit": "None",
            "Adjustable": row.adjustable,
            "GlobalQuota": false,
            "UsageMetric": {
                "MetricNamespace": "AWS/Usage",
                "MetricName": "CallCount",
                "MetricDimensions": {
                    "Class": "None",
                    "Resource": row.class.name(),
                    "Service": "KMS",
                    "Type": "API",
                },
                "MetricStatisticRecommendation": "Sum",
            },
            "Period": { "PeriodValue": 1, "PeriodUnit": "SECOND" },
            "QuotaAppliedAtLevel": "ACCOUNT",
        })
    }

    /// The quota's ARN.
    fn arn(&self, row: &Row) -> String {
        let Caller {
            account, region, ..
        } = self.caller;
        let partition = partition(region);
        format!(
            "arn:{partition}:servicequotas:{region}:{account}:{SERVICE_CODE}/{}",
            code(row)
        )
    }
}

/// The quota's code, or its class where the code is not known.
fn code(row: &Row) -> &str {
    row.code.as_deref().unwrap_or_else(|| row.class.name())
}

/// A failure of this service.
fn failure(code: &'static str, message: impl Into<String>) -> Failure {
    Failure {
        code,
        message: message.into(),
    }
}

/// What stands before the operation's name.
const TARGET_PREFIX: &str = "ServiceQuotasV20190624.";

/// The one service whose quotas are here.
const SERVICE_CODE: &str = "kms";

/// Its name in Service Quotas.
const SERVICE_NAME: &str = "AWS Key Management Service (AWS KMS)";

/// Service Quotas' code for what is not there.
const NO_SUCH_RESOURCE: &str = "NoSuchResourceException";

/// Increases that can still be asked about.
const INCREASES_KEPT_MAX: usize = 1_000;

/// Quotas on one page.
const PAGE_ROWS: usize = 100;
