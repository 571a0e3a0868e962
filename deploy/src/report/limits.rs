//! Which results of a file are shown. Who can write into the folder can write anything: what is added up, drawn and
//! put into commands must be finite and small.

use proto::time::Timestamp;
use serde_json::Value;

use crate::report::results::Results;
use crate::report::results::SCHEMA;

/// The results of a file.
///
/// # Errors
///
/// Why they are not shown, in a sentence.
pub(super) fn parse(bytes: &[u8]) -> Result<Results, String> {
    let results: Results = serde_json::from_slice(bytes).map_err(|error| {
        let reason: String = error.to_string().chars().take(REASON_CHARS_MAX).collect();
        format!("It is no report of `sealgate load`: {reason}.")
    })?;
    check(results, true)
}

/// Refuses results that no run has.
fn check(mut results: Results, is_whole: bool) -> Result<Results, String> {
    if results.schema != SCHEMA {
        return Err(format!("It is not of {SCHEMA}: another version wrote it."));
    }
    let started = results.started_at.as_deref();
    if started.is_some_and(|text| Timestamp::parse_iso8601(text).is_err()) {
        return Err("started_at is no time.".to_owned());
    }
    if !is_whole && !results.comparisons.is_empty() {
        return Err("A comparison has comparisons of its own.".to_owned());
    }
    rows(&results)?;
    names(&results)?;
    let seconds = std::mem::take(&mut results.seconds);
    for second in &seconds {
        check_value("seconds", &value(second)?)?;
    }
    let comparisons = std::mem::take(&mut results.comparisons);
    let histogram = std::mem::take(&mut results.histogram);
    if !histogram.bytes().all(is_base64) {
        return Err("histogram is not in base64.".to_owned());
    }
    check_value("results", &value(&results)?)?;
    for mut comparison in comparisons {
        check_value("change", &Value::String(comparison.change.clone()))?;
        comparison.results = check(comparison.results, false)?;
        results.comparisons.push(comparison);
    }
    results.seconds = seconds;
    results.histogram = histogram;
    Ok(results)
}

/// Refuses lists that are longer than a page shows.
fn rows(results: &Results) -> Result<(), String> {
    let lists = [
        ("quotas", results.quotas.len()),
        ("kms.by_operation", results.kms.by_operation.len()),
        ("objects", results.objects.len()),
        ("streams", results.streams.len()),
        ("errors", results.errors.len()),
        ("thresholds", results.thresholds.len()),
        ("comparisons", results.comparisons.len()),
    ];
    for (name, rows) in lists {
        if rows > ROWS_MAX {
            return Err(format!("{name} has {rows} rows, and {ROWS_MAX} are shown."));
        }
    }
    Ok(())
}

/// Refuses what is no flag of `load`: the names become one.
fn names(results: &Results) -> Result<(), String> {
    let is_within = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let mut names = results.scenario.keys();
    match names.all(|name| name.bytes().all(is_within)) {
        true => Ok(()),
        false => Err("scenario has names that are no flags.".to_owned()),
    }
}

fn value(part: impl serde::Serialize) -> Result<Value, String> {
    serde_json::to_value(part).map_err(|error| format!("{error}."))
}

/// Refuses numbers and texts that no run has, at any depth.
fn check_value(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Null | Value::Bool(_) => Ok(()),
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(f64::INFINITY);
            match (0.0..=NUMBER_MAX).contains(&number) {
                true => Ok(()),
                false => Err(format!("{name} is no number from 0 to {NUMBER_MAX:e}.")),
            }
        }
        Value::String(text) => {
            let is_shown = text.len() <= TEXT_BYTES_MAX && !text.chars().any(char::is_control);
            match is_shown {
                true => Ok(()),
                false => Err(format!(
                    "{name} has control characters, or more than {TEXT_BYTES_MAX} bytes."
                )),
            }
        }
        Value::Array(values) => values.iter().try_for_each(|value| check_value(name, value)),
        Value::Object(members) => {
            let mut members = members.iter();
            members.try_for_each(|(name, value)| {
                // A member of a map has its name from the file.
                check_value("a name", &Value::String(name.clone()))?;
                check_value(name, value)
            })
        }
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=".contains(&byte)
}

/// Most rows of a list.
const ROWS_MAX: usize = 100;

/// Most bytes of a text.
const TEXT_BYTES_MAX: usize = 1_000;

/// Beyond all counts and times of a run: sums of a hundred such are exact still.
const NUMBER_MAX: f64 = 1e12;

/// Most characters that are shown of a parser's reason, which repeats what the file has.
const REASON_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::sample;

    fn sample() -> Value {
        serde_json::from_str(sample::TEXT).unwrap()
    }

    /// The sample with that value in the place of a pointer.
    fn with(pointer: &str, value: Value) -> Vec<u8> {
        let mut sample = sample();
        *sample.pointer_mut(pointer).unwrap() = value;
        sample.to_string().into_bytes()
    }

    #[test]
    fn what_a_run_writes_is_read_back_as_it_was() {
        let results = parse(sample::TEXT.as_bytes()).unwrap();
        assert_eq!(serde_json::to_value(&results).unwrap(), sample());
        assert_eq!(results.comparisons.len(), 1);
        assert_eq!(results.seconds.len(), 4);
    }

    #[test]
    fn results_of_an_earlier_version_have_no_time() {
        let mut sample = sample();
        sample.as_object_mut().unwrap().remove("started_at");
        assert!(parse(sample.to_string().as_bytes()).is_ok());
    }

    /// That each of these is refused, and what the reason has in it.
    fn refuse(cases: Vec<(&str, Vec<u8>, &str)>) {
        for (name, bytes, expected) in cases {
            let reason = parse(&bytes).err();
            let reason = reason.unwrap_or_else(|| panic!("{name} is taken"));
            assert!(reason.contains(expected), "{name}: {reason}");
            assert!(reason.len() < 500, "{name}: {reason}");
        }
    }

    #[test]
    fn what_has_not_the_shape_of_results_is_refused_with_the_reason() {
        let text = |text: &str| text.as_bytes().to_vec();
        let cut = text(&sample::TEXT[..4_000]);
        let no = "It is no report";
        refuse(vec![
            ("nothing", Vec::new(), "EOF"),
            ("no JSON", text("<html>"), "expected value"),
            ("no UTF-8", vec![b'"', 0xff, b'"'], no),
            ("another document", text("{\"a\": 1}"), "unknown field `a`"),
            ("a list", text("[]"), no),
            ("cut", cut, "EOF"),
            ("deep", vec![b'['; 200_000], no),
            (
                "a text",
                with("/summary/served", json!("1")),
                "invalid type",
            ),
            ("a map", with("/errors", json!([1])), "invalid type"),
            (
                "below zero",
                with("/summary/served", json!(-1)),
                "invalid value",
            ),
            (
                "a part",
                with("/summary/served", json!(0.5)),
                "invalid type",
            ),
            (
                "a field",
                with("/summary", json!({ "<script>": 1 })),
                "unknown",
            ),
            (
                "a version",
                with("/schema", json!("sealgate.load/2")),
                "version",
            ),
        ]);
        let infinite = sample::TEXT.replace("\"rate\": 10.0", "\"rate\": 1e999");
        refuse(vec![("beyond floats", text(&infinite), "out of range")]);
    }

    #[test]
    fn values_that_no_run_has_are_refused_with_the_reason() {
        let row = sample().pointer("/quotas/0").unwrap().clone();
        let nested = sample().pointer("/comparisons").unwrap().clone();
        let (most, large) = (json!(u64::MAX), json!({ "x": 10_000_000_000_000_u64 }));
        let long = json!("x".repeat(1_001));
        let compared = "/comparisons/0/results";
        let of_comparison = |pointer: &str, value| with(&format!("{compared}{pointer}"), value);
        refuse(vec![
            (
                "time",
                with("/started_at", json!("<b>")),
                "started_at is no time",
            ),
            (
                "count",
                with("/summary/served", most.clone()),
                "served is no number",
            ),
            (
                "second",
                with("/seconds/1/t", most.clone()),
                "t is no number from 0",
            ),
            (
                "float",
                with("/latency_ms/service/max", json!(1e300)),
                "max is no",
            ),
            (
                "negative",
                with("/quotas/0/rate", json!(-0.5)),
                "rate is no number",
            ),
            ("map", with("/errors", large), "x is no number"),
            ("long", with("/quotas/0/name", long), "name has control"),
            (
                "line",
                with("/scenario/retry", json!("a\nrm -r ~")),
                "retry has control",
            ),
            (
                "flag",
                with("/scenario", json!({ "x; rm": "1" })),
                "no flags",
            ),
            (
                "rows",
                with("/quotas", vec![row; 101].into()),
                "quotas has 101 rows",
            ),
            (
                "nested",
                of_comparison("/comparisons", nested),
                "of its own",
            ),
            (
                "compared",
                of_comparison("/summary/served", most),
                "served is no",
            ),
            ("histogram", with("/histogram", json!("<script>")), "base64"),
        ]);
    }

    #[test]
    fn markup_is_taken_as_text() {
        let hostile = "</pre><script>alert(1)</script>";
        let results = parse(&with("/quotas/0/name", json!(hostile))).unwrap();
        assert_eq!(results.quotas.first().unwrap().name, hostile);
    }
}
