//! A world with a bucket that logs, and its log as readers of logs parse it.

use std::sync::Arc;

use bytes::Bytes;
use gateway::access_log::delivery::Delivered;
use http::Method;
use http::Response;
use proto::time::ManualClock;
use proto::time::Timestamp;
use regex::Regex;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::signed::Draft;
use tests::world::Setup;
use tests::world::World;

/// A world whose clock stands still, with the bucket `src`, whose log goes to `dst` under `p/`, which lets the log
/// service write.
pub(crate) struct Logs {
    pub(crate) world: World,
    pub(crate) clock: Arc<ManualClock>,
}

/// A record, as Athena reads it.
#[derive(Clone, Debug)]
pub(crate) struct Record(pub(crate) Vec<String>);

impl Logs {
    pub(crate) async fn start() -> Self {
        Self::start_with(World::setup()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let logs = Self::empty(setup).await;
        for bucket in ["src", "dst"] {
            logs.put(bucket, "", "", "").await;
        }
        logs.allow("dst", &["src"]).await;
        logs.enable("src", "dst", "").await;
        logs
    }

    /// Without a bucket.
    pub(crate) async fn empty(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let world = setup.clock(Arc::clone(&clock)).start().await;
        Self { world, clock }
    }

    /// Lets the log service write the logs of `sources` into `target`.
    pub(crate) async fn allow(&self, target: &str, sources: &[&str]) {
        let sources = sources.iter().map(|it| format!("\"arn:aws:s3:::{it}\""));
        let sources = sources.collect::<Vec<_>>().join(",");
        let policy = policy(target, &sources, MAIN_ACCOUNT);
        self.put(target, "", "policy", &policy).await;
    }

    /// Switches the log of `source` on; `more` stands behind the prefix.
    pub(crate) async fn enable(&self, source: &str, target: &str, more: &str) {
        self.put(source, "", "logging", &enabled(target, more))
            .await;
    }

    /// Puts something, which must succeed.
    pub(crate) async fn put(&self, bucket: &str, key: &str, subresource: &str, body: &str) {
        let put = Draft::new(Method::PUT, bucket, key).body(body.to_owned());
        let put = match subresource {
            "" => put,
            name => put.query(name, ""),
        };
        let answer = self.world.send(put).await;
        assert!(
            answer.status().is_success(),
            "{bucket} {subresource}: {answer:?}"
        );
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Response<Bytes> {
        self.world.send(Draft::new(Method::GET, bucket, key)).await
    }

    pub(crate) async fn send_as(&self, access: &Access, draft: Draft) -> Response<Bytes> {
        let signed = draft.sign(access, self.world.now(), &self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    pub(crate) async fn anonymously(&self, draft: Draft) -> Response<Bytes> {
        let signed = draft.anonymous(&self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    pub(crate) async fn flush(&self) -> Delivered {
        self.world.gateway.flush_access_logs().await
    }

    /// The lines of all log objects in a bucket, after everything that waits was delivered.
    pub(crate) async fn lines(&self, target: &str) -> Vec<String> {
        self.flush().await;
        let mut lines = Vec::new();
        for key in self.world.backend.keys(target) {
            let answer = self.get(target, &key).await;
            assert_eq!(answer.status(), 200, "{answer:?}");
            let text = String::from_utf8(answer.body().to_vec()).unwrap();
            assert!(text.ends_with('\n'), "{text}");
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }

    /// The records in the log of `src`.
    pub(crate) async fn records(&self) -> Vec<Record> {
        let lines = self.lines("dst").await;
        lines.iter().map(|line| Record::parse(line)).collect()
    }

    /// The records of an operation.
    pub(crate) async fn records_of(&self, operation: &str) -> Vec<Record> {
        let mut records = self.records().await;
        records.retain(|record| record.operation() == operation);
        records
    }

    /// The one record of an operation.
    pub(crate) async fn record_of(&self, operation: &str) -> Record {
        let records = self.records_of(operation).await;
        assert_eq!(records.len(), 1, "{operation}: {:?}", self.records().await);
        records.into_iter().next().unwrap()
    }
}

impl Record {
    /// Reads a line as Athena does.
    pub(crate) fn parse(line: &str) -> Self {
        let athena = Regex::new(ATHENA).unwrap();
        let found = athena.captures(line);
        let found = found.unwrap_or_else(|| panic!("Athena does not read {line}"));
        let fields = found.iter().skip(1).map(|field| {
            let field = field.unwrap_or_else(|| panic!("fields are missing: {line}"));
            field.as_str().to_owned()
        });
        Self(fields.collect())
    }

    /// A field, by its number in AWS's documentation.
    pub(crate) fn field(&self, number: usize) -> &str {
        &self.0[number - 1]
    }

    pub(crate) fn operation(&self) -> &str {
        self.field(7)
    }

    pub(crate) fn number(&self, number: usize) -> u64 {
        let text = self.field(number);
        text.parse()
            .unwrap_or_else(|_| panic!("{number}: {self:?}"))
    }
}

/// A policy that lets the log service write into `target`.
pub(crate) fn policy(target: &str, sources: &str, account: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",
        "Principal":{{"Service":"logging.s3.amazonaws.com"}},"Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::{target}/p/*","Condition":{{"ArnLike":{{"aws:SourceArn":[{sources}]}},
        "StringEquals":{{"aws:SourceAccount":"{account}"}}}}}}]}}"#
    )
}

/// A configuration that sends the log to `target` under `p/`.
pub(crate) fn enabled(target: &str, more: &str) -> String {
    format!(
        "<BucketLoggingStatus xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LoggingEnabled>\
         <TargetBucket>{target}</TargetBucket><TargetPrefix>p/</TargetPrefix>{more}</LoggingEnabled>\
         </BucketLoggingStatus>"
    )
}

/// 2019-02-06T00:00:38Z.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_549_411_238);

/// The expression of the table that AWS documents for Athena, with nine fields at the end.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-s3-access-logs-to-identify-requests.html>
const ATHENA: &str = concat!(
    r#"^([^ ]*) ([^ ]*) \[(.*?)\] ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ("[^"]*"|-) (-|[0-9]*) "#,
    r#"([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ("[^"]*"|-) ([^ ]*)"#,
    r"(?: ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*))?.*$",
);

/// Reads a line by the format that GoAccess calls AWSS3; the specifiers and what they matched.
///
/// Source: <https://goaccess.io/man#custom-log>, `--log-format=AWSS3`.
pub(crate) fn goaccess(line: &str) -> Option<Vec<(char, String)>> {
    const AWSS3: &str = r#"%^ %v [%d:%t %^] %h %^ %^ %^ %^ "%r" %s %^ %b %^ %L %^ "%R" "%u""#;
    let (mut found, mut rest) = (Vec::new(), line);
    let mut format = AWSS3.chars().peekable();
    while let Some(character) = format.next() {
        if character != '%' {
            rest = rest.strip_prefix(character)?;
            continue;
        }
        let specifier = format.next()?;
        // A field reaches to the character behind its specifier.
        let end = match format.peek() {
            Some(delimiter) => rest.find(*delimiter)?,
            None => rest.len(),
        };
        found.push((specifier, rest[..end].to_owned()));
        rest = &rest[end..];
    }
    Some(found)
}
