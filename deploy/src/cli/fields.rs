//! Files whose fields are flags, with `_` for `-`: each flag is a field, and each rule about one holds for the other.

use std::ffi::OsString;

use clap::Parser;
use clap::error::ContextKind;
use clap::error::ContextValue;
use toml::Table;
use toml::Value;

/// The table of a text.
///
/// # Errors
///
/// When it is no TOML: with the line.
pub fn table(text: &str) -> anyhow::Result<Table> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().and_then(|span| text.get(..span.start));
        let line = line.map_or(0, |before| before.matches('\n').count() + 1);
        anyhow::anyhow!("line {line}: {}", error.message())
    })
}

/// Reads fields as flags; `own` are fields that were read before.
///
/// # Errors
///
/// When a field is unknown, missing or wrong: with its name.
pub fn read<P: Parser>(fields: &Table, own: &[&str]) -> anyhow::Result<P> {
    let command = P::command();
    let names = command
        .get_arguments()
        .filter_map(|argument| argument.get_long());
    let mut names: Vec<_> = names.map(|name| name.replace('-', "_")).collect();
    names.extend(own.iter().map(|name| (*name).to_owned()));
    let mut arguments = Vec::new();
    for (field, value) in fields {
        known(field, &names)?;
        let flag = field.replace('_', "-");
        match value {
            Value::Boolean(true) => arguments.push(format!("--{flag}").into()),
            Value::Boolean(false) => {}
            Value::Array(values) => {
                for value in values {
                    arguments.push(format!("--{flag}={}", text(field, value)?).into());
                }
            }
            value => arguments.push(format!("--{flag}={}", text(field, value)?).into()),
        }
    }
    parse(arguments)
}

/// Reads flags; an error names the field that a flag stands for.
///
/// # Errors
///
/// When a flag is missing or wrong.
pub fn parse<P: Parser>(arguments: Vec<OsString>) -> anyhow::Result<P> {
    P::try_parse_from(arguments).map_err(|error| {
        let of = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            _ => None,
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        let whole = error.to_string();
        let first = whole.lines().next().unwrap_or_default();
        let reason = cause.unwrap_or_else(|| first.trim_start_matches("error: ").to_owned());
        match of(ContextKind::InvalidArg) {
            Some(flag) => {
                let name = flag.split(' ').next().unwrap_or_default();
                let field = name.trim_start_matches('-').replace('-', "_");
                anyhow::anyhow!("field `{field}`: {reason}")
            }
            None => anyhow::anyhow!(reason),
        }
    })
}

/// The text of a flag's value.
fn text(field: &str, value: &Value) -> anyhow::Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        _ => anyhow::bail!("field `{field}` has neither a text nor a number"),
    }
}

/// Refuses a name that is not among the fields, with the nearest one that is.
///
/// # Errors
///
/// When it is not.
pub fn known(field: &str, names: &[String]) -> anyhow::Result<()> {
    if names.iter().any(|name| name == field) {
        return Ok(());
    }
    let nearness = |name: &&String| strsim::jaro_winkler(field, name);
    let nearest = names
        .iter()
        .max_by(|a, b| nearness(a).total_cmp(&nearness(b)));
    match nearest.filter(|name| nearness(name) > NEAR) {
        Some(name) => anyhow::bail!("there is no field `{field}`: is `{name}` meant?"),
        None => anyhow::bail!("there is no field `{field}`: they are {}", names.join(", ")),
    }
}

/// How near a name must be to be meant; clap demands as much of flags.
const NEAR: f64 = 0.7;
