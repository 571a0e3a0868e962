//! Configuration as it is written, in a file and in variables of the environment: where each field stands, and
//! sentences about mistakes in them.
//!
//! A sentence begins with `FILE:LINE:COLUMN:`, as compilers write it, so that editors lead there, or with the name of
//! the variable. It never quotes a line, which may have a secret.

mod variables;

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;
use toml::de::DeValue;
use toml::de::Deserializer;
use zeroize::Zeroizing;

use crate::configuration::variables::Setting;

use crate::environment;

pub use crate::configuration::variables::Layout;

/// A TOML file that was read, and variables that set fields over it.
#[derive(Clone, Default)]
pub struct ConfigurationFile {
    /// Empty for a file that there is not.
    path: PathBuf,
    text: Zeroizing<String>,
    settings: Vec<Setting>,
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

    /// Reads a file, if there is one, under the variables of this process that set fields.
    ///
    /// # Errors
    ///
    /// As [`Self::read`] and [`Self::under`].
    pub fn read_under_environment(path: Option<&Path>, layout: Layout) -> anyhow::Result<Self> {
        let file = path.map(Self::read).transpose()?.unwrap_or_default();
        Ok(file.under(layout, &environment::fields()?)?)
    }

    /// A file with this text.
    #[must_use]
    pub fn of(path: &Path, text: String) -> Self {
        Self {
            path: path.to_owned(),
            text: Zeroizing::new(text),
            settings: Vec::new(),
        }
    }

    /// With the fields that variables set, by the names and values of an environment.
    ///
    /// # Errors
    ///
    /// For a name that begins as those of fields do, and is none.
    pub fn under(
        mut self,
        layout: Layout,
        variables: &[(String, String)],
    ) -> Result<Self, Mistake> {
        let settings = Setting::of(layout, variables);
        self.settings = settings.map_err(|(variable, what)| Mistake {
            origin: variable,
            place: None,
            what,
        })?;
        Ok(self)
    }

    /// Whether variables set fields.
    #[must_use]
    pub fn has_variables(&self) -> bool {
        !self.settings.is_empty()
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
        Ok(self.typed()?.0)
    }

    /// What it describes, and itself with variables as the types of the fields are: a value that looks like a number
    /// is text where the field is.
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn typed<T: DeserializeOwned>(&self) -> Result<(T, Self), Mistake> {
        let mut typed = self.clone();
        // What a field said of the value as it was first taken.
        let mut first = None;
        loop {
            let error = match T::deserialize(Deserializer::from(typed.root()?)) {
                Ok(value) => return Ok((value, typed)),
                Err(error) => error,
            };
            let mistake = typed.mistake_of(&error);
            let Some(number) = error.span().and_then(|span| typed.setting_at(span.start)) else {
                return Err(mistake);
            };
            let refused = match &first {
                Some((before, mistake)) if *before == number => Mistake::clone(mistake),
                _ => mistake,
            };
            let setting = typed.settings.get_mut(number);
            let other = setting.map(|setting| setting.take_otherwise(error.message()));
            match other.transpose() {
                Ok(Some(true)) => first = Some((number, refused)),
                Ok(_) => return Err(refused),
                Err(what) => return Err(Mistake { what, ..refused }),
            }
        }
    }

    /// What a parser says, with the place that it means.
    fn mistake_of(&self, error: &toml::de::Error) -> Mistake {
        let span = error.span();
        let field = span.as_ref().and_then(|span| self.field_at(span.start));
        // What stands where a table or list has to be may have secrets: of a variable, all that is no TOML.
        let what = nearest(&without_text(error.message()));
        // A message about an unknown field names it.
        let field = field.filter(|_| !error.message().starts_with("unknown field"));
        let what = match field {
            Some(field) => format!("{field}: {what}"),
            None => what,
        };
        match span {
            Some(span) => self.mistake_at(span.start, what),
            None => Mistake {
                origin: self.origin(),
                place: None,
                what,
            },
        }
    }

    /// The file, or where everything is if there is none.
    fn origin(&self) -> String {
        match self.has_file() {
            true => self.path.display().to_string(),
            false => "the environment".to_owned(),
        }
    }

    fn has_file(&self) -> bool {
        !self.path.as_os_str().is_empty()
    }

    /// A sentence about what is at that byte, or in the variable that is there.
    fn mistake_at(&self, at: usize, what: String) -> Mistake {
        let setting = self.setting_at(at).and_then(|it| self.settings.get(it));
        let (origin, place) = match setting {
            Some(setting) => (setting.variable.clone(), None),
            None => (self.origin(), self.has_file().then(|| self.place(at))),
        };
        Mistake {
            origin,
            place,
            what,
        }
    }

    /// The file with variables over it. Each of these is at one place behind the text.
    fn root(&self) -> Result<Spanned<DeTable<'_>>, Mistake> {
        let root = DeTable::parse(&self.text);
        let mut root = root.map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.mistake_at(at, nearest(error.message()))
        })?;
        for (number, setting) in self.settings.iter().enumerate() {
            let at = self.text.len() + 1 + number;
            let put = setting.put(root.get_mut(), &(at..at + 1));
            put.map_err(|what| self.mistake_at(at, what))?;
        }
        Ok(root)
    }

    /// The number of the variable that [`Self::root`] has there.
    fn setting_at(&self, at: usize) -> Option<usize> {
        let number = at.checked_sub(self.text.len() + 1)?;
        Some(number).filter(|number| *number < self.settings.len())
    }

    /// A sentence about a field, such as `state.bucket` or `users[1].account`, which the sentence names.
    /// None if neither the file nor a variable sets it.
    #[must_use]
    pub fn mistake(&self, field: &str, sentence: &str) -> Option<Mistake> {
        let span = self.span_of(field)?;
        Some(self.mistake_at(span.start, sentence.to_owned()))
    }

    /// An error about the field that `field` names, with its place if the file sets it.
    #[must_use]
    pub fn explain<E>(&self, error: E, field: impl for<'e> Fn(&'e E) -> &'e str) -> anyhow::Error
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        match self.mistake(field(&error), &error.to_string()) {
            Some(mistake) => mistake.into(),
            None if !self.has_file() => error.into(),
            None => anyhow::anyhow!("{}: {error}", self.path.display()),
        }
    }

    /// Whether the file or a variable sets the field.
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

    /// The name of the field of the file whose name or value is at that byte.
    fn field_at(&self, at: usize) -> Option<String> {
        let root = DeTable::parse(&self.text).ok()?;
        field_at(root.get_ref(), at, "")
    }

    /// Where the name of a field stands.
    fn span_of(&self, field: &str) -> Option<Range<usize>> {
        let root = self.root().ok()?;
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

/// A mistake in a configuration file, or in a variable that sets a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file or the variable.
    origin: String,
    /// Line and column.
    place: Option<(usize, usize)>,
    what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Mistake {}

/// A message of a parser that does not quote the text that it is about.
fn without_text(message: &str) -> String {
    let quoted = message.split_once("string \"");
    let around = quoted.and_then(|(before, rest)| {
        let (_, after) = rest.rsplit_once("\", expected ")?;
        Some(format!("{before}text, expected {after}"))
    });
    around.unwrap_or_else(|| message.to_owned())
}

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
