//! Checks of a request against the service model, and AWS's words for what breaks it.

pub(crate) mod patterns;
pub(crate) mod values;

use std::fmt::Write;

use crate::api::violations::patterns::TextPattern;
use crate::error::KmsError;

/// What the service model may demand of a member.
pub(crate) enum Rule {
    /// Must be there.
    Required,
    /// Least and most characters of a text, or bytes of a blob.
    Length(usize, usize),
    /// Least and greatest number.
    Range(i32, i32),
    /// Form of a text.
    Pattern(&'static TextPattern),
    /// The only values of a text.
    OneOf(&'static [&'static str]),
    /// Least and most items of a list.
    Items(usize, usize),
    /// Least and most characters of each text in a list.
    EachLength(usize, usize),
    /// The only values of each text in a list.
    EachOneOf(&'static [&'static str]),
}

/// A request or a part of one, whose members the service model constrains.
pub(crate) trait Constrained {
    /// Adds what is wrong with the members; `path` is where the message stands in the request.
    fn constrain(&self, path: &str, violations: &mut Violations);
}

impl<T: Constrained> Constrained for Option<T> {
    fn constrain(&self, path: &str, violations: &mut Violations) {
        if let Some(part) = self {
            part.constrain(path, violations);
        }
    }
}

impl<T: Constrained> Constrained for Vec<T> {
    fn constrain(&self, path: &str, violations: &mut Violations) {
        for (part, number) in self.iter().zip(1..) {
            part.constrain(&format!("{path}{number}.member."), violations);
        }
    }
}

/// Checks a request against the service model.
///
/// # Errors
///
/// `ValidationException` that lists all that is wrong, as AWS words it.
pub(crate) fn check(request: &impl Constrained) -> Result<(), KmsError> {
    let mut violations = Violations::default();
    request.constrain("", &mut violations);
    violations.into_result()
}

/// What is wrong with a request.
#[derive(Default)]
pub(crate) struct Violations {
    count: usize,
    text: String,
}

impl Violations {
    /// Checks the member `name` against its rules.
    pub(crate) fn member(&mut self, path: &str, name: &str, value: &impl Member, rules: &[Rule]) {
        for rule in rules {
            if let Err(broken) = value.check(rule) {
                let at = broken
                    .at
                    .map_or_else(String::new, |at| format!(".{at}.member"));
                self.add(&broken.shown, &format!("{path}{name}{at}"), &broken.must);
            }
        }
    }

    /// Checks the members of the member `name`.
    pub(crate) fn within(&mut self, path: &str, name: &str, part: &impl Constrained) {
        part.constrain(&format!("{path}{name}."), self);
    }

    fn add(&mut self, shown: &str, at: &str, must: &str) {
        let comma = if self.count == 0 { "" } else { "; " };
        self.count += 1;
        write!(
            self.text,
            "{comma}Value{shown} at '{at}' failed to satisfy constraint: {must}"
        )
        .expect("writing to a string does not fail");
    }

    fn into_result(self) -> Result<(), KmsError> {
        match self.count {
            0 => Ok(()),
            1 => Err(KmsError::validation(format!(
                "1 validation error detected: {}",
                self.text
            ))),
            n => Err(KmsError::validation(format!(
                "{n} validation errors detected: {}",
                self.text
            ))),
        }
    }
}

/// A rule that a value breaks.
pub(crate) struct Broken {
    /// The value as the error shows it; nothing for blobs and lists.
    shown: String,
    /// Position in a list, from 1.
    at: Option<usize>,
    must: String,
}

/// A member's value that rules can be held against.
pub(crate) trait Member {
    fn check(&self, rule: &Rule) -> Result<(), Broken>;
}

impl Member for Option<String> {
    fn check(&self, rule: &Rule) -> Result<(), Broken> {
        let Some(text) = self else {
            return absent(rule);
        };
        match rule {
            Rule::Length(least, most) => length(text, *least, *most),
            Rule::Pattern(pattern) => form(text, pattern),
            Rule::OneOf(values) => one_of(text, values),
            _ => Ok(()),
        }
        .map_err(|must| broken(format!(" '{text}'"), must))
    }
}

impl Member for Option<Vec<u8>> {
    fn check(&self, rule: &Rule) -> Result<(), Broken> {
        let Some(bytes) = self else {
            return absent(rule);
        };
        match rule {
            Rule::Length(least, most) => within(bytes.len(), *least, *most, "length"),
            _ => Ok(()),
        }
        .map_err(|must| broken(String::new(), must))
    }
}

impl Member for Option<i32> {
    fn check(&self, rule: &Rule) -> Result<(), Broken> {
        let Some(number) = self else {
            return absent(rule);
        };
        match rule {
            Rule::Range(least, _) if number < least => Err(format!(
                "Member must have value greater than or equal to {least}"
            )),
            Rule::Range(_, most) if number > most => Err(format!(
                "Member must have value less than or equal to {most}"
            )),
            _ => Ok(()),
        }
        .map_err(|must| broken(format!(" '{number}'"), must))
    }
}

impl Member for Vec<String> {
    fn check(&self, rule: &Rule) -> Result<(), Broken> {
        if self.is_empty() {
            return absent(rule);
        }
        if let Rule::Items(least, most) = rule {
            return within(self.len(), *least, *most, "length")
                .map_err(|must| broken(String::new(), must));
        }
        for (text, at) in self.iter().zip(1..) {
            let checked = match rule {
                Rule::EachLength(least, most) => length(text, *least, *most),
                Rule::EachOneOf(values) => one_of(text, values),
                _ => Ok(()),
            };
            if let Err(must) = checked {
                return Err(Broken {
                    shown: format!(" '{text}'"),
                    at: Some(at),
                    must,
                });
            }
        }
        Ok(())
    }
}

/// Lists of messages, maps and other members, of which only presence is demanded.
macro_rules! presence {
    ($([$($generics:tt)*] $type:ty, $value:ident => $absent:expr;)+) => {
        $(impl<$($generics)*> Member for $type {
            fn check(&self, rule: &Rule) -> Result<(), Broken> {
                let $value = self;
                if $absent { absent(rule) } else { Ok(()) }
            }
        })+
    };
}

presence! {
    [] Vec<proto::kms::v1::Tag>, list => list.is_empty();
    [] Option<f64>, value => value.is_none();
    [] Option<proto::kms::v1::XksProxyAuthenticationCredentialType>, value => value.is_none();
}

fn absent(rule: &Rule) -> Result<(), Broken> {
    match rule {
        Rule::Required => Err(broken(
            " null".to_owned(),
            "Member must not be null".to_owned(),
        )),
        _ => Ok(()),
    }
}

const fn broken(shown: String, must: String) -> Broken {
    Broken {
        shown,
        at: None,
        must,
    }
}

fn length(text: &str, least: usize, most: usize) -> Result<(), String> {
    let characters = if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    };
    within(characters, least, most, "length")
}

fn within(actual: usize, least: usize, most: usize, what: &str) -> Result<(), String> {
    if actual < least {
        Err(format!(
            "Member must have {what} greater than or equal to {least}"
        ))
    } else if actual > most {
        Err(format!(
            "Member must have {what} less than or equal to {most}"
        ))
    } else {
        Ok(())
    }
}

fn form(text: &str, pattern: &TextPattern) -> Result<(), String> {
    if (pattern.matches)(text) {
        Ok(())
    } else {
        Err(format!(
            "Member must satisfy regular expression pattern: {}",
            pattern.shown
        ))
    }
}

fn one_of(text: &str, values: &[&str]) -> Result<(), String> {
    if values.contains(&text) {
        Ok(())
    } else {
        Err(format!(
            "Member must satisfy enum value set: [{}]",
            values.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use proto::kms::v1;

    use super::*;

    fn message(request: &impl Constrained) -> String {
        check(request).unwrap_err().message().to_owned()
    }

    #[test]
    fn a_plaintext_over_4096_bytes_is_refused_in_awss_words() {
        let request = v1::EncryptRequest {
            key_id: Some("k".to_owned()),
            plaintext: Some(vec![0; 4_097]),
            ..Default::default()
        };
        assert_eq!(
            message(&request),
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: \
             Member must have length less than or equal to 4096"
        );
    }

    #[test]
    fn numbers_are_shown() {
        let request = v1::GenerateRandomRequest {
            number_of_bytes: Some(0),
            ..Default::default()
        };
        assert_eq!(
            message(&request),
            "1 validation error detected: Value '0' at 'numberOfBytes' failed to satisfy \
             constraint: Member must have value greater than or equal to 1"
        );
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        assert_eq!(
            message(&v1::EncryptRequest::default()),
            "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: \
             Member must not be null; Value null at 'plaintext' failed to satisfy constraint: \
             Member must not be null"
        );
    }

    #[test]
    fn members_of_lists_are_named_by_their_position() {
        let request = v1::TagResourceRequest {
            key_id: Some("k".to_owned()),
            tags: vec![
                v1::Tag {
                    tag_key: Some("a".to_owned()),
                    tag_value: Some(String::new()),
                },
                v1::Tag {
                    tag_key: Some("k".repeat(129)),
                    tag_value: Some(String::new()),
                },
            ],
        };
        assert_eq!(
            message(&request),
            format!(
                "1 validation error detected: Value '{}' at 'tags.2.member.tagKey' failed to \
                 satisfy constraint: Member must have length less than or equal to 128",
                "k".repeat(129)
            )
        );
    }

    #[test]
    fn the_refusal_of_a_value_outside_an_enumeration_lists_the_values() {
        let request = v1::GenerateDataKeyRequest {
            key_id: Some("k".to_owned()),
            key_spec: Some("AES_512".to_owned()),
            ..Default::default()
        };
        assert_eq!(
            message(&request),
            "1 validation error detected: Value 'AES_512' at 'keySpec' failed to satisfy \
             constraint: Member must satisfy enum value set: [AES_256, AES_128]"
        );
    }
}
