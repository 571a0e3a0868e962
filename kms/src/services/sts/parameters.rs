//! The parameters of a request, and the constraints of the service model.

use proto::sigv4::decode_query;

use crate::services::sts::error::StsError;

/// The parameters of one request.
#[derive(Debug)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a form, or the query of a URL.
    ///
    /// # Errors
    ///
    /// MalformedQueryString for what is neither, and for a name that is there twice: whoever stands before
    /// this service might read the other one.
    pub fn parse(text: &[u8]) -> Result<Self, StsError> {
        let text = std::str::from_utf8(text).map_err(|_| StsError::malformed_query())?;
        let pairs = decode_query(text).map_err(|_| StsError::malformed_query())?;
        let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(StsError::malformed_query());
        }
        Ok(Self(pairs))
    }

    /// The operation.
    ///
    /// # Errors
    ///
    /// InvalidAction without one, or of another version of the API.
    pub fn action(&self) -> Result<&str, StsError> {
        let action = self.get("Action").unwrap_or_default();
        match self.get("Version") {
            Some(VERSION) => Ok(action),
            _ => Err(StsError::no_such_action(action)),
        }
    }

    /// A parameter.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The members of a list, `PREFIX.member.N` and what `suffix` follows it, in their order.
    pub(crate) fn list(&self, prefix: &str, suffix: &str) -> Vec<&str> {
        let value = |at: usize| self.get(&format!("{prefix}.member.{at}{suffix}"));
        (1..).map_while(value).collect()
    }

    /// Whether there is a parameter that begins so.
    pub(crate) fn has_any(&self, prefix: &str) -> bool {
        self.0.iter().any(|(name, _)| name.starts_with(prefix))
    }
}

/// What the service model demands of the parameters of one request; all failures are reported at once.
pub(crate) struct Constraints<'a> {
    parameters: &'a Parameters,
    failures: Vec<String>,
}

/// What a text may be.
#[derive(Clone, Copy)]
pub(crate) struct Text {
    /// The member's name in AWS's messages.
    pub(crate) member: &'static str,
    pub(crate) shortest: usize,
    pub(crate) longest: usize,
    /// AWS's pattern, for the message, and the characters it allows besides letters and digits; none allows
    /// any.
    pub(crate) pattern: Option<(&'static str, &'static str)>,
}

impl<'a> Constraints<'a> {
    pub(crate) const fn of(parameters: &'a Parameters) -> Self {
        Self {
            parameters,
            failures: Vec::new(),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(&mut self, name: &str, text: Text) -> &'a str {
        if self.parameters.get(name).is_none() {
            self.failures.push(format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                text.member
            ));
        }
        self.optional(name, text).unwrap_or_default()
    }

    /// A text that may be there.
    pub(crate) fn optional(&mut self, name: &str, text: Text) -> Option<&'a str> {
        let value = self.parameters.get(name)?;
        self.check(value, text);
        Some(value)
    }

    /// A text that must be as described.
    pub(crate) fn check(&mut self, value: &str, text: Text) {
        let length = value.chars().count();
        if length < text.shortest {
            let bound = text.shortest;
            let what = format!("Member must have length greater than or equal to {bound}");
            self.fail(value, text.member, &what);
        }
        if length > text.longest {
            let bound = text.longest;
            let what = format!("Member must have length less than or equal to {bound}");
            self.fail(value, text.member, &what);
        }
        if let Some((pattern, others)) = text.pattern {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || others.contains(c);
            if !value.chars().all(allowed) {
                let what = format!("Member must satisfy regular expression pattern: {pattern}");
                self.fail(value, text.member, &what);
            }
        }
    }

    /// The length of a session in seconds, within those bounds.
    pub(crate) fn duration(&mut self, longest: u64) -> Option<u64> {
        let value = self.parameters.get("DurationSeconds")?;
        let seconds: Option<u64> = value.parse().ok();
        let Some(seconds) = seconds else {
            self.fail(value, "durationSeconds", "Member must be an integer");
            return None;
        };
        if seconds < DURATION_SECONDS_MIN {
            let what = "Member must have value greater than or equal to 900";
            self.fail(value, "durationSeconds", what);
        }
        if seconds > longest {
            let what = format!("Member must have value less than or equal to {longest}");
            self.fail(value, "durationSeconds", &what);
        }
        Some(seconds)
    }

    /// Everything was as it must be.
    pub(crate) fn finish(self) -> Result<(), StsError> {
        let (count, texts) = (self.failures.len(), self.failures.join("; "));
        match count {
            0 => Ok(()),
            1 => Err(StsError::validation(format!(
                "1 validation error detected: {texts}"
            ))),
            _ => Err(StsError::validation(format!(
                "{count} validation errors detected: {texts}"
            ))),
        }
    }

    fn fail(&mut self, value: &str, member: &str, what: &str) {
        let value: String = value.chars().take(VALUE_CHARACTERS_MAX).collect();
        let text = format!("Value '{value}' at '{member}' failed to satisfy constraint: {what}");
        self.failures.push(text);
    }
}

/// The API's version.
const VERSION: &str = "2011-06-15";
/// Source: <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>
pub(crate) const DURATION_SECONDS_MIN: u64 = 900;
/// What an error repeats of a value.
const VALUE_CHARACTERS_MAX: usize = 256;
