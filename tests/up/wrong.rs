//! Configurations that cannot work: each start is refused with status 1 and one sentence, which begins with the file and
//! the line, names the field, and has what is right.

use std::path::Path;
use std::process::Stdio;

use crate::command;

/// Which program reads the file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Kms,
    Gateway,
    Up,
}

impl Program {
    /// The name of its file, and the text that makes a row a whole configuration.
    const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Kms => ("kms.toml", ""),
            Self::Gateway => ("gateway.toml", GATEWAY),
            Self::Up => ("up.toml", ""),
        }
    }

    pub(crate) const fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Kms => &["kms", "--config", "kms.toml"],
            Self::Gateway => &["gateway", "--config", "gateway.toml"],
            Self::Up => &["up", "--fixture", "--config", "up.toml", "--data", "data"],
        }
    }
}

/// What a gateway needs besides a row.
pub(crate) const GATEWAY: &str = "
[backend_credentials]
access_key_id = \"a\"
secret_access_key = \"b\"
[[users]]
access_key_id = \"AKIDEXAMPLE\"
secret_access_key = \"secretsecret\"
";

/// A configuration, and what the refusal has in it.
type Row = (&'static str, &'static [&'static str]);

/// What the start of `text` is refused with, after the time and the level.
fn refusal_of(folder: &Path, program: Program, text: &str) -> String {
    let (name, rest) = program.file();
    std::fs::write(folder.join(name), format!("{text}{rest}")).unwrap();
    refusal(folder, program.arguments())
}

/// The one line that a start with these arguments writes before it ends with status 1.
pub(crate) fn refusal(folder: &Path, arguments: &[&str]) -> String {
    refusal_with(folder, arguments, &[])
}

/// The same with these variables.
pub(crate) fn refusal_with(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> String {
    let mut command = command(folder);
    command.envs(variables.iter().copied());
    let output = command.args(arguments).stdin(Stdio::null()).output();
    let output = output.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    let lines: Vec<&str> = text
        .trim()
        .lines()
        .filter(|line| !line.contains(" WARN "))
        .collect();
    assert_eq!(lines.len(), 1, "{arguments:?}: {text}");
    for part in ["panicked", "Error {", "Some(", "RUST_BACKTRACE"] {
        assert!(!text.contains(part), "{arguments:?}: {text}");
    }
    let (_, sentence) = lines[0]
        .split_once("ERROR sealgate_under_test: ")
        .expect(lines[0]);
    sentence.to_owned()
}

fn each_is_refused(program: Program, rows: &[Row]) {
    let folder = tempfile::tempdir().unwrap();
    let made = || rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("one.pem", &made().cert.pem());
    file("another.key", &made().signing_key.serialize_pem());
    file("empty", "");
    file("secret", "sixteen-letters!");
    let name = program.file().0;
    for (text, parts) in rows {
        let sentence = refusal_of(folder.path(), program, text);
        assert!(
            sentence.starts_with(&format!("{name}:")),
            "{text}: {sentence}"
        );
        for part in *parts {
            assert!(
                sentence.contains(part),
                "{text}: no {part:?} in: {sentence}"
            );
        }
    }
}

/// Of `kms.toml`.
const KMS: &[Row] = &[
    (
        "listne = \"127.0.0.1:0\"",
        &["kms.toml:1:1: unknown field `listne`: did you mean `listen`?"],
    ),
    (
        "[quotas]\nprofil = \"2026\"",
        &[":2:1: ", "did you mean `profile`?"],
    ),
    (
        "listen = \"localhost\"",
        &[":1:10: listen: ", "such as 127.0.0.1:9080"],
    ),
    (
        "listen = 9080",
        &[
            ":1:10: listen: ",
            "expected an address such as 127.0.0.1:9080",
        ],
    ),
    (
        "listen = \"127.0.0.1:9999\"\n[admin]\nlisten = \"127.0.0.1:9999\"",
        &[":3:1: admin.listen", "another port"],
    ),
    (
        "hosts = [\"http://a\"]",
        &["hosts[0]", "without scheme and port"],
    ),
    ("regions = [\"Mars 1\"]", &[":1:11: regions: expected a"]),
    (
        "enforce = \"enforec\"",
        &[":1:11: enforce: ", "did you mean `enforce`?"],
    ),
    ("compat = \"motto\"", &["compat: ", "did you mean `moto`?"]),
    (
        "[admin]\nlisten = \"0.0.0.0:0\"",
        &[
            ":2:1: admin.listen is beyond loopback",
            "SEALGATE_ADMIN_TOKEN",
        ],
    ),
    (
        "listen = \"0.0.0.0:0\"\n[authenticate]\nsignatures = \"accepted\"",
        &[":3:1: ", "loopback only"],
    ),
    (
        "[authenticate]\nservice_secret = \"short\"",
        &[":2:1: authenticate.service_secret", "at least 16"],
    ),
    (
        "[authenticate]\nservice_secret = \"a secret of 16 bytes\"\nservice_secret_file = \"secret\"",
        &[
            ":3:1: authenticate.service_secret_file is set besides",
            "keep one of them",
        ],
    ),
    (
        "[authenticate]\nservice_secret_file = \"no.secret\"",
        &[":2:1: authenticate.service_secret_file: no.secret"],
    ),
    (
        "[authenticate]\naccount = \"1\"",
        &[":2:11: authenticate.account: expected", "12"],
    ),
    (
        "[authenticate]\nregion = \"mars-1\"",
        &[":2:1: AWS has no Region `mars-1`", "add it to `regions`"],
    ),
    (
        "[authenticate]\ncredentials_file = \"no.toml\"",
        &[":2:1: ", "no.toml: No such file"],
    ),
    (
        "[[authenticate.credentials]]\naccess_key_id = \"\"\nsecret_access_key = \"s\"\naccount = \"000000000000\"",
        &[":2:1: authenticate.credentials[0].access_key_id is empty"],
    ),
    (
        "[quotas]\nprofile = \"2025\"",
        &[":2:1: quotas.profile", "`2026` and `2023`"],
    ),
    (
        "[quotas]\nscale = 0",
        &[":2:1: quotas.scale is 0", "greater than 0", "fault plan"],
    ),
    (
        "[quotas]\nhot_key_rate = -1.0",
        &[":2:1: quotas.hot_key_rate is -1", "from 0 on"],
    ),
    (
        "[[quotas.rates]]\nclass = \"CreateKey\"\nrate = -1",
        &[":3:1: quotas.rates[0].rate is -1"],
    ),
    (
        "[[quotas.rates]]\nclass = \"CreateKeys\"\nrate = 1",
        &[":2:9: quotas.rates[0].class: ", "CreateKeys"],
    ),
    (
        "[[faults.faults]]\nprobability = 2",
        &[":2:1: faults.faults[0].probability is 2", "from 0 to 1"],
    ),
    (
        "[[faults.faults]]\noperation = \"Decrpt\"",
        &[":2:13: faults.faults[0].operation: ", "Decrpt"],
    ),
    (
        "[[faults.latencies]]\nmedian_ms = -5",
        &["faults.latencies[0].median_ms is -5", "not negative"],
    ),
    (
        "[store]\nfile = \"keys.redb\"",
        &[":2:1: store.file needs a root key", "store.root_key_file"],
    ),
    (
        "[store]\nfile = \"keys.redb\"\nroot_key = \"12\"",
        &[":3:1: store.root_key", "64 hexadecimal digits"],
    ),
    (
        "[store]\nfile = \"keys.redb\"\nroot_key_file = \"empty\"",
        &["empty", "64 hexadecimal digits"],
    ),
    (
        "[store]\nfile = \"no/keys.redb\"\nroot_key_file = \"root.key\"",
        &[":2:1: ", "no/keys.redb"],
    ),
    (
        "[store]\nfile = \"k\"\nroot_key_file = \"r\"\nroot_key = \"r\"",
        &[":3:1: store.root_key_file", "keep one of them"],
    ),
    (
        "[audit]\nfile = \"no/trail.jsonl\"",
        &[":2:1: audit.file", "no/trail.jsonl"],
    ),
    (
        "[limits]\nconnections_max = 0",
        &[":2:1: limits.connections_max is 0"],
    ),
    (
        "[limits]\nconnections_max = -1",
        &[":2:19: limits.connections_max: ", "`-1`"],
    ),
    (
        "[tls]\ncertificate_file = \"one.pem\"",
        &[":1:1: tls: missing field `key_file`"],
    ),
    (
        "[tls]\ncertificate_file = \"no.pem\"\nkey_file = \"another.key\"",
        &[":1:2: no.pem", "TLS"],
    ),
    (
        "[tls]\ncertificate_file = \"empty\"\nkey_file = \"another.key\"",
        &["empty", "no certificate"],
    ),
    (
        "[tls]\ncertificate_file = \"one.pem\"\nkey_file = \"another.key\"",
        &["one.pem", "another.key is another's"],
    ),
    ("listen = \"127.0.0.1:0", &["kms.toml:1:"]),
];

/// Of `gateway.toml`.
const OF_GATEWAY: &[Row] = &[
    (
        "regoin = \"eu-west-1\"",
        &["gateway.toml:1:1: unknown field `regoin`: did you mean `region`?"],
    ),
    (
        "[limits]\nconections_max = 1",
        &[":2:1: ", "did you mean `connections_max`?"],
    ),
    (
        "base_domains = [\"https://s3.example.com\"]",
        &[":1:17: base_domains[0]", "without scheme and port"],
    ),
    (
        "trusted_proxies = [\"everyone\"]",
        &[":1:19: trusted_proxies: ", "such as 10.0.0.0/8"],
    ),
    (
        "[listen]\nhttp = \"9070\"",
        &[":2:8: listen.http: ", "such as 127.0.0.1:9080"],
    ),
    (
        "[listen]\nadmin = \"127.0.0.1:0\"",
        &[":1:2: listen has neither http nor https"],
    ),
    (
        "[listen]\nhttps = \"127.0.0.1:0\"",
        &[":2:1: listen.https needs listen.certificate_file"],
    ),
    (
        "[listen]\nhttp = \"127.0.0.1:0\"\ncertificate_file = \"one.pem\"",
        &[":3:1: listen.certificate_file is set without listen.private_key_file"],
    ),
    (
        "[listen]\nhttp = \"127.0.0.1:9999\"\nadmin = \"127.0.0.1:9999\"",
        &[":3:1: listen.admin", "listen.http already"],
    ),
    (
        "[listen]\nhttp = \"0.0.0.0:0\"\nloopback_is_secure = true",
        &[":3:1: listen.loopback_is_secure", "127.0.0.1"],
    ),
    (
        "[listen]\nhttps = \"127.0.0.1:0\"\ncertificate_file = \"no.pem\"\nprivate_key_file = \"no.key\"",
        &[":3:1: ", "no.pem"],
    ),
    (
        "[limits]\nhead_timeout_ms = 0",
        &[":2:1: limits.head_timeout_ms is 0"],
    ),
    (
        "[backend]\nurl = \"localhost:9000\"",
        &[":2:1: backend.url: ", "such as http://127.0.0.1:9000"],
    ),
    (
        "[kms]\nsecret_file = \"secret\"\n[backend]\nurl = \"https://a\"\nca_file = \"no.pem\"",
        &["backend", "no.pem"],
    ),
    (
        "[backend]\ndigests = \"alway\"",
        &[":2:11: backend.digests: ", "did you mean `always`?"],
    ),
    (
        "[kms]\nurl = \"http://127.0.0.1:9080\"",
        &[":2:1: kms.url: ", "grpcs://"],
    ),
    (
        "[kms]\nurl = \"grpc://127.0.0.1\"",
        &[":2:1: kms.url: ", "grpc://host:port"],
    ),
    (
        "[kms]\nurl = \"grpc://kms.example.com:9080\"",
        &[":2:1: kms.url leaves the machine in clear"],
    ),
    (
        "[kms]\nurl = \"aws://kms.us-east-1.amazonaws.com\"",
        &["kms.credentials.access_key_id is empty"],
    ),
    (
        "[kms]\naccount = \"1234\"",
        &[":2:11: kms.account: expected"],
    ),
    (
        "[kms]\nsecret_file = \"no.secret\"",
        &[":2:1: kms.secret_file: no.secret"],
    ),
    (
        "",
        &["kms.secret_file is not set", "authenticate.service_secret"],
    ),
    (
        "[kms]\nclient_key_file = \"a\"",
        &[":2:1: kms.client_key_file is set without kms.client_cert_file"],
    ),
    (
        "[backend]\nclient_cert_file = \"a\"",
        &[":2:1: backend.client_cert_file is set without backend.client_key_file"],
    ),
    (
        "[backend]\nclient_cert_file = \"a\"\nclient_key_file = \"b\"",
        &[":2:1: backend.client_cert_file is never shown, because backend.url is no https://"],
    ),
    (
        "[state]\nbucket = \"Not_A_Bucket\"",
        &[":2:1: state.bucket is no name of a bucket: 3 to 63"],
    ),
    (
        "[state]\ngateways = \"two\"",
        &[":2:12: state.gateways: unknown variant `two`, expected `one` or `many`"],
    ),
    (
        "[objects]\nadopted_buckets = [\"A\"]",
        &[":2:20: objects.adopted_buckets[0]", "3 to 63"],
    ),
    (
        "[objects.listing]\nheads_max = 0",
        &[":2:1: objects.listing.heads_max is 0"],
    ),
    (
        "[bucket_keys]\nseconds = -1",
        &[":2:11: bucket_keys.seconds: ", "`-1`"],
    ),
    (
        "[access_logs]\ninterval_seconds = 0",
        &[":2:1: access_logs.interval_seconds is 0"],
    ),
    (
        "[kms]\nsecret_file = \"secret\"\n[audit]\nfile = \"no/trail\"",
        &[":4:1: ", "no/trail"],
    ),
    (
        "[access_points]\nvpcs = { a = [\"10.0.0.0/40\"] }",
        &[":2:14: access_points.vpcs.a: ", "10.0.0.0/8"],
    ),
    (
        "[object_lambda]\ntimeout_ms = 0",
        &[":2:1: object_lambda.timeout_ms"],
    ),
    (
        "[[users]]\naccess_key_id = \"A/B\"\nsecret_access_key = \"secretsecret\"",
        &[":2:1: users[0].access_key_id", "letters, digits"],
    ),
    (
        "[[users]]\naccess_key_id = \"AB\"\nsecret_access_key = \"short\"",
        &[":3:1: users[0].secret_access_key", "shorter than 8"],
    ),
    (
        "[[users]]\naccess_key_id = \"AKIDEXAMPLE\"\nsecret_access_key = \"secretsecret\"",
        &["users[1].access_key_id", "another user's"],
    ),
    (
        "credentials_file = \"no.toml\"\n[kms]\nsecret_file = \"secret\"",
        &["credentials_file: no.toml"],
    ),
];

/// Of the file of `up`.
const UP: &[Row] = &[
    (
        "[gatewy]",
        &["up.toml:1:2: unknown field `gatewy`: did you mean `gateway`?"],
    ),
    (
        "[gateway.state]\nbuckt = \"a\"",
        &[":2:1: ", "did you mean `bucket`?"],
    ),
    (
        "[gateway.state]\nbucket = \"No_Bucket\"",
        &[":2:1: state.bucket is no name of a bucket", "in [gateway]"],
    ),
    (
        "[kms.quotas]\nscale = -1",
        &[":2:1: quotas.scale is -1", "in [kms]"],
    ),
    (
        "[embedded]\ndurability = \"ful\"",
        &[":2:14: embedded.durability: ", "did you mean `full`?"],
    ),
    ("[gateway.audit]\nfile = \"a\"", &[":2:1: ", "[kms.audit]"]),
    (
        "port = 1",
        &["up.toml:1:1: unknown field `port`", "`gateway`"],
    ),
];

#[test]
fn a_wrong_configuration_of_the_kms_is_refused_by_its_line_and_field() {
    each_is_refused(Program::Kms, KMS);
}

#[test]
fn a_wrong_configuration_of_the_gateway_is_refused_by_its_line_and_field() {
    each_is_refused(Program::Gateway, OF_GATEWAY);
}

#[test]
fn a_wrong_configuration_of_up_is_refused_by_its_line_and_field() {
    each_is_refused(Program::Up, UP);
}

/// Of the file of users; the second text begins the sentence after the file's name.
const USERS: &[(&str, &str)] = &[
    ("admin = true", "unknown field `admin`"),
    ("plicies = []", "did you mean `policies`?"),
    ("path = \"team\"", "path"),
    ("tags = 7", "invalid type"),
    ("policies = ['{']", "user `main`: `policies`, number 1: "),
    (
        "policies = [{ Statement = [{ Effect = \"Alow\", Action = \"s3:*\", Resource = \"*\" }] }]",
        "Invalid effect: Alow (statement 1)",
    ),
    (
        "policies = [{ Statement = [{ Effect = \"Allow\", Action = \"s3:*\" }] }]",
        "user `main`: `policies`, number 1: ",
    ),
    (
        "policies = [{ Statement = [{ Effect = \"Allow\", Action = \"s3:*\", Resource = \"*\", Principal = \"*\" }] }]",
        "should not specify a principal",
    ),
    ("mfa = [{ serial = \"a\", secret = \"b\" }]", "MFA device"),
    ("root = true\npath = \"/a/\"", "user `main`: only one of"),
];

#[test]
fn a_wrong_file_of_users_is_refused_by_its_user_and_field() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let key = |name: &str| {
        format!(
            "[[user]]\nname = \"{name}\"\naccess_key_id = \"{name}\"\nsecret_access_key = \"s-e-c-r-e-t\"\n\
             account = \"123456789012\"\n"
        )
    };
    for (line, part) in USERS {
        let text = format!("{}{line}\n{}", key("main"), key("alt"));
        let file = data.join("credentials.toml");
        sealgate::files::write_private(&file, text.as_bytes()).unwrap();
        let sentence = refusal(folder.path(), &["up", "--fixture", "--data", "data"]);
        assert!(
            sentence.contains("data/credentials.toml: "),
            "{line}: {sentence}"
        );
        assert!(sentence.contains(part), "{line}: {sentence}");
        assert!(!sentence.contains("s-e-c-r-e-t"), "{line}: {sentence}");
    }
}

#[test]
fn a_wrong_seed_is_refused_by_its_line_or_key() {
    let folder = tempfile::tempdir().unwrap();
    for (text, part) in [
        (
            "[[key]]\nidd = \"a\"",
            "seed.toml:2:1: unknown field `idd`: did you mean `id`?",
        ),
        (
            "[[key]]\nid = \"a\"\nspec = \"RSA\"",
            "a: `RSA` is no key spec",
        ),
        (
            "[[key]]\nid = \"a\"\naliases = [\"demo\"]",
            "demo does not start with alias/",
        ),
        (
            "[[key]]\nid = \"a\"\nmaterial = \"?\"",
            "a: the material is no base64",
        ),
    ] {
        std::fs::write(folder.path().join("seed.toml"), text).unwrap();
        let sentence = refusal(
            folder.path(),
            &["up", "--fixture", "--data", "d", "--seed", "seed.toml"],
        );
        assert!(
            sentence.contains(part) && sentence.contains("seed.toml"),
            "{text}: {sentence}"
        );
    }
}

/// Flags of `up`, which the parser of the command line refuses with status 2, as shells expect of a wrong usage.
#[test]
fn a_wrong_flag_is_refused_by_its_name_with_what_is_right() {
    let folder = tempfile::tempdir().unwrap();
    for (flags, parts) in [
        (
            &["--quota-scale", "0"][..],
            ["--quota-scale", "greater than 0"],
        ),
        (
            &["--quota", "Decrypt=5"],
            ["--quota", "CryptographicOperationsSymmetric"],
        ),
        (&["--quota", "CreateKey"], ["--quota", "of the form"]),
        (&["--region", "Mars 1"], ["--region", "expected a"]),
        (&["--listen", "localhost"], ["--listen", "IP address"]),
        (
            &["--host", "https://a"],
            ["--host", "no scheme and no port"],
        ),
        (&["--dta", "d"], ["--dta", "'--data'"]),
        (
            &["--ephemeral", "--data", "d"],
            ["--ephemeral", "cannot be used with"],
        ),
        (
            &["--backend-credentials", "b"],
            ["--backend <URL>", "required"],
        ),
    ] {
        let mut command = command(folder.path());
        let output = command
            .arg("up")
            .args(flags)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {text}");
        for part in parts {
            assert!(text.contains(part), "{flags:?}: no {part:?} in {text}");
        }
        assert!(
            !text.contains("Error {") && !text.contains("panicked"),
            "{text}"
        );
    }
}
