//! Configuration files as they are written: where each field stands, and sentences about mistakes in them.
//!
//! A sentence begins with `FILE:LINE:COLUMN:`, as compilers write it, so that editors lead there. It never quotes a
//! line, which may have a secret.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;
use zeroize::Zeroizing;

/// A TOML file that was read.
#[derive(Clone, Default)]
pub struct ConfigurationFile {
    /// Empty for a file that there is not.
    path: PathBuf,
    text: Zeroizing<String>,
}

impl ConfigurationFile {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is no UTF-8.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
        Ok(Self::of(path, text))
    }

    /// A file with this text.
    #[must_use]
    pub fn of(path: &Path, text: String) -> Self {
        Self {
            path: path.to_owned(),
            text: Zeroizing::new(text),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it describes.
    ///
    /// # Errors
    ///
    /// [`Mistake`] for what is no TOML, an unknown field, and a value that a field cannot have.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistake> {
        toml::from_str(&self.text).map_err(|error| {
            let span = error.span();
            let field = span.as_ref().and_then(|span| self.field_at(span.start));
            let what = nearest(error.message());
            // A message about an unknown field names it.
            let field = field.filter(|_| !error.message().starts_with("unknown field"));
            Mistake {
                file: self.path.clone(),
                place: span.map(|span| self.place(span.start)),
                what: match field {
                    Some(field) => format!("{field}: {what}"),
                    None => what,
                },
            }
        })
    }

    /// A sentence about a field, such as `state.bucket` or `users[1].account`, which the sentence names.
    /// None if the file does not set it.
    #[must_use]
    pub fn mistake(&self, field: &str, sentence: &str) -> Option<Mistake> {
        let span = self.span_of(field)?;
        Some(Mistake {
            file: self.path.clone(),
            place: Some(self.place(span.start)),
            what: sentence.to_owned(),
        })
    }

    /// An error about the field that `field` names, with its place if the file sets it.
    #[must_use]
    pub fn explain<E>(&self, error: E, field: impl for<'e> Fn(&'e E) -> &'e str) -> anyhow::Error
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        match self.mistake(field(&error), &error.to_string()) {
            Some(mistake) => mistake.into(),
            None if self.path.as_os_str().is_empty() => error.into(),
            None => anyhow::anyhow!("{}: {error}", self.path.display()),
        }
    }

    /// Whether the file sets the field.
    #[must_use]
    pub fn sets(&self, field: &str) -> bool {
        self.span_of(field).is_some()
    }

    /// The line and the column of a byte, both from 1; a column is a character.
    fn place(&self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(&self.text);
        let line = before.rsplit('\n').next().unwrap_or_default();
        (before.matches('\n').count() + 1, line.chars().count() + 1)
    }

    /// The name of the field whose name or value is at that byte.
    fn field_at(&self, at: usize) -> Option<String> {
        let root = DeTable::parse(&self.text).ok()?;
        field_at(root.get_ref(), at, "")
    }

    /// Where the name of a field stands.
    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let root = DeTable::parse(&self.text).ok()?;
        let mut table = root.get_ref();
        let mut parts = field.split('.').peekable();
        loop {
            let (name, index) = split_index(parts.next()?);
            let (key, value) = table.get_key_value(name)?;
            let mut span = key.span();
            let mut value: &Spanned<DeValue<'_>> = value;
            if let (Some(index), DeValue::Array(entries)) = (index, value.get_ref()) {
                value = entries.get(index)?;
                span = value.span();
            }
            if parts.peek().is_none() {
                return Some(span);
            }
            let DeValue::Table(inner) = value.get_ref() else {
                return None;
            };
            table = inner;
        }
    }
}

/// `users[1]` as `users` and 1.
fn split_index(part: &str) -> (&str, Option<usize>) {
    let index = part.strip_suffix(']').and_then(|part| part.split_once('['));
    match index.map(|(name, index)| (name, index.parse().ok())) {
        Some((name, index)) => (name, index),
        None => (part, None),
    }
}

/// The innermost field of `table`, which is called `name`, whose name or value is at that byte.
fn field_at(table: &DeTable<'_>, at: usize, name: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = match name {
            "" => key.get_ref().to_string(),
            outer => format!("{outer}.{}", key.get_ref()),
        };
        let within = within(value, at, &name);
        within.or_else(|| key.span().contains(&at).then_some(name))
    })
}

/// The same in a value, which a table's fields may be spread around.
fn within(value: &Spanned<DeValue<'_>>, at: usize, name: &str) -> Option<String> {
    let inner = match value.get_ref() {
        DeValue::Table(table) => field_at(table, at, name),
        DeValue::Array(entries) => {
            let mut entries = entries.iter().enumerate();
            entries.find_map(|(index, entry)| within(entry, at, &format!("{name}[{index}]")))
        }
        _ => None,
    };
    inner.or_else(|| value.span().contains(&at).then(|| name.to_owned()))
}

/// A mistake in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    file: PathBuf,
    /// Line and column.
    place: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Mistake {}

/// A message of a parser in one line, with the nearest of the names that an unknown field or value could have
/// been, in place of all of them.
#[must_use]
pub fn nearest(message: &str) -> String {
    let message = message.trim().replace('\n', "; ");
    for kind in ["unknown field `", "unknown variant `"] {
        if let Some(found) = nearest_of(&message, kind) {
            return found;
        }
    }
    message
}

fn nearest_of(message: &str, kind: &str) -> Option<String> {
    let (before, rest) = message.split_once(kind)?;
    let (name, rest) = rest.split_once('`')?;
    let listed = rest.strip_prefix(", expected ")?;
    // Texts between backquotes stand at odd places.
    let names = listed.split('`').skip(1).step_by(2);
    let scored = names.map(|known| (strsim::jaro_winkler(name, known), known));
    let (score, known) = scored.max_by(|one, other| one.0.total_cmp(&other.0))?;
    let is_near = score >= NEAR;
    is_near.then(|| format!("{before}{kind}{name}`: did you mean `{known}`?"))
}

/// How similar a name must be to be what was meant, from 0 to 1. Lower, and the suggestion is a guess.
const NEAR: f64 = 0.8;

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        listen: u16,
        inner: Inner,
        users: Vec<Inner>,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        bucket: String,
        mode: Mode,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        #[default]
        Window,
        Off,
    }

    fn file(text: &str) -> ConfigurationFile {
        ConfigurationFile::of(Path::new("a.toml"), text.to_owned())
    }

    #[test]
    fn a_mistake_is_reported_with_its_place_and_field_and_the_nearest_name() {
        for (text, expected) in [
            (
                "listne = 1",
                "a.toml:1:1: unknown field `listne`: did you mean `listen`?",
            ),
            (
                "listen = 1\n[inner]\n  buckte = 'a'",
                "a.toml:3:3: unknown field `buckte`: did you mean `bucket`?",
            ),
            (
                "[inner]\nmode = 'windwo'",
                "a.toml:2:8: inner.mode: unknown variant `windwo`: did you mean `window`?",
            ),
            (
                "[[users]]\n[[users]]\nbucket = 7",
                "a.toml:3:10: users[1].bucket: invalid type: integer `7`, expected a string",
            ),
            (
                "users = [{ bucket = 7 }]",
                "a.toml:1:21: users[0].bucket: invalid type: integer `7`, expected a string",
            ),
            (
                "zzz = 1",
                "a.toml:1:1: unknown field `zzz`, expected one of `listen`, `inner`, `users`",
            ),
        ] {
            let mistake = file(text).parse::<Outer>().unwrap_err();
            assert_eq!(mistake.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_toml_is_reported_without_its_text() {
        let text = "listen = 1\nsecret = \"precious";
        let sentence = file(text).parse::<Outer>().unwrap_err().to_string();
        assert!(sentence.starts_with("a.toml:2:"), "{sentence}");
        assert!(
            !sentence.contains("precious") && !sentence.contains('\n'),
            "{sentence}"
        );
    }

    #[test]
    fn a_field_has_a_place_if_the_file_sets_it() {
        let file = file("listen = 1\n[inner]\nbucket = 'a'\n[[users]]\n[[users]]\nbucket = 'b'");
        let place = |field: &str| {
            file.mistake(field, "is wrong")
                .map(|mistake| mistake.to_string())
        };
        assert_eq!(place("inner.bucket").unwrap(), "a.toml:3:1: is wrong");
        assert_eq!(place("users[1].bucket").unwrap(), "a.toml:6:1: is wrong");
        for absent in [
            "bucket",
            "inner.mode",
            "users[2]",
            "listen.deeper",
            "users[0].bucket",
        ] {
            assert_eq!(place(absent), None, "{absent}");
        }
        assert!(file.sets("listen") && !file.sets("inner.mode"));
    }
}
