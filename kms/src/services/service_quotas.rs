//! The operations of AWS Service Quotas that read and raise KMS's request quotas.
//!
//! An increase is granted at once, for the account and Region of the request. A quota whose code is
//! not published has the name of its class in its place.
//!
//! Source: <https://docs.aws.amazon.com/servicequotas/2019-06-24/apireference/Welcome.html>

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use proto::audit::EventId;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::time::Clock as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use crate::caller::Caller;
use crate::error::KmsError;
use crate::quota::Adjustment;
use crate::quota::Quotas;
use crate::quota::Row;

/// KMS's request quotas, and the increases that were requested.
pub struct ServiceQuotas {
    quotas: Arc<Quotas>,
    increases: Increases,
}

type Increases = Mutex<Vec<Increase>>;

/// One increase that was requested.
#[derive(Clone)]
struct Increase {
    account: AccountId,
    region: Region,
    description: Value,
}

/// Why a request failed: code and text.
pub struct Failure {
    /// AWS's exception.
    pub code: &'static str,
    /// AWS's text.
    pub message: String,
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
struct QuotaRequest {
    service_code: Option<String>,
    quota_code: Option<String>,
    desired_value: Option<f64>,
    request_id: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

impl ServiceQuotas {
    /// No increases were requested yet.
    #[must_use]
    pub fn new(quotas: Arc<Quotas>) -> Self {
        Self {
            quotas,
            increases: Increases::default(),
        }
    }

    /// Does one operation for an authenticated caller; its answer is the JSON body.
    ///
    /// `operation` is the value of `X-Amz-Target` without [`TARGET_PREFIX`].
    ///
    /// # Errors
    ///
    /// [`Failure`]: one of the service's exceptions.
    pub fn respond(&self, caller: &Caller, operation: &str, body: &[u8]) -> Result<Value, Failure> {
        let request: QuotaRequest = serde_json::from_slice(body)
            .map_err(|_| failure("SerializationException", "The request is not valid JSON."))?;
        let quotas = &self.quotas;
        let view = View { quotas, caller };
        let increases = &self.increases;
        match operation {
            "ListServices" => Ok(json!({
                "Services": [{ "ServiceCode": SERVICE_CODE, "ServiceName": SERVICE_NAME }]
            })),
            "ListServiceQuotas" => view.list(&request, false),
            "ListAWSDefaultServiceQuotas" => view.list(&request, true),
            "GetServiceQuota" => Ok(json!({ "Quota": view.quota(view.row(&request)?, false) })),
            "GetAWSDefaultServiceQuota" => {
                Ok(json!({ "Quota": view.quota(view.row(&request)?, true) }))
            }
            "RequestServiceQuotaIncrease" => view.increase(&request, increases),
            "GetRequestedServiceQuotaChange" => view.requested(&request, increases),
            "ListRequestedServiceQuotaChangeHistory" => Ok(json!({
                "RequestedQuotas": view.history(increases)
            })),
            _ => Err(failure("UnknownOperationException", "")),
        }
    }
}

/// The quotas as one caller sees them.
struct View<'a> {
    quotas: &'a Quotas,
    caller: &'a Caller,
}

impl View<'_> {
    /// A page of the quotas, those in force or AWS's defaults.
    fn list(&self, request: &QuotaRequest, defaults: bool) -> Result<Value, Failure> {
        self.check_service(request)?;
        let profile = self.quotas.profile();
        let start = match request.next_token.as_deref().map(str::parse::<usize>) {
            None => 0,
            Some(Ok(start)) => start,
            Some(Err(_)) => {
                return Err(failure("InvalidPaginationTokenException", "Invalid token."));
            }
        };
        let count = request.max_results.unwrap_or(PAGE_ROWS).clamp(1, PAGE_ROWS);
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
    fn increase(&self, request: &QuotaRequest, increases: &Increases) -> Result<Value, Failure> {
        let row = self.row(request)?;
        let desired = request.desired_value.unwrap_or_default();
        let (account, region) = self.caller.place();
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
            class: row.class,
            account: Some(account.clone()),
            region: Some(region.clone()),
            rate: desired,
        };
        let adjusted = self.quotas.adjust(adjustment);
        adjusted.map_err(|error| failure("IllegalArgumentException", error.to_string()))?;
        let now = proto::time::SystemClock.now().unix_seconds_f64();
        let description = json!({
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
            "Requester": json!({ "accountId": account, "callerArn": &*self.caller.principal_arn })
                .to_string(),
            "GlobalQuota": false,
            "Unit": "None",
            "QuotaRequestedAtLevel": "ACCOUNT",
        });
        let mut increases = increases.lock().unwrap_or_else(PoisonError::into_inner);
        if increases.len() >= INCREASES_MAX {
            increases.remove(0);
        }

        increases.push(Increase {
            account: account.clone(),
            region: region.clone(),
            description: description.clone(),
        });
        Ok(json!({ "RequestedQuota": description }))
    }

    /// One increase that was requested.
    fn requested(&self, request: &QuotaRequest, increases: &Increases) -> Result<Value, Failure> {
        let wanted = request.request_id.as_deref();
        let found = self
            .history(increases)
            .into_iter()
            .find(|description| description.get("Id").and_then(Value::as_str) == wanted);
        found
            .map(|description| json!({ "RequestedQuota": description }))
            .ok_or_else(|| failure(NO_SUCH_RESOURCE, "The request does not exist."))
    }

    /// The caller's increases.
    fn history(&self, increases: &Increases) -> Vec<Value> {
        let increases = increases.lock().unwrap_or_else(PoisonError::into_inner);
        let (account, region) = self.caller.place();
        let mine = |one: &&Increase| one.account == *account && one.region == *region;
        increases
            .iter()
            .filter(mine)
            .map(|increase| increase.description.clone())
            .collect()
    }

    /// The row of the quota that the request names.
    fn row(&self, request: &QuotaRequest) -> Result<Row, Failure> {
        self.check_service(request)?;
        let wanted = request.quota_code.as_deref().unwrap_or_default();
        let profile = self.quotas.profile();
        let mut rows = profile.rows().iter().filter(|row| row.listed);
        let row = rows.find(|row| code(row) == wanted || row.class.name() == wanted);
        row.cloned()
            .ok_or_else(|| failure(NO_SUCH_RESOURCE, "The quota does not exist."))
    }

    /// Only KMS's quotas are here.
    fn check_service(&self, request: &QuotaRequest) -> Result<(), Failure> {
        if request.service_code.as_deref() == Some(SERVICE_CODE) {
            return Ok(());
        }

        Err(failure(
            NO_SUCH_RESOURCE,
            "The request failed because the specified service does not exist.",
        ))
    }

    /// A quota as Service Quotas describes it.
    fn quota(&self, row: Row, default: bool) -> Value {
        let (account, region) = self.caller.place();
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
        let (account, region) = self.caller.place();
        let partition = region.partition();
        format!(
            "arn:{partition}:servicequotas:{region}:{account}:{SERVICE_CODE}/{}",
            code(row)
        )
    }
}

/// The quota's code, or its class where the code is not published.
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

/// What stands before the operation's name in `X-Amz-Target`.
pub const TARGET_PREFIX: &str = "ServiceQuotasV20190624.";

/// The one service whose quotas are here.
const SERVICE_CODE: &str = "kms";

/// Its name in Service Quotas.
const SERVICE_NAME: &str = "AWS Key Management Service (AWS KMS)";

/// Service Quotas' code for what is not there.
const NO_SUCH_RESOURCE: &str = "NoSuchResourceException";

/// Increases that are stored.
const INCREASES_MAX: usize = 1_000;

/// Quotas on one page.
const PAGE_ROWS: usize = 100;
