//! What AWS recommends against throttling, with the figures of a run, and the command that repeats it.
//!
//! Source of the list: AWS re:Post, "How do I troubleshoot ThrottlingExceptions in AWS KMS?"; of the price:
//! <https://aws.amazon.com/kms/pricing/>.

use crate::report::results::QuotaResult;
use crate::report::results::Results;

/// One line for each recommendation.
pub(super) fn lines(results: &Results) -> Vec<String> {
    let quota = results.quotas.iter().max_by_key(|quota| quota.throttled);
    let Some(quota) = quota else {
        return vec!["No quota was used.".to_owned()];
    };
    let summary = &results.summary;
    let mut lines = vec![
        format!(
            "Look at usage: the busiest second had {} requests, {:.0} % of {}/s; CloudWatch's minute would have shown \
             {:.0} %.",
            quota.peak_second,
            quota.peak_second as f64 / quota.rate.max(f64::MIN_POSITIVE) * 100.0,
            quota.rate,
            quota.minute_percent
        ),
        format!(
            "Back off: clients made {:.2} attempts of each request and gave {} of {} up; --retry compares policies.",
            summary.amplification, summary.given_up, summary.offered
        ),
    ];
    let calls = &results.kms.by_operation;
    let data_keys: u64 = ["GenerateDataKey", "Decrypt"]
        .iter()
        .filter_map(|operation| calls.get(*operation))
        .sum();
    if let (Some(used), true) = (&results.bucket_keys, results.has_objects()) {
        let objects: u64 = results.objects.iter().map(|costs| costs.served).sum();
        lines.push(format!(
            "Call less: {objects} objects made {data_keys} calls, and Bucket Keys saved {} more; --compare bucket-key \
             shows what they would save.",
            used.saved_calls
        ));
    } else if data_keys > 0 {
        lines.push(format!(
            "Call less: {data_keys} of {} attempts were GenerateDataKey or Decrypt, which S3 Bucket Keys and data key \
             caching save where they protect objects or messages.",
            summary.sent
        ));
    }
    lines.push(raise(quota));
    lines.push(format!(
        "Alarm: on throttled requests, not on usage a minute; the first came in second {}.",
        quota
            .first_throttled_s
            .map_or("none".to_owned(), |first| first.to_string())
    ));
    let served = results.quotas.iter().map(|quota| quota.served).sum::<u64>();
    let monthly = served as f64 / summary.duration_s.max(1.0) * SECONDS_A_MONTH;
    lines.push(format!(
        "Cost: at this rate {:.1} million requests a month, about ${:.0} at ${PRICE_10_000} for 10,000.",
        monthly / 1e6,
        (monthly - FREE_A_MONTH).max(0.0) / 10_000.0 * PRICE_10_000
    ));
    lines
}

/// Raising the quota.
fn raise(quota: &QuotaResult) -> String {
    let wanted = (quota.peak_second as f64).max(quota.rate);
    match &quota.code {
        Some(code) => format!(
            "Raise the quota: aws service-quotas request-service-quota-increase --service-code kms --quota-code {} \
             --region {} --desired-value {wanted}",
            quoted(code),
            quoted(&quota.region)
        ),
        None => format!("Raise the quota: ask AWS for {wanted}/s of {}.", quota.name),
    }
}

/// The command that repeats the run, for a shell.
pub fn command(results: &Results) -> String {
    let fact = |name: &str| results.scenario.get(name).map_or("", String::as_str);
    let target = fact("target");
    // All else is in the file.
    if target == "scenario" {
        return format!("sealgate load --scenario {}", quoted(fact("scenario")));
    }
    let flags = results.scenario.iter().filter(|(name, value)| {
        let is_flag = !["target", "scenario"].contains(&name.as_str());
        is_flag && !value.is_empty()
    });
    let flags = flags.flat_map(|(name, value)| {
        let name = name.replace('_', "-");
        // Flags that are repeated are joined in the results.
        let repeated = name == "quota" || name == "ramp";
        let values = if repeated {
            value.split(',').collect()
        } else {
            vec![value.as_str()]
        };
        let flag = |value: &str| match value {
            "true" => format!(" --{name}"),
            value => format!(" --{name} {}", quoted(value)),
        };
        values.into_iter().map(flag).collect::<Vec<_>>()
    });
    let thresholds = results.thresholds.iter();
    let thresholds = thresholds.map(|it| format!(" --threshold {}", quoted(&it.expression)));
    let compared = results.comparisons.iter();
    let compared = compared.map(|it| format!(" --compare {}", quoted(&it.change)));
    format!(
        "sealgate load {}{}",
        quoted(target),
        flags.chain(thresholds).chain(compared).collect::<String>()
    )
}

/// Text as one word of a shell: what a file has must not become a command of who pastes it.
fn quoted(text: &str) -> String {
    let is_left = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+=@,".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_left) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Dollars for 10,000 requests with symmetric keys.
const PRICE_10_000: f64 = 0.03;

/// Requests a month that cost nothing.
const FREE_A_MONTH: f64 = 20_000.0;

const SECONDS_A_MONTH: f64 = 30.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn the_command_has_each_flag_and_is_of_words_that_a_shell_leaves_alone() {
        let mut results = sample::of_objects();
        let command = command(&results);
        for words in [
            "sealgate load s3 --",
            " --admin-endpoint http://127.0.0.1:9091 ",
            " --allow-remote ",
            " --quota DescribeKey=5 --quota Sign=7 ",
            " --threshold 'throttled<1%'",
            " --compare bucket-key",
        ] {
            assert!(format!("{command} ").contains(words), "{words}: {command}");
        }
        let hostile = "$(id); `id` 'x' \\ \"";
        results
            .scenario
            .insert("retry".to_owned(), hostile.to_owned());
        let command = super::command(&results);
        let word = r#"--retry '$(id); `id` '\''x'\'' \ "'"#;
        assert!(command.contains(word), "{command}");
        results
            .scenario
            .insert("target".to_owned(), "scenario".to_owned());
        results
            .scenario
            .insert("scenario".to_owned(), "a b;c.toml".to_owned());
        assert_eq!(
            super::command(&results),
            "sealgate load --scenario 'a b;c.toml'"
        );
    }

    #[test]
    fn what_a_file_names_is_one_word_of_the_command_to_raise_a_quota() {
        let mut results = sample::of_objects();
        let quota = results.quotas.first_mut().unwrap();
        quota.region = "eu; rm -r ~".to_owned();
        let lines = lines(&results);
        assert!(
            lines
                .iter()
                .any(|line| line.contains("--region 'eu; rm -r ~'")),
            "{lines:?}"
        );
    }
}
