//! `sealgate env`: the environment by which AWS's SDKs and CLI reach the `up` that runs here.

mod profile;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;

use crate::announce::print_line;
use crate::cli::env::Env;
use crate::cli::env::Shell;
use crate::environment;
use crate::running::RunningUp;

/// Prints the variables, or writes a profile.
///
/// # Errors
///
/// When no `up` runs in the folder, or a file of profiles cannot be written. Nothing is printed then.
pub fn run(flags: &Env) -> anyhow::Result<()> {
    if flags.unset {
        let java = flags.java.then_some(JAVA);
        let names = NAMES.into_iter().chain(STALE).chain(java);
        let lines: Vec<String> = names.map(|name| unset(flags.shell, name)).collect();
        print_line(&lines.join("\n"));
        return Ok(());
    }
    let running = RunningUp::read(&flags.folder())?;
    if let Some(name) = &flags.write_profile {
        let files = profile::Files::of(environment::variable)?;
        files.write(name, &running)?;
        print_line(&format!(
            "Profile {name} is in {} and {}. Use it: AWS_PROFILE={name} aws s3 ls",
            files.config.display(),
            files.credentials.display()
        ));
        return Ok(());
    }
    let mut variables = variables(&running)?;
    let java = java_options(&running)?;
    if flags.java {
        let options = java
            .clone()
            .context("the `up` that runs is an earlier version, which has no trust store")?;
        variables.push((JAVA, options));
    }
    if flags.json {
        let object: BTreeMap<_, _> = variables.into_iter().collect();
        print_line(&serde_json::to_string_pretty(&object)?);
    } else if flags.dotenv {
        let lines = variables
            .iter()
            .map(|(name, value)| format!("{name}={}", quoted_dotenv(value)));
        print_line(&lines.collect::<Vec<_>>().join("\n"));
    } else {
        let hint = java.filter(|_| !flags.java);
        print_line(&script(flags.shell, &variables, hint.as_deref()));
    }
    Ok(())
}

/// Every variable with its value.
///
/// # Errors
///
/// When a path is not UTF-8.
pub fn variables(running: &RunningUp) -> anyhow::Result<Vec<(&'static str, String)>> {
    let (s3, kms) = (&running.s3_tls_endpoint, &running.kms_endpoint);
    let values = [
        running.access_key_id.clone(),
        running.secret_access_key.clone(),
        // Some SDKs read one of them, some the other.
        running.region.clone(),
        running.region.clone(),
        s3.clone(),
        running.s3_control_endpoint.clone(),
        s3.clone(),
        kms.clone(),
        kms.clone(),
        running.kms_admin_endpoint.clone(),
        text_of(&running.ca_bundle_file)?,
        text_of(&running.ca_file)?,
        "true".to_owned(),
    ];
    let all = NAMES.into_iter().zip(values);
    Ok(all.filter(|(_, value)| !value.is_empty()).collect())
}

/// A path as a variable has it.
fn text_of(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().map(str::to_owned);
    text.with_context(|| {
        format!(
            "{} is not UTF-8, and no variable can have it",
            path.display()
        )
    })
}

/// The options by which Java trusts the authorities; none if there is no store of them.
///
/// The virtual machine takes a quoted part of `JAVA_TOOL_OPTIONS` as one.
fn java_options(running: &RunningUp) -> anyhow::Result<Option<String>> {
    let store = text_of(&running.trust_store_file)?;
    let quoted = match (is_plain(&store), store.contains('\'')) {
        _ if store.is_empty() => return Ok(None),
        (true, _) => store,
        (false, false) => format!("'{store}'"),
        (false, true) => format!("\"{store}\""),
    };
    Ok(Some(format!(
        "-Djavax.net.ssl.trustStore={quoted} -Djavax.net.ssl.trustStorePassword={JAVA_PASSWORD}"
    )))
}

/// Lines for a shell, with what Java needs besides, and the way to run them.
fn script(shell: Shell, variables: &[(&str, String)], java: Option<&str>) -> String {
    let mut lines: Vec<String> = STALE.iter().map(|name| unset(shell, name)).collect();
    lines.extend(variables.iter().map(|(name, value)| match shell {
        Shell::Sh => format!("export {name}={}", quoted_sh(value)),
        Shell::Fish => format!("set -gx {name} {};", quoted_fish(value)),
        Shell::Powershell => format!("$Env:{name} = '{}'", value.replace('\'', "''")),
    }));
    // A comment: as a variable, every Java program would print a line about it.
    if let Some(options) = java {
        lines.push(format!(
            "# For Java: java {options} ..., or sealgate env --java"
        ));
    }
    lines.push(match shell {
        Shell::Sh => "# Run this to use it: eval \"$(sealgate env)\"".to_owned(),
        Shell::Fish => "# Run this to use it: sealgate env --shell fish | source".to_owned(),
        Shell::Powershell => {
            "# Run this to use it: sealgate env --shell powershell | Out-String | Invoke-Expression"
                .to_owned()
        }
    });
    lines.join("\n")
}

fn unset(shell: Shell, name: &str) -> String {
    match shell {
        Shell::Sh => format!("unset {name}"),
        Shell::Fish => format!("set -e {name};"),
        Shell::Powershell => format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue"),
    }
}

fn quoted_sh(value: &str) -> String {
    match is_plain(value) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', r"'\''")),
    }
}

fn quoted_fish(value: &str) -> String {
    match is_plain(value) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'")),
    }
}

/// For readers of `.env` files, which agree that nothing within single quotes is expanded.
fn quoted_dotenv(value: &str) -> String {
    match (is_plain(value), value.contains('\'')) {
        (true, _) => value.to_owned(),
        (false, false) => format!("'{value}'"),
        (false, true) => format!("\"{}\"", value.replace('\\', r"\\").replace('"', r#"\""#)),
    }
}

/// Whether every shell leaves this as it is.
fn is_plain(value: &str) -> bool {
    let is_left = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:+=@,".contains(&byte);
    !value.is_empty() && value.bytes().all(is_left)
}

/// What is set. Never `AWS_ENDPOINT_URL` alone, which would catch every other service.
const NAMES: [&str; 13] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_S3_CONTROL",
    "AWS_ENDPOINT_URL_GLACIER",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_STS",
    "AWS_ENDPOINT_URL_CLOUDTRAIL",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "AWS_EC2_METADATA_DISABLED",
];

/// What every Java program reads.
const JAVA: &str = "JAVA_TOOL_OPTIONS";

/// The password of Java's own trust store. Ours has none, and takes any.
const JAVA_PASSWORD: &str = "changeit";

/// What an earlier login left, which would take precedence or break signatures.
const STALE: [&str; 2] = ["AWS_SESSION_TOKEN", "AWS_PROFILE"];

#[cfg(test)]
mod tests {
    use super::*;

    fn running() -> RunningUp {
        RunningUp {
            pid: 1,
            s3_tls_endpoint: "https://127.0.0.1:9443".to_owned(),
            s3_control_endpoint: String::new(),
            kms_endpoint: "http://127.0.0.1:9080".to_owned(),
            kms_admin_endpoint: "http://127.0.0.1:9091".to_owned(),
            console: String::new(),
            ca_file: "/tmp/it's here/ca.pem".into(),
            ca_bundle_file: "/tmp/it's here/ca-bundle.pem".into(),
            trust_store_file: "/tmp/it's here/ca.p12".into(),
            region: "eu-west-1".to_owned(),
            access_key_id: "MAIN".to_owned(),
            secret_access_key: "a+b/c=".to_owned(),
        }
    }

    #[test]
    fn both_names_of_the_region_are_set_and_no_endpoint_of_every_service() {
        let variables = variables(&running()).unwrap();
        let value = |name: &str| {
            let found = variables.iter().find(|(other, _)| *other == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("AWS_REGION"), Some("eu-west-1"));
        assert_eq!(value("AWS_DEFAULT_REGION"), Some("eu-west-1"));
        assert_eq!(value("AWS_ENDPOINT_URL_S3"), Some("https://127.0.0.1:9443"));
        assert_eq!(value("AWS_ENDPOINT_URL_STS"), Some("http://127.0.0.1:9080"));
        assert_eq!(
            value("AWS_ENDPOINT_URL_CLOUDTRAIL"),
            Some("http://127.0.0.1:9091")
        );
        assert_eq!(value("AWS_EC2_METADATA_DISABLED"), Some("true"));
        assert_eq!(value("AWS_ENDPOINT_URL"), None);
        assert_eq!(
            value("AWS_ENDPOINT_URL_S3_CONTROL"),
            None,
            "there is no name for it"
        );
    }

    #[test]
    fn each_shell_reads_a_path_with_a_quote_and_what_is_stale_is_unset() {
        let variables = variables(&running()).unwrap();
        for (shell, unset, bundle) in [
            (
                Shell::Sh,
                "unset AWS_PROFILE\n",
                r"export AWS_CA_BUNDLE='/tmp/it'\''s here/ca-bundle.pem'",
            ),
            (
                Shell::Fish,
                "set -e AWS_PROFILE;\n",
                r"set -gx AWS_CA_BUNDLE '/tmp/it\'s here/ca-bundle.pem';",
            ),
            (
                Shell::Powershell,
                "Remove-Item Env:AWS_PROFILE",
                "$Env:AWS_CA_BUNDLE = '/tmp/it''s here/ca-bundle.pem'",
            ),
        ] {
            let text = script(shell, &variables, Some("-Doption"));
            assert!(text.contains(unset), "{text}");
            assert!(text.contains(bundle), "{text}");
            assert!(text.contains("\n# For Java: java -Doption"), "{text}");
            assert!(
                text.lines().last().unwrap().starts_with("# Run this"),
                "{text}"
            );
        }
        assert_eq!(quoted_dotenv("a b"), "'a b'");
        assert_eq!(quoted_dotenv("it's"), "\"it's\"");
    }

    #[test]
    fn java_reads_the_trust_store_whatever_the_folder_is_called_and_an_earlier_version_has_none() {
        let password = "-Djavax.net.ssl.trustStorePassword=changeit";
        for (store, quoted) in [
            ("/data/ca.p12", "/data/ca.p12"),
            ("/my data/ca.p12", "'/my data/ca.p12'"),
            ("/it's here/ca.p12", "\"/it's here/ca.p12\""),
        ] {
            let running = RunningUp {
                trust_store_file: store.into(),
                ..running()
            };
            let expected = format!("-Djavax.net.ssl.trustStore={quoted} {password}");
            assert_eq!(java_options(&running).unwrap(), Some(expected));
        }
        let earlier = RunningUp {
            trust_store_file: std::path::PathBuf::new(),
            ..running()
        };
        assert_eq!(java_options(&earlier).unwrap(), None);
    }

    #[test]
    fn what_is_set_is_what_is_unset() {
        for (name, _) in variables(&running()).unwrap() {
            assert!(NAMES.contains(&name), "{name}");
        }
        assert_eq!(unset(Shell::Sh, NAMES[0]), "unset AWS_ACCESS_KEY_ID");
    }
}
