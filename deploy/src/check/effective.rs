//! What a service would run with: the file that shows every field with its default, under what a file sets.

use std::path::Path;

use anyhow::Context as _;
use toml::Table;
use toml::Value;

use crate::cli::check::Kind;
use crate::configuration::ConfigurationFile;
use crate::up;

/// The configuration as TOML, with `***` in place of each secret.
///
/// # Errors
///
/// When the file is no table.
pub(super) fn text(file: &ConfigurationFile, kind: Kind) -> anyhow::Result<String> {
    let typed = match kind {
        Kind::Kms => file.typed::<kms::config::Config>().ok().map(|it| it.1),
        Kind::Gateway => file.typed::<gateway::config::Config>().ok().map(|it| it.1),
        Kind::Up => up::typed(file).ok(),
        Kind::Users | Kind::Seed => None,
    };
    let written: Table = typed.as_ref().unwrap_or(file).parse()?;
    let mut effective = match kind {
        Kind::Kms => over(kms_defaults()?, written),
        Kind::Gateway => over(gateway_defaults(&written)?, written),
        Kind::Up => {
            let table = |name: &str| written.get(name).and_then(Value::as_table).cloned();
            let gateway = table("gateway").unwrap_or_default();
            let mut both = Table::new();
            both.insert("kms".to_owned(), Value::Table(kms_defaults()?));
            both.insert(
                "gateway".to_owned(),
                Value::Table(gateway_defaults(&gateway)?),
            );
            over(both, written)
        }
        Kind::Users | Kind::Seed => written,
    };
    mask(&mut effective);
    toml::to_string(&effective).context("printing the configuration")
}

fn kms_defaults() -> anyhow::Result<Table> {
    parse(include_str!("../../kms.toml"))
}

/// Of the gateway with what `written` sets, since a table of listeners opens those that it names, and no others.
fn gateway_defaults(written: &Table) -> anyhow::Result<Table> {
    let mut defaults = parse(include_str!("../../gateway.toml"))?;
    if written.contains_key("listen")
        && let Some(listen) = defaults.get_mut("listen").and_then(Value::as_table_mut)
    {
        for name in ["http", "https", "admin"] {
            listen.remove(name);
        }
    }
    Ok(defaults)
}

fn parse(text: &str) -> anyhow::Result<Table> {
    Ok(ConfigurationFile::of(Path::new("the defaults"), text.to_owned()).parse()?)
}

/// A table with the fields of another over it.
fn over(mut below: Table, above: Table) -> Table {
    for (name, value) in above {
        let merged = match (below.remove(&name), value) {
            (Some(Value::Table(below)), Value::Table(above)) => Value::Table(over(below, above)),
            (_, value) => value,
        };
        below.insert(name, merged);
    }
    below
}

/// Replaces secrets.
fn mask(table: &mut Table) {
    for (name, value) in table {
        match value {
            // The gateway's `root_key` is the name of a KMS key.
            Value::String(text) if is_secret(name, text) => "***".clone_into(text),
            Value::Table(inner) => mask(inner),
            Value::Array(entries) if SECRETS.contains(&name.as_str()) => {
                entries
                    .iter_mut()
                    .for_each(|entry| *entry = Value::String("***".to_owned()));
            }
            Value::Array(entries) => entries
                .iter_mut()
                .filter_map(Value::as_table_mut)
                .for_each(mask),
            _ => {}
        }
    }
}

fn is_secret(name: &str, text: &str) -> bool {
    let is_root_key = name == "root_key" && text.len() == 64 && !text.contains('/');
    !text.is_empty() && (SECRETS.contains(&name) || is_root_key)
}

/// The fields with secrets in any file. `secret` is that of an MFA device.
const SECRETS: [&str; 9] = [
    "secret_access_key",
    "service_secret",
    "token",
    "keys_token",
    "admin_token",
    "secret",
    "material",
    "materials",
    "private_key",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration::Layout;

    fn effective(text: &str, kind: Kind) -> Table {
        let file = ConfigurationFile::of(Path::new("a.toml"), text.to_owned());
        toml::from_str(&super::text(&file, kind).unwrap()).unwrap()
    }

    #[test]
    fn what_a_file_sets_stands_over_the_defaults() {
        let table = effective("[quotas]\nscale = 0.5", Kind::Kms);
        assert_eq!(table["quotas"]["scale"].as_float(), Some(0.5));
        assert_eq!(table["quotas"]["profile"].as_str(), Some("2026"));
        assert_eq!(table["listen"].as_str(), Some("127.0.0.1:9080"));
        let table = effective(
            "[kms.quotas]\nscale = 0.5\n[gateway.state]\nbucket = 'mine'",
            Kind::Up,
        );
        assert_eq!(table["gateway"]["state"]["bucket"].as_str(), Some("mine"));
        assert_eq!(
            table["gateway"]["listen"]["http"].as_str(),
            Some("127.0.0.1:9070")
        );
        assert_eq!(table["kms"]["quotas"]["scale"].as_float(), Some(0.5));
    }

    #[test]
    fn a_table_of_listeners_opens_no_others() {
        let table = effective("[listen]\nhttp = '127.0.0.1:1'", Kind::Gateway);
        let listen = table["listen"].as_table().unwrap();
        assert_eq!(listen["http"].as_str(), Some("127.0.0.1:1"));
        assert!(!listen.contains_key("admin"));
        assert_eq!(listen["loopback_is_secure"].as_bool(), Some(false));
    }

    #[test]
    fn no_secret_is_printed() {
        let key = "0123456789abcdef".repeat(4);
        for (text, kind) in [
            (format!("[store]\nroot_key = '{key}'"), Kind::Kms),
            (
                format!("[authenticate]\nservice_secret = '{key}'"),
                Kind::Kms,
            ),
            (
                format!("[admin]\ntoken = '{key}'\nkeys_token = '{key}'"),
                Kind::Kms,
            ),
            (
                format!(
                    "[[authenticate.credentials]]\naccess_key_id = 'a'\nsecret_access_key = '{key}'"
                ),
                Kind::Kms,
            ),
            (format!("[listen]\nadmin_token = '{key}'"), Kind::Gateway),
            (
                format!("[gateway.backend_credentials]\nsecret_access_key = '{key}'"),
                Kind::Up,
            ),
            (
                format!("[[user]]\nmfa = [{{ secret = '{key}' }}]"),
                Kind::Users,
            ),
            (
                format!("[[key]]\nmaterial = '{key}'\nmaterials = ['{key}']"),
                Kind::Seed,
            ),
        ] {
            let shown = toml::to_string(&effective(&text, kind)).unwrap();
            assert!(
                shown.contains("***") && !shown.contains(&key),
                "{text}: {shown}"
            );
        }
        let table = effective("[kms]\nroot_key = 'alias/mine'", Kind::Gateway);
        assert_eq!(table["kms"]["root_key"].as_str(), Some("alias/mine"));
    }
    #[test]
    fn a_variable_is_shown_as_the_type_that_its_field_has() {
        let variables = [
            ("SEALGATE_KMS__AUTHENTICATE__ACCOUNT", "111122223333"),
            ("SEALGATE_KMS__QUOTAS__SCALE", "0.5"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let file = ConfigurationFile::of(Path::new("a.toml"), String::new());
        let file = file.under(Layout::Kms, &variables).unwrap();
        let shown: Table = toml::from_str(&text(&file, Kind::Kms).unwrap()).unwrap();
        let account = shown["authenticate"]["account"].as_str();
        let scale = shown["quotas"]["scale"].as_float();
        assert_eq!((account, scale), (Some("111122223333"), Some(0.5)));
    }
}
