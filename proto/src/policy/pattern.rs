//! Texts with wildcards and policy variables.

use std::borrow::Cow;

use crate::policy::budget::Budget;
use crate::policy::budget::Unresolved;
use crate::policy::glob::Glob;
use crate::policy::request::Context;

/// A text of a policy, some of whose characters may stand for others.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: Box<str>,
    meaning: Meaning,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    /// The same for every request.
    Fixed(Glob),
    /// With variables between the rest.
    Variable(Vec<Part>),
}

#[derive(Clone, Debug)]
enum Part {
    Glob(Glob),
    Variable {
        /// In lower case.
        key: String,
        default: Option<String>,
    },
}

/// What the characters of a pattern may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) wildcards: Wildcards,
    /// `${key}` is a variable: only under version `2012-10-17`.
    pub(crate) variables: bool,
    /// The pattern is for texts in [`lower`] case.
    pub(crate) ignore_case: bool,
}

/// What `*` and `?` are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wildcards {
    /// Characters like any other.
    None,
    /// Wildcards.
    Free,
    /// Wildcards that stay within their part of an ARN: [`Glob::confine_to_parts`].
    Arn {
        /// One that ends its part does not.
        trailing_any: bool,
    },
}

impl Pattern {
    /// Reads `text`. A `${` without its `}` stands for itself.
    pub(crate) fn parse(text: &str, meaning: Meaning) -> Self {
        let wildcards = meaning.wildcards != Wildcards::None;
        let mut parts = Vec::new();
        let mut glob = Glob::default();
        let mut rest = text;
        // Cleared when no `}` is left, so that it is looked for in vain only once.
        let mut variables = meaning.variables;
        while let Some(next) = rest.chars().next() {
            if variables && let Some(inner) = rest.strip_prefix("${") {
                if let Some((inner, after)) = inner.split_once('}') {
                    match inner {
                        "*" | "?" | "$" => glob.push_text(inner),
                        _ => {
                            parts.push(Part::Glob(std::mem::take(&mut glob)));
                            parts.push(parse_variable(inner));
                        }
                    }
                    rest = after;
                    continue;
                }
                variables = false;
            }
            match next {
                '*' if wildcards => glob.push_any(),
                '?' if wildcards => glob.push_one(),
                other if meaning.ignore_case => other.to_lowercase().for_each(|it| glob.push(it)),
                other => glob.push(other),
            }
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        let form = if parts.is_empty() {
            Form::Fixed(meaning.confined(glob))
        } else {
            parts.push(Part::Glob(glob));
            Form::Variable(parts)
        };
        let text = text.into();
        Self {
            text,
            meaning,
            form,
        }
    }

    /// The text as the policy has it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The pattern, if it is the same for every request.
    pub(crate) const fn fixed(&self) -> Option<&Glob> {
        match &self.form {
            Form::Fixed(glob) => Some(glob),
            Form::Variable(_) => None,
        }
    }

    /// The pattern for one request; `None` where a variable has no value there, which is like and
    /// equal to nothing. What a variable brings in is never a wildcard.
    ///
    /// Unresolved where the variables bring in more than [`VARIABLES_BYTES_MAX`].
    pub(crate) fn resolve(
        &self,
        context: &Context,
        budget: &mut Budget,
    ) -> Result<Option<Cow<'_, Glob>>, Unresolved> {
        let parts = match &self.form {
            Form::Fixed(glob) => return Ok(Some(Cow::Borrowed(glob))),
            Form::Variable(parts) => parts,
        };
        budget.spend(parts.len() * VARIABLE_STEPS)?;
        let values = parts.iter().filter_map(|part| part.value(context));
        let Some(values) = values.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let brought: usize = values.iter().map(|value| value.len()).sum();
        if brought > VARIABLES_BYTES_MAX {
            return Err(Unresolved);
        }
        let steps_per_byte = if self.meaning.ignore_case {
            LOWER_STEPS
        } else {
            1
        };
        budget.spend(self.text.len() + brought * steps_per_byte)?;
        let mut glob = Glob::default();
        let mut values = values.into_iter();
        for part in parts {
            match part {
                Part::Glob(more) => glob.append(more),
                Part::Variable { .. } => {
                    let value = values.next().unwrap_or_default();
                    if self.meaning.ignore_case {
                        glob.push_text(&lower(value));
                    } else {
                        glob.push_text(value);
                    }
                }
            }
        }
        Ok(Some(Cow::Owned(self.meaning.confined(glob))))
    }
}

impl Part {
    /// `None` for what is no variable; `Some(None)` for a variable without a value.
    fn value<'v>(&'v self, context: &'v Context) -> Option<Option<&'v str>> {
        let Self::Variable { key, default } = self else {
            return None;
        };
        Some(match context.values_of(key) {
            Some([value]) => Some(value),
            None => default.as_deref(),
            Some(_) => None,
        })
    }
}

impl Meaning {
    fn confined(self, mut glob: Glob) -> Glob {
        if let Wildcards::Arn { trailing_any } = self.wildcards {
            glob.confine_to_parts(trailing_any);
        }
        glob
    }
}

fn parse_variable(inner: &str) -> Part {
    let (key, default) = match inner.split_once(',') {
        Some((key, default)) => {
            let default = default.trim();
            let quoted = default
                .strip_prefix('\'')
                .and_then(|default| default.strip_suffix('\''));
            (key, Some(quoted.unwrap_or(default).to_owned()))
        }
        None => (inner, None),
    };
    Part::Variable {
        key: key.trim().to_lowercase(),
        default,
    }
}

/// `text` for a comparison without regard to case.
pub(crate) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// What [`lower`] costs for each byte.
pub(crate) const LOWER_STEPS: usize = 8;

/// What looking up a variable costs.
const VARIABLE_STEPS: usize = 64;

/// Most bytes that the variables of one pattern may bring in.
///
/// It is compared with something that a request contains once: an object's key has at most 1,024 bytes,
/// S3 takes 8 KB of headers and KMS 8 KiB of encryption context.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html>,
/// <https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html>
pub(crate) const VARIABLES_BYTES_MAX: usize = 8 << 10;
