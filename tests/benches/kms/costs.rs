//! What a call costs without a protocol, and what of it the quota, the audit trail and the metrics
//! take: CPU time of all threads, so that what the audit trail's own thread does counts, too.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use kms::api::Operation;
use kms::api::OperationName;
use kms::caller::Caller;
use kms::metrics::Metrics;
use kms::metrics::Protocol;
use kms::quota::Class;
use kms::quota::Quotas;
use kms::server::Running;
use proto::audit::Audit;
use proto::audit::Category;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Identity;
use proto::audit::Resource;
use proto::audit::Source;
use proto::kms::v1;
use proto::time::Clock as _;
use proto::time::SystemClock;

use crate::request;

/// Prints what a call costs, and its parts.
pub async fn print(out: &mut impl Write, running: Running) -> anyhow::Result<()> {
    let caller = crate::caller()?;
    let create = Operation::CreateKey(v1::CreateKeyRequest::default());
    let answer = running.kms.call(&caller, create)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer.to_json())?;
    let arn = answer["KeyMetadata"]["Arn"]
        .as_str()
        .context("a key has an ARN")?;
    let request = request(arn);
    writeln!(out, "\nGenerateDataKey without a protocol: CPU us per call")?;
    let whole = per_call(|| {
        let operation = Operation::GenerateDataKey(request.clone());
        running.kms.call(&caller, operation).map(drop)
    })?;
    running.audit.flush();
    writeln!(out, "{:<34}{whole:>12.2}", "all of it")?;

    let quota = quota(&running.quotas, &caller)?;
    let audit = audit(&running.audit, &caller, arn)?;
    let metrics = metrics(&caller)?;
    for (name, cost) in [("quota", quota), ("audit", audit), ("metrics", metrics)] {
        writeln!(out, "  {name:<32}{cost:>12.2}")?;
    }
    let together = quota + audit + metrics;
    let verdict = if together <= GOAL { "ok" } else { "MISSED" };
    writeln!(
        out,
        "  {:<32}{together:>12.2}   at most {GOAL:.0}: {verdict}",
        "the three together"
    )?;
    running.stop().await;
    Ok(())
}

/// A charge.
fn quota(quotas: &Quotas, caller: &Caller) -> anyhow::Result<f64> {
    let class = Class::for_operation("GenerateDataKey", Some("SYMMETRIC_DEFAULT"));
    let class = class.context("the operation has a quota")?;
    per_call(|| quotas.charge(&caller.account, &caller.region, class))
}

/// An event, made as a call makes it, handed over, and stored.
fn audit(audit: &Audit, caller: &Caller, arn: &str) -> anyhow::Result<f64> {
    let arn: Arc<str> = arn.into();
    let cost = per_call(|| {
        let mut parameters = Fields::default();
        parameters.push("keyId", &&*arn);
        parameters.push("keySpec", &"AES_256");
        parameters.push(
            "encryptionContext",
            &serde_json::json!({ "aws:s3:arn": "arn:aws:s3:::demo/object" }),
        );
        let mut additional = Fields::default();
        additional.push("keyMaterialId", &MATERIAL_ID);
        audit.record(Event {
            service: Event::KMS,
            time: SystemClock.now(),
            name: "GenerateDataKey",
            category: Category::Management,
            read_only: true,
            region: caller.region.clone(),
            recipient_account: caller.account.clone(),
            identity: Identity::from(caller),
            source: Source::from(caller),
            user_agent: Arc::from(""),
            request_parameters: parameters,
            response_elements: Fields::default(),
            additional,
            request_id: Arc::clone(&caller.request_id),
            id: EventId::fresh(),
            resources: vec![Resource::new(
                Event::KEY,
                Arc::clone(&arn),
                Some(caller.account.clone()),
            )],
            error: None,
            shared_id: None,
            tls: None,
        });
        anyhow::Ok(())
    });
    audit.flush();
    cost
}

/// A count and a duration.
fn metrics(caller: &Caller) -> anyhow::Result<f64> {
    let metrics = Metrics::new();
    let name = OperationName::GenerateDataKey;
    let took = Duration::from_micros(10);
    let mut calls = 0_u32;
    per_call(|| {
        metrics.count(caller, Protocol::Json, name, None, took);
        calls += 1;
        // As the server does every few seconds.
        if calls.is_multiple_of(CALLS / 3) {
            metrics.tidy();
        }
        anyhow::Ok(())
    })
}

/// CPU time of this process for one of many calls, in microseconds.
fn per_call<E>(mut call: impl FnMut() -> Result<(), E>) -> anyhow::Result<f64>
where
    anyhow::Error: From<E>,
{
    let before = crate::cpu_us(std::process::id())?;
    for _ in 0..CALLS {
        call()?;
    }
    let used = u32::try_from(crate::cpu_us(std::process::id())? - before)?;
    Ok(f64::from(used) / f64::from(CALLS))
}

/// Enough for a second or so.
const CALLS: u32 = 300_000;

/// What the three may cost together, in microseconds.
const GOAL: f64 = 2.0;

const MATERIAL_ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
