//! The rules of `tidy`, applied to this repository.

use std::path::Path;
use std::sync::LazyLock;

use tidy::circles;
use tidy::documents;
use tidy::exempt;
use tidy::files;
use tidy::impls;
use tidy::imports;
use tidy::layers;
use tidy::logs;
use tidy::purity;
use tidy::scripts;
use tidy::tree;
use tidy::tree::Tree;
use tidy::words;

static TREE: LazyLock<Tree> = LazyLock::new(Tree::of_this_repository);

/// Modules without input, output, time or logs.
const PURE_MODULES: [&str; 4] = [
    "gateway/src/chunks",
    "kms/src/crypto",
    "proto/src/sigv4",
    "proto/src/arn",
];

/// The services meet on the wire only.
const FORBIDDEN_DEPENDENCIES: [(&str, &str); 6] = [
    ("gateway", "kms"),
    ("gateway", "sealgate"),
    ("kms", "gateway"),
    ("kms", "sealgate"),
    ("proto", "kms"),
    ("proto", "gateway"),
];

const BANNED_PACKAGES: [(&str, &str); 6] = [
    ("openssl-sys", "one TLS stack: rustls"),
    ("native-tls", "one TLS stack: rustls"),
    ("reqwest", "hyper is here already"),
    ("async-std", "one runtime: tokio"),
    ("md5", "the digests come from RustCrypto: md-5"),
    ("secrecy", "key types are our own"),
];

/// Deploy files and the sources of the structs they are read into.
const CONFIGURATIONS: [(&str, &[&str]); 2] = [
    (
        "deploy/kms.toml",
        &[
            "kms/src/config.rs",
            "kms/src/authenticate.rs",
            "kms/src/authenticate/credentials.rs",
            "kms/src/quota.rs",
            "kms/src/faults/plan.rs",
            "proto/src/audit.rs",
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
            "gateway/src/operation/config.rs",
            "gateway/src/bucket/encryption.rs",
            "gateway/src/keys/bucket_key.rs",
            "gateway/src/vault/config.rs",
        ],
    ),
];

fn expect_none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
}

fn folders() -> Vec<&'static str> {
    tree::CRATES.iter().map(|(folder, _)| *folder).collect()
}

#[test]
fn a_module_names_only_itself_and_modules_below_it() {
    expect_none(&layers::violations(&TREE, &tree::CRATES));
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    expect_none(&circles::violations(&TREE, &folders(), exempt::CIRCLES));
}

#[test]
fn the_impl_blocks_of_a_type_are_in_three_files_at_most() {
    expect_none(&impls::violations(&TREE, &folders(), exempt::IMPLS));
}

#[test]
fn imports_have_one_order_and_a_line_each() {
    expect_none(&imports::violations(&TREE, exempt::IMPORTS));
}

#[test]
fn every_arrow_between_modules_can_be_searched_for() {
    expect_none(&words::hidden_arrows(&TREE));
}

#[test]
fn every_file_says_what_it_is_has_a_module_and_stays_readable() {
    expect_none(&files::violations(&TREE));
}

#[test]
fn no_type_hides_behind_a_word_that_says_nothing() {
    expect_none(&words::empty_names(&TREE));
}

#[test]
fn the_words_aws_gave_up_are_not_used() {
    expect_none(&words::outdated(&TREE));
}

#[test]
fn pure_modules_do_no_input_or_output() {
    expect_none(&purity::impure(&TREE, &PURE_MODULES));
}

#[test]
fn only_the_clock_reads_the_time() {
    expect_none(&purity::clock_readers(&TREE));
}

#[test]
fn only_configuration_reads_the_environment() {
    expect_none(&purity::environment_readers(&TREE));
}

#[test]
fn only_operations_spend_permits() {
    expect_none(&purity::permit_spenders(&TREE));
}

#[test]
fn the_gateway_starts_no_task_whose_metrics_are_lost() {
    expect_none(&purity::unmeasured_tasks(&TREE));
}

#[test]
fn the_services_meet_on_the_wire_only() {
    expect_none(&purity::forbidden_dependencies(
        &TREE,
        &FORBIDDEN_DEPENDENCIES,
    ));
}

#[test]
fn no_banned_package_is_in_the_lock_file() {
    expect_none(&purity::banned_packages(&TREE, &BANNED_PACKAGES));
}

#[test]
fn every_test_that_a_table_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap();
    let exists = |name: &str| root.join(name).exists();
    expect_none(&documents::unknown_tests(&TREE, exists));
}

#[test]
fn the_readme_is_short_and_the_prose_of_documents_fits_a_line() {
    expect_none(&documents::too_long(&TREE));
}

#[test]
fn every_field_of_a_configuration_is_in_its_deploy_file() {
    for (file, sources) in CONFIGURATIONS {
        expect_none(&documents::undocumented_fields(&TREE, file, sources));
    }
}

#[test]
fn every_field_of_a_log_line_is_in_the_table_of_them() {
    expect_none(&logs::undocumented_fields(&TREE, "deploy/METRICS.md"));
}

#[test]
fn no_pipe_of_a_script_fails_because_its_filter_stops_early() {
    expect_none(&scripts::early_stops(&TREE));
}
