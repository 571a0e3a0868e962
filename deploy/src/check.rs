//! `sealgate check`: what a start would refuse in a file, and what it would accept and should not, without a start.
//!
//! Nothing is written and no port is bound. With `--online` what a file names is connected to.

mod effective;
mod findings;
mod named_files;
mod online;
mod services;

use std::path::Path;
use std::process::ExitCode;

use proto::iam::Principals;
use toml::Table;
use toml::Value;

use crate::announce::print_line;
use crate::check::findings::Findings;
use crate::cli::check::Check;
use crate::cli::check::Kind;
use crate::configuration::ConfigurationFile;
use crate::configuration::Layout;
use crate::configuration::nearest;
use crate::environment;
use crate::files;
use crate::seed::Seed;
use crate::up;

/// Prints what is wrong with each file. The status is 1 if a start would refuse one of them, or if something that they
/// name cannot be used and that was to be tried.
///
/// # Errors
///
/// When a file cannot be read, or is of no kind that is known.
pub async fn run(flags: &Check) -> anyhow::Result<ExitCode> {
    let mut is_right = true;
    for path in &flags.files {
        let file = ConfigurationFile::read(path)?;
        let kind = match flags.kind {
            Some(kind) => kind,
            None => kind_of(&file)?,
        };
        let file = match layout(kind) {
            Some(layout) => file.under(layout, &environment::fields()?)?,
            None => file,
        };
        let findings = examine(&file, path, kind);
        is_right &= findings.errors.is_empty();
        for line in &findings.errors {
            print_line(line);
        }
        for line in &findings.warnings {
            print_line(&format!("warning: {line}"));
        }
        if findings.errors.is_empty() {
            let warnings = match findings.warnings.len() {
                0 => String::new(),
                1 => ", with a warning".to_owned(),
                number => format!(", with {number} warnings"),
            };
            print_line(&format!(
                "{}: right, a {}{warnings}",
                path.display(),
                kind.name()
            ));
            if flags.print {
                print_line(&effective::text(&file, kind)?);
            }
            if flags.online {
                is_right &= Box::pin(online::run(&file, path, kind)).await;
            }
        }
    }
    Ok(match is_right {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Whose fields variables set in a file; none in lists of users or keys.
const fn layout(kind: Kind) -> Option<Layout> {
    match kind {
        Kind::Kms => Some(Layout::Kms),
        Kind::Gateway => Some(Layout::Gateway),
        Kind::Up => Some(Layout::Up),
        Kind::Users | Kind::Seed => None,
    }
}

/// What is wrong with a file of that kind.
fn examine(file: &ConfigurationFile, path: &Path, kind: Kind) -> Findings {
    let mut findings = Findings::default();
    match kind {
        Kind::Kms => match file.parse() {
            Ok(config) => services::kms(&mut findings.of(file, ""), &config, true),
            Err(mistake) => findings.errors.push(mistake.to_string()),
        },
        Kind::Gateway => match file.parse() {
            Ok(config) => services::gateway(&mut findings.of(file, ""), &config, true),
            Err(mistake) => findings.errors.push(mistake.to_string()),
        },
        Kind::Up => match up::configurations(file) {
            Ok((kms, gateway)) => {
                services::kms(&mut findings.of(file, "kms."), &kms, false);
                services::gateway(&mut findings.of(file, "gateway."), &gateway, false);
            }
            Err(mistake) => findings.errors.push(mistake.to_string()),
        },
        Kind::Users => {
            if let Err(error) = Principals::parse(file.text()) {
                let sentence = nearest(&error.to_string());
                findings
                    .errors
                    .push(format!("{}: {sentence}", path.display()));
            }
            let mode = files::mode(path);
            if mode & 0o077 != 0 {
                let path = path.display();
                let sentence = format!(
                    "{path} has secrets, and others can read it (mode {mode:o}): chmod 600 it"
                );
                findings.errors.push(sentence);
            }
        }
        Kind::Seed => {
            if let Err(error) = Seed::read(path) {
                findings.errors.push(nearest(&format!("{error:#}")));
            }
        }
    }
    findings
}

/// What a file is, by the fields that only one kind has.
fn kind_of(file: &ConfigurationFile) -> anyhow::Result<Kind> {
    let table: Table = file.parse()?;
    let has_any = |names: &[&str]| names.iter().any(|name| table.contains_key(*name));
    let kms_table = table.get("kms").and_then(Value::as_table);
    let is_of_gateway = |kms: &Table| GATEWAY_KMS.iter().any(|name| kms.contains_key(*name));
    let listen = table.get("listen");
    if has_any(&["user", "role"]) {
        return Ok(Kind::Users);
    }
    if has_any(&["key"]) {
        return Ok(Kind::Seed);
    }
    if has_any(&["gateway", "embedded"]) {
        return Ok(Kind::Up);
    }
    if has_any(&KMS_ALONE) || listen.is_some_and(Value::is_str) {
        return Ok(Kind::Kms);
    }
    if has_any(&GATEWAY_ALONE)
        || listen.is_some_and(Value::is_table)
        || kms_table.is_some_and(is_of_gateway)
    {
        return Ok(Kind::Gateway);
    }
    if kms_table.is_some() {
        return Ok(Kind::Up);
    }
    anyhow::bail!(
        "{}: its fields do not show what it is: name that with --as up, kms, gateway, users or seed",
        file.path().display()
    )
}

/// Fields that only the KMS's file has at its top.
const KMS_ALONE: [&str; 9] = [
    "hosts", "regions", "tls", "admin", "store", "enforce", "compat", "quotas", "faults",
];

/// Fields that only the gateway's file has at its top.
const GATEWAY_ALONE: [&str; 18] = [
    "region",
    "other_regions",
    "base_domains",
    "trusted_proxies",
    "users",
    "credentials_file",
    "backend",
    "backend_credentials",
    "state",
    "objects",
    "default_encryption",
    "public_access_block",
    "object_ownership",
    "bucket_keys",
    "object_lambda",
    "access_logs",
    "vaults",
    "access_points",
];

/// Fields of the gateway's table `kms`, which the KMS's own has not.
const GATEWAY_KMS: [&str; 10] = [
    "url",
    "secret_file",
    "ca_file",
    "client_cert_file",
    "client_key_file",
    "allow_plain",
    "credentials",
    "account",
    "root_key",
    "call_timeout_ms",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Kind> {
        kind_of(&ConfigurationFile::of(Path::new("a.toml"), text.to_owned())).ok()
    }

    #[test]
    fn the_fields_of_a_file_show_what_it_is() {
        for (text, expected) in [
            (include_str!("../kms.toml"), Some(Kind::Kms)),
            (include_str!("../gateway.toml"), Some(Kind::Gateway)),
            (include_str!("../kubernetes/kms/kms.toml"), Some(Kind::Kms)),
            (
                include_str!("../kubernetes/gateway/gateway.toml"),
                Some(Kind::Gateway),
            ),
            ("[kms]\nurl = 'grpc://a:1'", Some(Kind::Gateway)),
            ("[kms.quotas]\nscale = 1", Some(Kind::Up)),
            ("[embedded]", Some(Kind::Up)),
            ("[[user]]", Some(Kind::Users)),
            ("[[key]]", Some(Kind::Seed)),
            ("", None),
            ("[limits]", None),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
