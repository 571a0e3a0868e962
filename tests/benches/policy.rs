//! What the dearest policies and requests cost: to read, and to evaluate.
//!
//!     cargo bench -p sealgate-proto --bench policy              # seconds
//!     cargo bench -p sealgate-proto --bench policy -- --smoke   # one round; proves that it runs
//!
//! Each row has a policy and a request of at most 64 KiB together, except where it says so, and may take
//! 5 ms: to read the policy, and to evaluate it. The shortest of some rounds counts.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]
#![allow(clippy::unwrap_used, reason = "a bench that fails may panic")]

use std::hint::black_box;
use std::time::Duration;
use std::time::Instant;

use proto::policy::Context;
use proto::policy::Policy;
use proto::policy::PolicyKind;
use proto::policy::Principal;

fn main() {
    let smoke = std::env::args().any(|argument| argument == "--smoke");
    let rounds = if smoke { 1 } else { 10 };
    println!("milliseconds to read a policy and to evaluate it, and the verdict");
    for rows in [usual, values, variables, wildcards, documents, deletions] {
        rows().iter().for_each(|row| row.run(rounds));
    }
}

/// One policy and one request.
struct Row {
    name: &'static str,
    policy: String,
    context: Context,
    resource: String,
    /// How often the request names the resource.
    times: u32,
}

impl Row {
    fn new(name: &'static str, members: &str, context: Context) -> Self {
        let policy = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Principal": "*",
                "Action": "*", {members}}}}}"#
        );
        let resource = "arn:aws:s3:::bucket/key".to_owned();
        Self {
            name,
            policy,
            context,
            resource,
            times: 1,
        }
    }

    fn condition(name: &'static str, condition: &str, context: Context) -> Self {
        let members = format!(r#""Resource": "*", "Condition": {condition}"#);
        Self::new(name, &members, context)
    }

    fn resource(name: &'static str, patterns: &str, key: &str) -> Self {
        let members = format!(r#""Resource": {patterns}"#);
        let mut row = Self::new(name, &members, Context::new());
        row.resource = format!("arn:aws:s3:::bucket/{key}");
        row
    }

    fn run(&self, rounds: u32) {
        let parse = || Policy::parse(&self.policy, PolicyKind::Resource);
        let reading = best(rounds, || drop(black_box(parse())));
        let Ok(policy) = parse() else {
            println!("{:40} {:9.3}   refused", self.name, millis(reading));
            return;
        };
        let account = "111122223333".parse().expect("it has 12 digits");
        let principal = Principal::aws("arn:aws:iam::111122223333:user/alice", &account);
        let evaluate = || {
            let prepared = policy.for_request(&principal, &self.context);
            let mut verdict = "";
            for _ in 0..self.times {
                let decided = prepared.decide("s3:GetObject", &self.resource);
                verdict = match (decided.statement, decided.unresolved) {
                    (_, true) => "unresolved",
                    (Some(_), false) => "matches",
                    (None, false) => "no match",
                };
            }
            verdict
        };
        let evaluating = best(rounds, || {
            black_box(evaluate());
        });
        let (reading, evaluating) = (millis(reading), millis(evaluating));
        println!(
            "{:40} {reading:9.3} {evaluating:9.3}   {}",
            self.name,
            evaluate()
        );
    }
}

/// A policy as people write them.
fn usual() -> Vec<Row> {
    let statement = r#""Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"],
        "Condition": {"Bool": {"aws:SecureTransport": false},
            "IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}"#;
    let context = [
        ("aws:SecureTransport", "false"),
        ("aws:SourceIp", "203.0.113.7"),
    ];
    vec![Row::new(
        "a usual policy",
        statement,
        context.into_iter().collect(),
    )]
}

/// Many values of a policy against many of a request.
fn values() -> Vec<Row> {
    let mut tags = Context::new();
    tags.insert_all("aws:TagKeys", (0..5_000).map(|it| format!("{it:x}")));
    let on_tags = |name, operator: &str, value: &str, count| {
        let condition = on(operator, "aws:TagKeys", &list(value, count));
        Row::condition(name, &condition, tags.clone())
    };
    let dates: Vec<_> = (0..2_048)
        .map(|it| format!(r#""{}": 1"#, spelling("aws:useragent", it)))
        .collect();
    let dates = format!(r#"{{"DateNotEquals": {{{}}}}}"#, dates.join(","));
    let principals: Vec<_> = (0..3_000).map(|it| format!(r#""{it:012}""#)).collect();
    let principals = format!(
        r#"{{"Statement": {{"Effect": "Deny", "Principal": {{"AWS": [{}]}}, "Action": "*",
            "Resource": "*"}}}}"#,
        principals.join(",")
    );
    vec![
        on_tags("tags, equal", "ForAnyValue:StringEquals", r#""zz""#, 7_000),
        on_tags(
            "tags, not equal",
            "ForAllValues:StringNotEquals",
            r#""zz""#,
            7_000,
        ),
        on_tags(
            "tags, ignoring case",
            "ForAnyValue:StringEqualsIgnoreCase",
            r#""zz""#,
            7_000,
        ),
        on_tags("tags, like", "ForAnyValue:StringLike", r#""*z*""#, 7_000),
        on_tags("numbers", "ForAnyValue:NumericEquals", "77777", 6_000),
        on_tags("networks", "ForAnyValue:IpAddress", r#""::""#, 7_000),
        on_tags("binaries", "ForAnyValue:BinaryEquals", r#""AA==""#, 5_000),
        Row::condition("a key in many spellings", &dates, headers(16_000)),
        Row {
            policy: principals,
            ..Row::new("principals", r#""Resource": "*""#, Context::new())
        },
    ]
}

/// Variables, each with a header as its value.
fn variables() -> Vec<Row> {
    let agent = r#""${aws:useragent}""#;
    let many = |times: usize, end: &str| format!(r#""{}{end}""#, "${aws:useragent}".repeat(times));
    let rows: [(_, _, _, usize, usize); 4] = [
        (
            "a header a thousand times",
            "StringLike",
            many(1_000, "z"),
            1,
            5_000,
        ),
        (
            "short variables by the thousand",
            "StringLike",
            many(1_000, ""),
            3,
            8,
        ),
        (
            "a variable in each value",
            "StringLike",
            agent.to_owned(),
            2_000,
            8_000,
        ),
        (
            "the same, ignoring case",
            "StringEqualsIgnoreCase",
            agent.to_owned(),
            2_000,
            8_000,
        ),
    ];
    rows.into_iter()
        .map(|(name, operator, value, count, bytes)| {
            let condition = on(operator, "aws:Referer", &list(&value, count));
            Row::condition(name, &condition, headers(bytes))
        })
        .collect()
}

/// Wildcards, on headers and on resources.
fn wildcards() -> Vec<Row> {
    let like = |name, pattern: &str, count| {
        let values = list(&format!(r#""{pattern}""#), count);
        Row::condition(
            name,
            &on("StringLike", "aws:Referer", &values),
            headers(16_000),
        )
    };
    let thirty = format!("*{}b{}*", "a".repeat(15), "a".repeat(15));
    let half = format!("*{}b*", "a".repeat(8_000));
    let ones = format!("*a?{}b*", "a".repeat(4_000));
    let key = "a".repeat(1_024);
    let stars = format!(r#""arn:aws:s3:::bucket/{}""#, "*a".repeat(9_000));
    let searches = list(r#""arn:aws:s3:::*ab*""#, 2_500);
    let colons = list(r#""arn:a*:*:*a:*b:*:*a*b:x""#, 2_000);
    let parts = list(r#""arn:*:a*:*a:a*:*a*b:x""#, 2_000);
    vec![
        like("searches in a header", "*ab*", 5_000),
        like("searches for thirty bytes", &thirty, 1_000),
        like("searches with question marks", "*?a?b?*", 3_000),
        like("a search for half a header", &half, 2),
        like("question marks", &ones, 4),
        like("stars", &"*a".repeat(8_000), 1),
        Row::resource("nine thousand stars, a long key", &stars, &key),
        Row::resource("searches in a long key", &searches, &key),
        Row::resource("colons", &colons, &":a".repeat(512)),
        Row::resource("parts of ARNs", &parts, &":a".repeat(512)),
    ]
}

/// Documents that are dear to read.
fn documents() -> Vec<Row> {
    let document = |name, policy: String| Row {
        policy,
        ..Row::new(name, "", Context::new())
    };
    let minimal = r#"{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}"#;
    let members: Vec<_> = (0..8_000).map(|it| format!(r#""{it:x}":0"#)).collect();
    let numbers = on("StringEquals", "aws:a", &list("1e308", 10_000));
    let dates = on("DateEquals", "aws:a", &list(r#""2013-05-24""#, 5_000));
    vec![
        document(
            "nested",
            format!(r#"{{"Statement": {}"#, "[".repeat(65_000)),
        ),
        document("members", format!("{{{}}}", members.join(","))),
        document("objects", list(r#"{"":0}"#, 9_000)),
        document(
            "statements",
            format!(r#"{{"Statement": {}}}"#, list(minimal, 1_050)),
        ),
        Row::resource(
            "variables without an end",
            &format!(r#""arn:aws:s3:::{}""#, "${".repeat(32_000)),
            "k",
        ),
        Row::condition("numbers in short", &numbers, Context::new()),
        Row::condition("dates", &dates, Context::new()),
    ]
}

/// A thousand keys of a kilobyte in one request: a megabyte, and 20 KB of policy.
fn deletions() -> Vec<Row> {
    let stars = format!(r#""arn:aws:s3:::bucket/{}""#, "*a".repeat(9_000));
    let shorter = format!(r#""arn:aws:s3:::bucket/{}b""#, "*a".repeat(1_000));
    let folders: Vec<_> = (0..300)
        .map(|it| format!(r#""arn:aws:s3:::bucket/*/{it}/*""#))
        .collect();
    let rows = [
        ("1,000 keys, nine thousand stars", stars),
        ("1,000 keys, nine times a thousand stars", list(&shorter, 9)),
        (
            "1,000 keys, 700 searches",
            list(r#""arn:aws:s3:::bucket/*ab*""#, 700),
        ),
        (
            "1,000 keys, 300 folders",
            format!("[{}]", folders.join(",")),
        ),
    ];
    rows.into_iter()
        .map(|(name, patterns)| Row {
            times: 1_000,
            ..Row::resource(name, &patterns, &"a".repeat(1_000))
        })
        .collect()
}

fn on(operator: &str, key: &str, values: &str) -> String {
    format!(r#"{{"{operator}": {{"{key}": {values}}}}}"#)
}

fn list(value: &str, count: usize) -> String {
    format!("[{}]", vec![value; count].join(","))
}

fn headers(bytes: usize) -> Context {
    let value = "a".repeat(bytes);
    let keys = ["aws:UserAgent", "aws:Referer"];
    keys.into_iter().map(|key| (key, value.as_str())).collect()
}

/// One of the ways to write a key in capital and small letters.
fn spelling(key: &str, number: usize) -> String {
    let mut bits = number;
    let upper = |char: char| {
        if !char.is_ascii_alphabetic() {
            return char;
        }
        let bit = bits & 1;
        bits >>= 1;
        if bit == 1 {
            char.to_ascii_uppercase()
        } else {
            char
        }
    };
    key.chars().map(upper).collect()
}

fn best(rounds: u32, mut round: impl FnMut()) -> Duration {
    let time = |_| {
        let started = Instant::now();
        round();
        started.elapsed()
    };
    (0..rounds).map(time).min().unwrap_or(Duration::MAX)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
