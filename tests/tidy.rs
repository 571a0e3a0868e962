//! The house rules that the compiler does not keep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Crates with rooms, and the file whose `mod` lines give the rooms' order, top to bottom.
const HOUSES: [(&str, &str); 5] = [
    ("proto", "proto/src/lib.rs"),
    ("kms", "kms/src/lib.rs"),
    ("gateway", "gateway/src/lib.rs"),
    ("deploy", "deploy/src/lib.rs"),
    ("tests", "tests/harness/lib.rs"),
];

#[test]
fn a_room_names_only_itself_and_rooms_below_it() {
    let mut wrong = Vec::new();
    for (house, lib) in HOUSES {
        let rooms = rooms(lib);
        assert!(!rooms.is_empty(), "{lib} has no rooms");
        let folder = root().join(lib).parent().unwrap().to_owned();
        for (file, text) in sources(&folder) {
            let room = room_of(&folder, &file);
            let Some(own) = rooms.iter().position(|name| *name == room) else {
                continue; // lib.rs and main.rs stand above all rooms
            };
            for (number, line) in code_lines(&text) {
                for named in after_each(line, "crate::") {
                    let below = rooms.iter().position(|name| *name == named);
                    if below.is_some_and(|below| below < own) {
                        wrong.push(format!("{}:{number}: {room} names {named}", show(&file)));
                    }
                }
            }
        }
        println!("{house}: {}", rooms.join(" > "));
    }
    assert!(
        wrong.is_empty(),
        "rooms point down only:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_arrow_between_rooms_is_one_line_that_can_be_searched_for() {
    refuse_in_code(&["use crate::{", "super::super"], |_| false);
}

#[test]
fn every_file_says_what_it_is_and_stays_readable() {
    let mut wrong = Vec::new();
    for (file, text) in all_sources() {
        let lines = text.lines().count();
        let tests = show(&file).contains("tests");
        if lines
            > if tests {
                TEST_FILE_LINES_MAX
            } else {
                FILE_LINES_MAX
            }
        {
            wrong.push(format!("{} has {lines} lines", show(&file)));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with a //! header", show(&file)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_file_or_type_hides_behind_a_word_that_says_nothing() {
    let mut wrong = Vec::new();
    for (file, text) in all_sources() {
        let stem = file.file_stem().unwrap().to_string_lossy().to_lowercase();
        if EMPTY_FILE_NAMES.contains(&stem.as_str()) {
            wrong.push(show(&file));
        }
        for (number, line) in code_lines(&text) {
            for keyword in ["struct ", "enum ", "trait ", "mod ", "type "] {
                for name in after_each(line, keyword) {
                    let name = name.to_lowercase();
                    let empty = EMPTY_WORDS.iter().any(|word| name.ends_with(word));
                    if empty && !AWS_NAMES.contains(&name.as_str()) {
                        wrong.push(format!("{}:{number}: {name}", show(&file)));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_words_aws_gave_up_are_not_used() {
    let mut wrong = Vec::new();
    for (file, text) in all_sources().into_iter().chain(documents()) {
        if file.ends_with("tests/tidy.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let mut words = line.to_lowercase();
            for quote in AWS_QUOTES {
                words = words.replace(quote, "");
            }
            if words.contains("master key") || words.split(not_a_letter).any(|w| w == "cmk") {
                wrong.push(format!("{}:{}: {line}", show(&file), number + 1));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "KMS key, root key or customer key is meant:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn pure_rooms_do_no_input_or_output() {
    let outside = [
        "tokio",
        "http::",
        "hyper",
        "tracing",
        "std::fs",
        "std::net",
        "std::env",
        "SystemTime",
    ];
    let mut wrong = Vec::new();
    for room in PURE_ROOMS {
        let mut files = sources(&root().join(room));
        let file = root().join(format!("{room}.rs"));
        if let Ok(text) = std::fs::read_to_string(&file) {
            files.push((file, text));
        }
        assert!(!files.is_empty(), "there is no room {room}");
        for (file, text) in files
            .iter()
            .filter(|(file, _)| !show(file).contains("/tests"))
        {
            for (number, line) in code_lines(before_tests(text)) {
                if let Some(found) = outside.iter().find(|word| line.contains(**word)) {
                    wrong.push(format!("{}:{number} names {found}", show(file)));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_clock_reads_the_time() {
    refuse_in_code(
        &["SystemTime::now", "UtcDateTime::now", "::now_utc("],
        |file| file.ends_with("proto/src/time.rs") || file.starts_with(root().join("tests")),
    );
}

#[test]
fn only_configuration_reads_the_environment() {
    refuse_in_code(&["env::var", "env::vars"], |file| {
        let path = show(file);
        path.contains("/config")
            || path.ends_with("build.rs")
            || path.starts_with("deploy/")
            || path.starts_with("tests/")
    });
}

#[test]
fn the_houses_meet_on_the_wire_only() {
    let depends = |house: &str, on: &str| {
        let manifest = read(&format!("{house}/Cargo.toml"));
        manifest
            .lines()
            .any(|line| line.starts_with(&format!("{on}.")) || line.starts_with(&format!("{on} ")))
    };
    assert!(!depends("gateway", "kms"));
    assert!(!depends("kms", "gateway"));
    assert!(!depends("proto", "kms") && !depends("proto", "gateway"));
    assert!(depends("deploy", "kms") && depends("deploy", "gateway"));
}

#[test]
fn no_banned_dependency_is_in_the_lock_file() {
    let lock = read("Cargo.lock");
    for (name, reason) in BANNED_DEPENDENCIES {
        assert!(
            !lock.contains(&format!("name = \"{name}\"\n")),
            "{name} is banned: {reason}"
        );
    }
}

#[test]
fn every_test_that_a_table_of_a_document_names_exists() {
    let sources: String = all_sources().into_iter().map(|(_, text)| text).collect();
    let mut checked = 0;
    for (document, text) in documents() {
        let document = show(&document);
        let mut tests_column = false;
        for line in text.lines() {
            let cells: Vec<&str> = line.trim().trim_matches('|').split('|').collect();
            let last = cells.last().map_or("", |cell| cell.trim());
            if !line.trim_start().starts_with('|') {
                tests_column = false;
            } else if ["Test", "Tests"].contains(&last) {
                tests_column = true;
            } else if tests_column {
                for name in last.split('`').skip(1).step_by(2) {
                    checked += 1;
                    let exists =
                        sources.contains(&format!("fn {name}(")) || root().join(name).exists();
                    assert!(
                        exists,
                        "{document} names the test {name}, which does not exist"
                    );
                }
            }
        }
    }
    assert!(checked > 0, "no document names a test");
}

#[test]
fn the_readme_is_short_and_the_prose_of_documents_fits_a_line() {
    let mut wrong = Vec::new();
    for (document, text) in documents() {
        for (number, line) in text.lines().enumerate() {
            let width = line.chars().count();
            if width > PROSE_COLUMNS_MAX && !line.starts_with('|') {
                wrong.push(format!(
                    "{}:{}: {width} characters",
                    show(&document),
                    number + 1
                ));
            }
        }
    }
    let lines = read("README.md").lines().count();
    if lines > README_LINES_MAX {
        wrong.push(format!("README.md has {lines} lines"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Where AWS itself still uses the words, in error texts that clients compare.
const AWS_QUOTES: [&str; 3] = [
    "identify a cmk that",
    "refers to a customer master key that",
    "keyusage value of the cmk is",
];

#[test]
fn the_deploy_files_parse_and_hold_the_defaults() {
    let kms: kms::config::Config = toml::from_str(&read("deploy/kms.toml")).unwrap();
    kms.check().unwrap();
    assert_eq!(
        format!("{kms:?}"),
        format!("{:?}", kms::config::Config::default())
    );
    let gateway: gateway::config::Config = toml::from_str(&read("deploy/gateway.toml")).unwrap();
    assert_eq!(gateway, gateway::config::Config::default());
}

#[test]
fn every_field_of_a_configuration_is_documented_in_its_deploy_file() {
    let mut missing = Vec::new();
    for (file, sources) in CONFIGURATIONS {
        let documented = read(file);
        for source in sources {
            for field in configured_fields(&read(source)) {
                let known = documented.lines().any(|line| {
                    let line = line.trim_start_matches("# ").trim_start_matches(['[', ' ']);
                    let rest = line.strip_prefix(&field).or_else(|| {
                        let dotted = line.rsplit_once('.')?.1;
                        dotted.strip_prefix(&field)
                    });
                    rest.is_some_and(|rest| rest.starts_with([' ', ']', '.']))
                });
                if !known {
                    missing.push(format!("{file}: {field} of {source}"));
                }
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Public fields of the structs a configuration file is read into.
fn configured_fields(source: &str) -> Vec<String> {
    let mut fields = Vec::new();
    let mut derives = String::new();
    let mut inside = false;
    for line in source.lines() {
        if line.starts_with("#[derive(") {
            derives = line.to_owned();
        } else if line.starts_with("pub struct ") {
            inside = derives.contains("Deserialize") && line.ends_with('{');
        } else if line == "}" {
            inside = false;
            derives.clear();
        } else if let Some(field) = line.strip_prefix("    pub ").filter(|_| inside) {
            fields.extend(field.split_once(':').map(|(name, _)| name.to_owned()));
        }
    }
    fields
}

/// Deploy files and the sources of the structs they are read into.
const CONFIGURATIONS: [(&str, &[&str]); 2] = [
    (
        "deploy/kms.toml",
        &[
            "kms/src/config.rs",
            "kms/src/authenticate.rs",
            "kms/src/authenticate/credentials.rs",
            "kms/src/quota.rs",
            "kms/src/faults.rs",
            "kms/src/audit.rs",
            "kms/src/transport.rs",
        ],
    ),
    (
        "deploy/gateway.toml",
        &[
            "gateway/src/config.rs",
            "gateway/src/authenticate/users.rs",
            "gateway/src/backend.rs",
            "gateway/src/state.rs",
            "gateway/src/object.rs",
            "gateway/src/object/list.rs",
            "gateway/src/bucket/encryption.rs",
            "gateway/src/sse/bucket_key.rs",
        ],
    ),
];

/// Longest file anybody has to read.
const FILE_LINES_MAX: usize = 600;
/// Tests are read one at a time.
const TEST_FILE_LINES_MAX: usize = 700;
/// What a newcomer reads first; details go to the pages beside the code.
const README_LINES_MAX: usize = 200;
/// Longest line of prose in a document; rows of tables may be longer.
const PROSE_COLUMNS_MAX: usize = 119;
const EMPTY_FILE_NAMES: [&str; 10] = [
    "util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "handler", "mod",
];
/// `KeyManager` is a field of AWS's key metadata.
const AWS_NAMES: [&str; 1] = ["manager"];
const EMPTY_WORDS: [&str; 5] = ["manager", "handler", "helper", "util", "utils"];
const PURE_ROOMS: [&str; 4] = [
    "gateway/src/frames",
    "kms/src/crypto",
    "proto/src/sigv4",
    "proto/src/arn",
];
const BANNED_DEPENDENCIES: [(&str, &str); 6] = [
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
    ("reqwest", "hyper is here already"),
    ("async-std", "one runtime: tokio"),
    ("md5", "the digests come from RustCrypto: md-5"),
    ("secrecy", "key types are our own"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn show(file: &Path) -> String {
    file.strip_prefix(root())
        .unwrap_or(file)
        .display()
        .to_string()
}

/// Names after `mod` in the order of the lines.
fn rooms(lib: &str) -> Vec<String> {
    let text = read(lib);
    let names = text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        line.strip_prefix("mod ")?
            .strip_suffix(';')
            .map(str::to_owned)
    });
    names.collect()
}

/// The room a file belongs to: the first component below the crate's folder.
fn room_of(folder: &Path, file: &Path) -> String {
    let first = file
        .strip_prefix(folder)
        .unwrap()
        .components()
        .next()
        .unwrap();
    let first = first.as_os_str().to_string_lossy().into_owned();
    first.strip_suffix(".rs").unwrap_or(&first).to_owned()
}

/// All Rust files below a folder.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    files(folder, "rs")
}

fn files(folder: &Path, extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).unwrap();
                found.insert(path, text);
            }
        }
    }
    found.into_iter().collect()
}

fn all_sources() -> Vec<(PathBuf, String)> {
    let houses = ["proto", "kms", "gateway", "deploy", "tests"];
    houses
        .iter()
        .flat_map(|house| sources(&root().join(house)))
        .collect()
}

fn documents() -> Vec<(PathBuf, String)> {
    files(&root(), "md")
}

/// Lines that are not comments, with their numbers.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text
        .lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// What stands above the unit tests.
fn before_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// The identifier after each `mark` in a line.
fn after_each<'a>(line: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(mark).filter_map(move |(at, _)| {
        let start = at == 0 || line[..at].ends_with(not_a_letter);
        let rest = &line[at + mark.len()..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| start && !name.is_empty())
    })
}

fn not_a_letter(c: char) -> bool {
    !c.is_alphanumeric() && c != '_' && c != '$'
}

/// Fails when code holds one of `words`, except in files `allowed` names.
fn refuse_in_code(words: &[&str], allowed: impl Fn(&Path) -> bool) {
    let mut wrong = Vec::new();
    for (file, text) in all_sources() {
        if allowed(&file) || file.ends_with("tests/tidy.rs") {
            continue;
        }
        for (number, line) in code_lines(&text) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                wrong.push(format!("{}:{number}: {word}", show(&file)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
