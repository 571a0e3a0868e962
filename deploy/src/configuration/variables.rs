//! Fields that variables of the environment set, over those of a file.
//!
//! `SEALGATE_GATEWAY__BACKEND__URL` is the field `backend.url` of the gateway, and `gateway.backend.url` of `up`: two
//! underscores for each level. A number is an entry of a list. A value is TOML where it is written so and the field
//! takes it, and text otherwise; `..._FILE` is a file with the text.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::DeArray;
use toml::de::DeString;
use toml::de::DeTable;
use toml::de::DeValue;
use zeroize::Zeroizing;

/// A variable that sets a field.
#[derive(Clone)]
pub(super) struct Setting {
    /// Its name.
    pub(super) variable: String,
    /// The tables around the field and the field, from the outermost.
    path: Vec<String>,
    /// The value as it is given.
    value: Zeroizing<String>,
    form: Form,
    /// `value = ` and the value, in TOML.
    written: Zeroizing<String>,
}

/// How a value is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// As the TOML that it is.
    Toml,
    /// As text, whatever it looks like.
    Text,
    /// As the name of a file with the text.
    File,
}

/// The tables of a configuration, and the beginning of the names of their fields' variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Of the gateway alone.
    Gateway,
    /// Of the KMS alone.
    Kms,
    /// Of `up`, which has a table of each.
    Up,
}

impl Layout {
    /// What variables begin with, and the table where their fields are; empty for the outermost.
    fn prefixes(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Gateway => &[("SEALGATE_GATEWAY__", "")],
            Self::Kms => &[("SEALGATE_KMS__", "")],
            Self::Up => &[
                ("SEALGATE_GATEWAY__", "gateway"),
                ("SEALGATE_KMS__", "kms"),
                ("SEALGATE_EMBEDDED__", "embedded"),
            ],
        }
    }
}

impl Setting {
    /// Those of an environment, by their names. A variable that is empty sets nothing, as every other one.
    ///
    /// # Errors
    ///
    /// The variable and a sentence, for the name of no field.
    pub(super) fn of(
        layout: Layout,
        variables: &[(String, String)],
    ) -> Result<Vec<Self>, (String, String)> {
        let mut settings = Vec::new();
        for (variable, value) in variables.iter().filter(|(_, value)| !value.is_empty()) {
            let known = Layout::Up.prefixes().iter();
            let begins = |(prefix, _): &&(&str, _)| variable.starts_with(prefix);
            if !known.clone().any(|it| begins(&it)) {
                let prefixes = known.map(|(prefix, _)| *prefix).collect::<Vec<_>>();
                let sentence = format!("no field begins so: {}", prefixes.join(", "));
                return Err((variable.clone(), sentence));
            }
            let mut here = layout.prefixes().iter();
            let Some((prefix, table)) = here.find(begins) else {
                continue;
            };
            let name = variable.strip_prefix(prefix).unwrap_or_default();
            let parts = name.split("__").map(str::to_ascii_lowercase);
            let table = Some((*table).to_owned()).filter(|table| !table.is_empty());
            let path: Vec<String> = table.into_iter().chain(parts).collect();
            if path.iter().any(String::is_empty) {
                return Err((variable.clone(), "names no field".to_owned()));
            }
            settings.push(Self::new(variable, path, value));
        }
        // A table before its fields, and the second entry of a list before the tenth.
        settings.sort_by_cached_key(|it| {
            let parts = it.path.iter().map(|part| (part.len(), part.clone()));
            parts.collect::<Vec<_>>()
        });
        Ok(settings)
    }

    fn new(variable: &str, path: Vec<String>, value: &str) -> Self {
        let as_toml = Zeroizing::new(format!("value = {value}"));
        // One more line would be one more field.
        let is_toml = DeTable::parse(&as_toml).is_ok_and(|table| table.get_ref().len() == 1);
        let (form, written) = match is_toml {
            true => (Form::Toml, as_toml),
            false => (Form::Text, text(value)),
        };
        Self {
            variable: variable.to_owned(),
            path,
            value: Zeroizing::new(value.to_owned()),
            form,
            written,
        }
    }

    /// Takes it another way than the one that a field refused with that message; false if there is none.
    ///
    /// # Errors
    ///
    /// A sentence, if it names a file that cannot be read.
    pub(super) fn take_otherwise(&mut self, message: &str) -> Result<bool, String> {
        let field = self.path.last_mut();
        let field = field.and_then(|field| Some((field.strip_suffix("_file")?.to_owned(), field)));
        if message.starts_with("unknown field")
            && self.form != Form::File
            && let Some((of_text, field)) = field
        {
            let content = std::fs::read_to_string(self.value.as_str());
            let content = content.map_err(|error| format!("{}: {error}", self.value.as_str()))?;
            let content = Zeroizing::new(content);
            *field = of_text;
            (self.form, self.written) = (Form::File, text(content.trim()));
            return Ok(true);
        }
        if self.form != Form::Toml || message.starts_with("unknown field") {
            return Ok(false);
        }
        (self.form, self.written) = (Form::Text, text(&self.value));
        Ok(true)
    }

    /// Sets the field in the table of a file. Names and values are at `at` there, all of them.
    ///
    /// # Errors
    ///
    /// A sentence, if there is something else where a table or a list would have to be.
    pub(super) fn put<'a>(
        &'a self,
        root: &mut DeTable<'a>,
        at: &Range<usize>,
    ) -> Result<(), String> {
        let parsed = DeTable::parse(&self.written).map_err(|error| error.message().to_owned())?;
        let value = parsed.into_inner().remove("value");
        let value = moved(value.ok_or("has no value")?, at);
        let Some((last, tables)) = self.path.split_last() else {
            return Err("names no field".to_owned());
        };
        let mut place = Place::Table(root);
        for (name, next) in tables.iter().zip(self.path.iter().skip(1)) {
            place = place.inner(name, next, at)?;
        }
        place.set(last, value, at)
    }
}

/// Where a field is set.
enum Place<'p, 'a> {
    Table(&'p mut DeTable<'a>),
    List(&'p mut DeArray<'a>),
}

impl<'p, 'a> Place<'p, 'a> {
    /// The table or list of that name, which is made if it is not there: a list if `next` is its first entry.
    fn inner(self, name: &'a str, next: &str, at: &Range<usize>) -> Result<Self, String> {
        let new = || {
            let value = match next {
                "0" => DeValue::Array(DeArray::new()),
                _ => DeValue::Table(DeTable::new()),
            };
            Spanned::new(at.clone(), value)
        };
        let entry = match self {
            Place::Table(table) => {
                if !table.contains_key(name) {
                    table.insert(key(name, at), new());
                }
                table.get_mut(name)
            }
            Place::List(entries) => {
                let index = index(name, entries.len())?;
                if index == entries.len() {
                    entries.push(new());
                }
                entries.get_mut(index)
            }
        };
        match entry.map(Spanned::get_mut) {
            Some(DeValue::Table(table)) => Ok(Place::Table(table)),
            Some(DeValue::Array(entries)) => Ok(Place::List(entries)),
            _ => Err(format!("`{name}` is no table")),
        }
    }

    fn set(
        self,
        name: &'a str,
        value: Spanned<DeValue<'a>>,
        at: &Range<usize>,
    ) -> Result<(), String> {
        match self {
            Place::Table(table) => {
                // What is replaced would keep the place of its name.
                table.remove(name);
                table.insert(key(name, at), value);
            }
            Place::List(entries) => match index(name, entries.len())? {
                index if index == entries.len() => entries.push(value),
                index => {
                    if let Some(entry) = entries.get_mut(index) {
                        *entry = value;
                    }
                }
            },
        }
        Ok(())
    }
}

fn key<'a>(name: &'a str, at: &Range<usize>) -> Spanned<DeString<'a>> {
    Spanned::new(at.clone(), Cow::Borrowed(name))
}

/// The number of an entry of a list with so many: one of them, or the next.
fn index(name: &str, entries: usize) -> Result<usize, String> {
    let index: Option<usize> = name.parse().ok();
    let index = index.filter(|index| *index <= entries);
    index.ok_or_else(|| format!("`{name}` is no entry of a list of {entries}, nor the next one"))
}

/// `value = ` and a text, in TOML.
fn text(value: &str) -> Zeroizing<String> {
    let value = Zeroizing::new(toml::Value::String(value.to_owned()).to_string());
    Zeroizing::new(format!("value = {}", value.as_str()))
}

/// A value whose parts are all at `at`.
fn moved<'a>(value: Spanned<DeValue<'a>>, at: &Range<usize>) -> Spanned<DeValue<'a>> {
    let value = match value.into_inner() {
        DeValue::Table(table) => {
            let fields = table.into_iter().map(|(key, value)| {
                let key = Spanned::new(at.clone(), key.into_inner());
                (key, moved(value, at))
            });
            DeValue::Table(fields.collect())
        }
        DeValue::Array(entries) => {
            let entries = entries.into_iter().map(|entry| moved(entry, at));
            DeValue::Array(entries.collect())
        }
        value => value,
    };
    Spanned::new(at.clone(), value)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde::Deserialize;

    use super::*;
    use crate::configuration::ConfigurationFile;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        region: String,
        port: u16,
        is_open: bool,
        hosts: Vec<String>,
        backend: Backend,
        users: Vec<User>,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Backend {
        url: String,
        ca_file: Option<String>,
        secret: String,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct User {
        account: String,
    }

    fn under(text: &str, variables: &[(&str, &str)]) -> Result<ConfigurationFile, String> {
        let owned = |(name, value): &(&str, &str)| {
            (format!("SEALGATE_GATEWAY__{name}"), (*value).to_owned())
        };
        let variables: Vec<_> = variables.iter().map(owned).collect();
        let file = ConfigurationFile::of(Path::new("a.toml"), text.to_owned());
        let file = file.under(Layout::Gateway, &variables);
        file.map_err(|mistake| mistake.to_string())
    }

    fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Outer, String> {
        let file = under(text, variables)?;
        file.parse().map_err(|mistake| mistake.to_string())
    }

    #[test]
    fn variables_set_fields_over_those_of_the_file() {
        let text =
            "region = 'a'\nport = 1\n[backend]\nurl = 'b'\nsecret = 'c'\n[[users]]\naccount = 'd'";
        let variables = [
            ("PORT", "2"),
            ("IS_OPEN", "true"),
            ("HOSTS", "['e', 'f']"),
            ("BACKEND__URL", "https://g:1/#h"),
            ("BACKEND__CA_FILE", "/i"),
            ("USERS__0__ACCOUNT", "111122223333"),
            ("USERS__1__ACCOUNT", "444455556666"),
            ("REGION", ""),
        ];
        let account = |account: &str| User {
            account: account.to_owned(),
        };
        let expected = Outer {
            region: "a".to_owned(),
            port: 2,
            is_open: true,
            hosts: vec!["e".to_owned(), "f".to_owned()],
            backend: Backend {
                url: "https://g:1/#h".to_owned(),
                ca_file: Some("/i".to_owned()),
                secret: "c".to_owned(),
            },
            users: vec![account("111122223333"), account("444455556666")],
        };
        assert_eq!(parse(text, &variables).unwrap(), expected);
    }

    #[test]
    fn without_a_file_variables_are_the_configuration() {
        let entries: Vec<_> = (0..12)
            .map(|index| (format!("USERS__{index}__ACCOUNT"), index))
            .collect();
        let values: Vec<String> = entries
            .iter()
            .map(|(_, index)| format!("{index}"))
            .collect();
        let variables: Vec<(&str, &str)> = entries
            .iter()
            .zip(&values)
            .map(|((name, _), value)| (name.as_str(), value.as_str()))
            .collect();
        let found = parse("", &variables).unwrap();
        let accounts: Vec<_> = found.users.iter().map(|user| &user.account).collect();
        assert_eq!(accounts, values.iter().collect::<Vec<_>>());
        let whole = parse(
            "",
            &[("USERS", "[{ account = '1' }]"), ("USERS__1__ACCOUNT", "2")],
        );
        assert_eq!(whole.unwrap().users.len(), 2);
    }

    #[test]
    fn a_value_is_text_where_the_field_is_whatever_it_looks_like() {
        for value in [
            "7",
            "true",
            "2026-01-01",
            "[1]",
            "'q'",
            "a\nb = 1",
            "= \"",
            "{",
            "\\",
        ] {
            let found = parse("", &[("REGION", value)]).unwrap();
            // What is a text of TOML is the text in it.
            let expected = value.trim_matches('\'');
            assert_eq!(found.region, expected, "{value}");
        }
    }

    #[test]
    fn a_file_with_the_text_of_any_field_may_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "12345\n").unwrap();
        let file = file.to_str().unwrap();
        let found = parse("", &[("BACKEND__SECRET_FILE", file)]).unwrap();
        assert_eq!(found.backend.secret, "12345");
        let found = parse("", &[("BACKEND__CA_FILE", file)]).unwrap();
        assert_eq!(
            found.backend.ca_file.as_deref(),
            Some(file),
            "a field itself"
        );
        let refusal = parse("", &[("BACKEND__SECRET_FILE", "/nowhere")]).unwrap_err();
        assert!(
            refusal.starts_with("SEALGATE_GATEWAY__BACKEND__SECRET_FILE: /nowhere: No such file"),
            "{refusal}"
        );
    }

    #[test]
    fn a_mistake_names_its_variable() {
        for (text, variable, expected) in [
            (
                "",
                ("BACKEND__SECERT", "a"),
                "SEALGATE_GATEWAY__BACKEND__SECERT: unknown field `secert`: did you mean `secret`?",
            ),
            (
                "",
                ("PORT", "70000"),
                "SEALGATE_GATEWAY__PORT: invalid value: integer `70000`, expected u16",
            ),
            (
                "",
                ("IS_OPEN", "yes"),
                "SEALGATE_GATEWAY__IS_OPEN: invalid type: text, expected a boolean",
            ),
            (
                "port = 1",
                ("PORT__DEEPER", "1"),
                "SEALGATE_GATEWAY__PORT__DEEPER: `port` is no table",
            ),
            (
                "users = []",
                ("USERS__1__ACCOUNT", "1"),
                "SEALGATE_GATEWAY__USERS__1__ACCOUNT: `1` is no entry of a list of 0, nor the next one",
            ),
            (
                "",
                ("BACKEND____URL", "a"),
                "SEALGATE_GATEWAY__BACKEND____URL: names no field",
            ),
            (
                "port = 'a'",
                ("REGION", "b"),
                "a.toml:1:8: port: invalid type: text, expected u16",
            ),
        ] {
            let refusal = parse(text, &[variable]).unwrap_err();
            assert_eq!(refusal, expected, "{variable:?}");
        }
        let file = under("port = 1", &[("BACKEND__URL", "a")]).unwrap();
        let sentence = |field: &str| file.mistake(field, "is wrong").map(|it| it.to_string());
        assert_eq!(
            sentence("backend.url").unwrap(),
            "SEALGATE_GATEWAY__BACKEND__URL: is wrong"
        );
        assert_eq!(sentence("port").unwrap(), "a.toml:1:1: is wrong");
        assert_eq!(sentence("backend.secret"), None);
    }

    /// The variables that set every field of a table as it is there, and those of the tables in it.
    fn variables_of(table: &toml::Table, prefix: &str) -> Vec<(String, String)> {
        let fields = table.iter().flat_map(|(name, value)| {
            let variable = format!("{prefix}{}", name.to_ascii_uppercase());
            match value {
                toml::Value::Table(inner) if !inner.is_empty() => {
                    variables_of(inner, &format!("{variable}__"))
                }
                value => vec![(variable, value.to_string())],
            }
        });
        fields.collect()
    }

    #[test]
    fn every_field_of_the_shown_files_is_set_by_a_variable() {
        let kms = include_str!("../../kms.toml");
        let gateway = include_str!("../../gateway.toml");
        for (layout, prefix, text) in [
            (Layout::Kms, "SEALGATE_KMS__", kms),
            (Layout::Gateway, "SEALGATE_GATEWAY__", gateway),
        ] {
            let file = ConfigurationFile::of(Path::new("shown.toml"), text.to_owned());
            let table: toml::Table = file.parse().unwrap();
            let variables = variables_of(&table, prefix);
            assert!(variables.len() > 20, "{layout:?}: {}", variables.len());
            let set = ConfigurationFile::default().under(layout, &variables);
            let set = set.unwrap();
            assert_eq!(set.parse::<toml::Table>().unwrap(), table);
            let is_taken = match layout {
                Layout::Kms => set.parse::<kms::config::Config>().map(drop),
                _ => set.parse::<gateway::config::Config>().map(drop),
            };
            is_taken.unwrap();
        }
    }

    #[test]
    fn a_mistake_in_a_variable_does_not_show_what_is_in_it() {
        for (name, value) in [
            ("USERS", "[{ account = 'canary' "),
            ("USERS", "[{ account = 'a', secret = \"canary\", expected ]"),
            ("USERS", "'canary'"),
            ("USERS", "['canary']"),
            ("USERS__0", "canary"),
            ("BACKEND", "{ url = 'canary', ca_file = 7, "),
            ("HOSTS", "canary"),
            ("PORT", "canary"),
        ] {
            let refusal = parse("", &[(name, value)]).unwrap_err();
            assert!(refusal.starts_with("SEALGATE_GATEWAY__"), "{refusal}");
            assert!(!refusal.contains("canary"), "{value}: {refusal}");
        }
        let refusal = parse("users = 'canary'", &[]).unwrap_err();
        assert!(!refusal.contains("canary"), "{refusal}");
    }

    #[test]
    fn variables_of_another_service_set_nothing_and_those_of_none_are_refused() {
        let variables = |name: &str| vec![(name.to_owned(), "1".to_owned())];
        let of_kms = variables("SEALGATE_KMS__PORT");
        let count = |layout| Setting::of(layout, &of_kms).unwrap().len();
        assert_eq!(
            [Layout::Gateway, Layout::Kms, Layout::Up].map(count),
            [0, 1, 1]
        );
        let refusal = Setting::of(Layout::Kms, &variables("SEALGATE_GATWAY__PORT"));
        let (variable, sentence) = refusal.err().unwrap();
        assert_eq!(variable, "SEALGATE_GATWAY__PORT");
        assert!(sentence.contains("SEALGATE_GATEWAY__"), "{sentence}");
    }
}
