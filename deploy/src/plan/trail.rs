//! Who used the quota, from CloudTrail records: the peaks of seconds, and what Bucket Keys would have
//! saved.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Context as _;
use proto::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

/// What records show.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// Records of KMS calls.
    pub(super) calls: u64,
    /// Other records, and such as have no time.
    skipped: u64,
    /// Calls that were throttled.
    pub(super) throttled: u64,
    /// The busiest second, and the calls in it.
    pub(super) peak_second: Option<(String, u64)>,
    /// The busiest minute in calls a second: what CloudWatch shows.
    pub(super) peak_minute_per_s: f64,
    /// Calls and the most in one second, by what made them.
    pub(super) by: BTreeMap<&'static str, Vec<Share>>,
    /// Calls that S3 made for SSE-KMS without a Bucket Key.
    pub(super) s3_calls: u64,
    /// Calls that would remain of these with Bucket Keys.
    pub(super) with_bucket_keys: u64,
}

/// Calls of one operation, principal, key, bucket or service.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    /// The name of what made them.
    pub(super) name: String,
    /// Its calls.
    pub(super) calls: u64,
    /// The most in one second.
    pub(super) peak_second: u64,
}

/// A KMS call in a record.
struct Call {
    unix_s: i64,
    names: [(&'static str, String); 5],
    throttled: bool,
    /// Requester, bucket and key, if S3 made it for an object.
    for_object: Option<(String, String, String)>,
}

impl Report {
    /// Reads records of files: `{"Records": [...]}`, or one record a line.
    pub(super) fn read(files: &[String], bucket_key_lifetime: Duration) -> anyhow::Result<Self> {
        let mut calls = Vec::new();
        let mut report = Self::default();
        for text in files {
            for record in records(text)? {
                match Call::read(&record) {
                    Some(call) => calls.push(call),
                    None => report.skipped += 1,
                }
            }
        }
        report.calls = calls.len() as u64;
        report.throttled = calls.iter().filter(|call| call.throttled).count() as u64;
        report.peaks(&calls);
        report.shares(&calls);
        report.savings(&calls, bucket_key_lifetime);
        Ok(report)
    }

    fn peaks(&mut self, calls: &[Call]) {
        let mut seconds: BTreeMap<i64, u64> = BTreeMap::new();
        let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
        for call in calls {
            *seconds.entry(call.unix_s).or_default() += 1;
            *minutes.entry(call.unix_s.div_euclid(60)).or_default() += 1;
        }
        let busiest = seconds.iter().max_by_key(|(_, calls)| **calls);
        self.peak_second = busiest
            .map(|(second, calls)| (Timestamp::from_unix_seconds(*second).iso8601(), *calls));
        let minute = minutes.values().max().copied().unwrap_or_default();
        self.peak_minute_per_s = minute as f64 / 60.0;
    }

    fn shares(&mut self, calls: &[Call]) {
        let mut seconds: BTreeMap<(&'static str, &str), BTreeMap<i64, u64>> = BTreeMap::new();
        for call in calls {
            for (kind, name) in call.names.iter().filter(|(_, name)| !name.is_empty()) {
                let counts = seconds.entry((*kind, name.as_str())).or_default();
                *counts.entry(call.unix_s).or_default() += 1;
            }
        }
        for ((kind, name), counts) in seconds {
            self.by.entry(kind).or_default().push(Share {
                name: name.to_owned(),
                calls: counts.values().sum(),
                peak_second: counts.values().max().copied().unwrap_or_default(),
            });
        }
        for shares in self.by.values_mut() {
            shares.sort_by_key(|share| std::cmp::Reverse(share.calls));
            shares.truncate(SHARES_MAX);
        }
    }

    /// A Bucket Key is for a requester, a bucket and a KMS key, and is used for a while.
    fn savings(&mut self, calls: &[Call], lifetime: Duration) {
        let lifetime_s = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(1);
        let mut remaining = BTreeSet::new();
        for call in calls {
            if let Some(place) = &call.for_object {
                self.s3_calls += 1;
                remaining.insert((call.unix_s.div_euclid(lifetime_s), place));
            }
        }
        self.with_bucket_keys = remaining.len() as u64;
    }

    /// The report in words.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} KMS calls, {} throttled; {} other records",
            self.calls, self.throttled, self.skipped
        );
        if let Some((second, calls)) = &self.peak_second {
            let _ = write!(
                text,
                "\nbusiest second: {calls} calls at {second}; busiest minute: {:.1}/s, which CloudWatch shows",
                self.peak_minute_per_s
            );
        }
        for (kind, shares) in &self.by {
            let _ = write!(text, "\n\n{kind:<60}{:>10}{:>14}", "calls", "peak second");
            for share in shares {
                let (calls, peak) = (share.calls, share.peak_second);
                let _ = write!(text, "\n  {:<58}{calls:>10}{peak:>14}", share.name);
            }
        }
        if self.s3_calls > 0 {
            let saved = 1.0 - self.with_bucket_keys as f64 / self.s3_calls as f64;
            let _ = write!(
                text,
                "\n\nBucket Keys: S3 made {} of the calls for objects; about {} would remain ({:.1} % fewer), if \
                 what is read was written with Bucket Keys of few lifetimes",
                self.s3_calls,
                self.with_bucket_keys,
                saved * 100.0
            );
        }
        text
    }
}

/// The records of a text.
fn records(text: &str) -> anyhow::Result<Vec<Value>> {
    if let Ok(Value::Object(mut file)) = serde_json::from_str::<Value>(text)
        && let Some(Value::Array(records)) = file.remove("Records")
    {
        return Ok(records);
    }
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let record = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("line {} is no record", number + 1))
    };
    lines.map(record).collect()
}

impl Call {
    /// The KMS call of a record; none if it is another's.
    fn read(record: &Value) -> Option<Self> {
        let at = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let text = |pointer: &str| at(pointer).unwrap_or_default().to_owned();
        if at("/eventSource") != Some("kms.amazonaws.com") {
            return None;
        }
        let time = Timestamp::parse_iso8601(at("/eventTime")?).ok()?;
        let principal = text("/userIdentity/arn");
        let service = text("/userIdentity/invokedBy");
        let key = match at("/resources/0/ARN") {
            Some(arn) => arn.to_owned(),
            None => text("/requestParameters/keyId"),
        };
        let object = at("/requestParameters/encryptionContext/aws:s3:arn").unwrap_or_default();
        let name = object.strip_prefix("arn:aws:s3:::").unwrap_or(object);
        let bucket = name.split('/').next().unwrap_or_default().to_owned();
        // With a Bucket Key, the context is the bucket alone.
        let for_object = (name.contains('/') && service.starts_with("s3"))
            .then(|| (principal.clone(), bucket.clone(), key.clone()));
        Some(Self {
            unix_s: time.unix_seconds(),
            throttled: at("/errorCode") == Some("ThrottlingException"),
            for_object,
            names: [
                ("operation", text("/eventName")),
                ("principal", principal),
                ("key", key),
                ("bucket", bucket),
                ("service", service),
            ],
        })
    }
}

/// Most names of a kind that are reported.
const SHARES_MAX: usize = 10;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(second: u32, object: &str, principal: &str) -> Value {
        json!({
            "eventSource": "kms.amazonaws.com",
            "eventName": "GenerateDataKey",
            "eventTime": format!("2026-11-28T00:00:{second:02}Z"),
            "userIdentity": {"arn": principal, "invokedBy": "s3.us-east-1.amazonaws.com"},
            "requestParameters": {
                "keyId": "alias/demo",
                "encryptionContext": {"aws:s3:arn": format!("arn:aws:s3:::{object}")},
            },
        })
    }

    fn five() -> Vec<Value> {
        let mut records: Vec<_> = (0..3).map(|_| record(1, "logs/a", "arn:a")).collect();
        records.push(record(2, "data/b", "arn:b"));
        // Sealed under a Bucket Key already.
        records.push(record(2, "data", "arn:b"));
        records
    }

    #[test]
    fn records_show_who_used_the_quota_and_what_bucket_keys_would_save() {
        let mut records = five();
        records.push(json!({"eventSource": "s3.amazonaws.com"}));
        let file = json!({ "Records": records }).to_string();
        let report = Report::read(&[file], Duration::from_secs(300)).unwrap();
        assert_eq!((report.calls, report.skipped), (5, 1));
        assert_eq!(report.peak_second.as_ref().unwrap().1, 3);
        let buckets = &report.by["bucket"];
        assert_eq!((buckets[0].name.as_str(), buckets[0].calls), ("logs", 3));
        assert_eq!((report.s3_calls, report.with_bucket_keys), (4, 2));
        assert!(report.text().contains("50.0 % fewer"), "{}", report.text());
    }

    #[test]
    fn records_may_be_lines_and_a_line_that_is_none_is_named() {
        let lines: Vec<_> = five().iter().map(ToString::to_string).collect();
        let report = Report::read(&[lines.join("\n")], Duration::from_secs(300)).unwrap();
        assert_eq!(report.calls, 5);
        let error = Report::read(&["{}\nnone".to_owned()], Duration::from_secs(300)).unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
