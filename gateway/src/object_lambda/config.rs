//! How Object Lambda works: the table `[object_lambda]`.

use std::ffi::OsString;
use std::time::Duration;

use http::Uri;
use proto::identity::Secret;

/// How Object Lambda works.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where functions reach this gateway, as `http://host:port`: the start of the presigned URLs that they read
    /// objects by. Never taken from a request, which would lead functions to wherever it names.
    pub public_url: Option<String>,

    /// How long a function may take from its call to the end of its answer, in milliseconds.
    ///
    /// Source of the default: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-writing-lambda.html>
    pub timeout_ms: u64,

    /// The functions that access points may name. Others are not there: an ARN alone leads nowhere.
    pub functions: Vec<Function>,
}

/// A function.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its ARN, as access points name it.
    pub arn: String,
    /// What is called.
    pub function: Callee,
}

/// What is called when a function is.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callee {
    /// The Invoke operation of a Lambda API: AWS's, an emulation, or its runtime interface emulator.
    Lambda(Lambda),
    /// An HTTP server that receives the event by POST.
    Url(String),
    /// A program and its arguments. It reads the object from its standard input and writes the transformed one to
    /// its standard output; the event is in the environment variable `SEALGATE_EVENT`.
    Command(Vec<String>),
}

/// A Lambda API.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lambda {
    /// Its endpoint, `http://host:port`, or the whole URL of one function's invocations.
    pub url: String,
    /// What requests are signed with; unsigned if absent.
    pub access_key_id: Option<String>,
    /// The secret of that.
    pub secret_access_key: Option<Secret>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: None,
            timeout_ms: 60_000,
            functions: Vec::new(),
        }
    }
}

impl Config {
    /// How long a function may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Finds what cannot work: the field and what is wrong with it.
    ///
    /// # Errors
    ///
    /// The field, and a sentence.
    pub fn check(&self) -> Result<(), (String, String)> {
        let refuse = |field: &str, what: String| Err((format!("object_lambda.{field}"), what));
        if let Some(url) = &self.public_url
            && parse_url(url).is_none_or(|url| url.path() != "/" || url.query().is_some())
        {
            return refuse(
                "public_url",
                format!("{url:?} is not http(s)://host[:port]"),
            );
        }
        if self.timeout_ms == 0 {
            return refuse(
                "timeout_ms",
                "a function takes longer than no time".to_owned(),
            );
        }
        for (at, function) in self.functions.iter().enumerate() {
            let field = format!("functions[{at}]");
            if !is_function_arn(&function.arn) {
                let what = format!("{:?} is not the ARN of a Lambda function", function.arn);
                return refuse(&format!("{field}.arn"), what);
            }
            let others = self.functions.iter().take(at);
            if others.into_iter().any(|other| other.arn == function.arn) {
                return refuse(
                    &format!("{field}.arn"),
                    "another function has it".to_owned(),
                );
            }
            if let Err(what) = function.function.check() {
                return refuse(&format!("{field}.function"), what);
            }
            if self.public_url.is_none() && !matches!(function.function, Callee::Command(_)) {
                let what = "functions that are called by HTTP need it to read objects".to_owned();
                return refuse("public_url", what);
            }
        }
        Ok(())
    }
}

impl Callee {
    fn check(&self) -> Result<(), String> {
        let url = match self {
            Self::Command(words) => {
                return match words.first().is_some_and(|program| !program.is_empty()) {
                    true => Ok(()),
                    false => Err("`command` names a program and its arguments".to_owned()),
                };
            }
            Self::Lambda(lambda) => {
                if lambda.access_key_id.is_some() != lambda.secret_access_key.is_some() {
                    let what = "`access_key_id` and `secret_access_key` belong together";
                    return Err(what.to_owned());
                }
                &lambda.url
            }
            Self::Url(url) => url,
        };
        match parse_url(url) {
            Some(_) => Ok(()),
            None => Err(format!("{url:?} is not http(s)://host[:port][/path]")),
        }
    }
}

/// Where programs are looked for: the gateway's own `PATH`.
pub(super) fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// A URL of HTTP.
pub(crate) fn parse_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    (is_http && url.authority().is_some()).then_some(url)
}

/// Whether this is `arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]`.
pub(super) fn is_function_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        [
            "arn",
            _,
            "lambda",
            region,
            account,
            "function",
            name,
            qualifier @ ..,
        ] => {
            !region.is_empty()
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && !name.is_empty()
                && qualifier.len() <= 1
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDACT: &str = "arn:aws:lambda:us-east-1:111122223333:function:redact";

    fn check(text: &str) -> Result<(), String> {
        let config: Config = toml::from_str(text).map_err(|error| error.to_string())?;
        config
            .check()
            .map_err(|(field, what)| format!("{field}: {what}"))
    }

    #[test]
    fn functions_are_commands_urls_and_lambdas() {
        for function in [
            "{ command = ['sed', 's/a/b/'] }",
            "{ url = 'http://127.0.0.1:9000/redact' }",
            "{ lambda = { url = 'http://127.0.0.1:3001' } }",
            "{ lambda = { url = 'https://x', access_key_id = 'a', secret_access_key = 'b' } }",
        ] {
            let text = format!(
                "public_url = 'http://localhost:9070'\n[[functions]]\narn = '{REDACT}'\nfunction = {function}"
            );
            assert_eq!(check(&text), Ok(()), "{function}");
        }
    }

    #[test]
    fn what_cannot_work_is_named_with_its_field() {
        let command =
            format!("[[functions]]\narn = '{REDACT}'\nfunction = {{ command = ['cat'] }}\n");
        for (text, expected) in [
            (
                "public_url = 'localhost'".to_owned(),
                "object_lambda.public_url",
            ),
            (
                "public_url = 'http://a/b'".to_owned(),
                "object_lambda.public_url",
            ),
            ("timeout_ms = 0".to_owned(), "object_lambda.timeout_ms"),
            ("function = 1".to_owned(), "unknown field"),
            (
                command.replace(REDACT, "redact"),
                "object_lambda.functions[0].arn",
            ),
            (
                format!("{command}{command}"),
                "object_lambda.functions[1].arn",
            ),
            (
                command.replace("['cat']", "[]"),
                "object_lambda.functions[0].function",
            ),
            (
                command.replace("{ command = ['cat'] }", "{ url = 'http://a' }"),
                "object_lambda.public_url",
            ),
            (
                command.replace("{ command = ['cat'] }", "{ lambda = { url = 'ftp://a' } }"),
                "object_lambda.functions[0].function",
            ),
            (
                command.replace(
                    "{ command = ['cat'] }",
                    "{ lambda = { url = 'http://a', access_key_id = 'a' } }",
                ),
                "object_lambda.functions[0].function",
            ),
        ] {
            let refusal = check(&text).unwrap_err();
            assert!(refusal.contains(expected), "{refusal}");
        }
    }
}
