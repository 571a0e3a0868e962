//! Who may read the clock, the environment, files and sockets; and what may be depended on.

use crate::code;
use crate::tree;
use crate::tree::Tree;

/// What a pure module does not name: input, output, time, logs.
const OUTSIDE: [&str; 8] = [
    "tokio",
    "http",
    "hyper",
    "tracing",
    "std::fs",
    "std::net",
    "std::env",
    "SystemTime",
];

/// What pure modules (`gateway/src/chunks` is `gateway/src/chunks.rs` and the files below it) name
/// of the world outside. Their tests may.
#[must_use]
pub fn impure(tree: &Tree, modules: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for module in modules {
        let root = format!("{module}.rs");
        let root = tree.text(&root).map(|text| (root.as_str(), text));
        let files: Vec<_> = tree.below(module, "rs").chain(root).collect();
        if files.is_empty() {
            wrong.push(format!("there is no module {module}"));
        }
        for (file, text) in files.into_iter().filter(|(file, _)| !tree::is_test(file)) {
            let tokens = code::tokens_without_tests(text);
            wrong.extend(named(file, &tokens, &OUTSIDE));
        }
    }
    wrong
}

/// Places that read the time and are not the clock.
#[must_use]
pub fn clock_readers(tree: &Tree) -> Vec<String> {
    let readers = [
        "SystemTime::now",
        "UtcDateTime::now",
        "OffsetDateTime::now_utc",
    ];
    outside(tree, &readers, |file| {
        file == "proto/src/time.rs" || file.starts_with("tests/")
    })
}

/// Places that read the environment and are no configuration.
#[must_use]
pub fn environment_readers(tree: &Tree) -> Vec<String> {
    outside(
        tree,
        &["env::var", "env::vars", "env::var_os", "env::vars_os"],
        |file| {
            file.contains("/config")
                || file.ends_with("build.rs")
                || file.starts_with("deploy/")
                || file.starts_with("tests/")
        },
    )
}

/// Places in the gateway that spend a permit and are no operation.
#[must_use]
pub fn permit_spenders(tree: &Tree) -> Vec<String> {
    outside(tree, &["spend"], |file| {
        !file.starts_with("gateway/src/")
            || file.starts_with("gateway/src/operation")
            || file.starts_with("gateway/src/authorize")
            || file.starts_with("gateway/src/vault/operation")
            || file == "gateway/src/vault/authorize.rs"
    })
}

/// Places in the gateway that start a task by other means than `measured::spawn`: what it counts would be lost.
/// Programs may be started where `Command` is named.
#[must_use]
pub fn unmeasured_tasks(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    let files = tree.below("gateway/src", "rs");
    for (file, text) in files.filter(|(file, _)| !tree::is_test(file)) {
        if file == "gateway/src/measured.rs" {
            continue;
        }
        let tokens = code::tokens_without_tests(text);
        let starts_programs = tokens.iter().any(|token| token.text == "Command");
        for (at, token) in tokens.iter().enumerate() {
            if !STARTERS.contains(&token.text) {
                continue;
            }
            let before = |distance| at.checked_sub(distance).map_or("", |at| tokens[at].text);
            let is_measured = (before(2), before(1)) == ("measured", "::");
            let is_program = before(1) == "." && starts_programs;
            if !is_measured && !is_program {
                let line = token.line;
                wrong.push(format!("{file}:{line} starts a task past measured::spawn"));
            }
        }
    }
    wrong
}

/// What starts tasks.
const STARTERS: [&str; 5] = [
    "spawn",
    "spawn_blocking",
    "spawn_local",
    "spawn_on",
    "JoinSet",
];

/// Crates (`("gateway", "kms")`) of which the first depends on the second though it must not.
#[must_use]
pub fn forbidden_dependencies(tree: &Tree, pairs: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (from, to) in pairs {
        let manifest = tree.text(&format!("{from}/Cargo.toml")).unwrap_or_default();
        // By the library's name, the package's, or a name of its own.
        let package = format!("sealgate-{to}");
        let depends = manifest.lines().any(|line| {
            let mut names = [*to, package.as_str()].into_iter();
            let named = names.any(|name| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
            });
            named || line.contains(&format!("package = \"{package}\""))
        });
        if depends || manifest.is_empty() {
            wrong.push(format!("{from} must not depend on {to}"));
        }
    }
    wrong
}

/// Packages that are banned and in the lock file all the same.
#[must_use]
pub fn banned_packages(tree: &Tree, banned: &[(&str, &str)]) -> Vec<String> {
    let lock = tree.text("Cargo.lock").unwrap_or_default();
    let present = banned
        .iter()
        .filter(|(name, _)| lock.contains(&format!("name = \"{name}\"\n")));
    present
        .map(|(name, reason)| format!("{name} is banned: {reason}"))
        .collect()
}

fn outside(tree: &Tree, paths: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let files = tree.sources().filter(|(file, _)| !allowed(file));
    files
        .flat_map(|(file, text)| named(file, &code::tokens(text), paths))
        .collect()
}

/// Where the tokens name one of the paths, or something below it.
fn named(file: &str, tokens: &[code::Token<'_>], paths: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for path in paths {
        let parts: Vec<_> = path
            .split("::")
            .flat_map(|part| ["::", part])
            .skip(1)
            .collect();
        for window in tokens.windows(parts.len()) {
            if window
                .iter()
                .map(|token| token.text)
                .eq(parts.iter().copied())
            {
                wrong.push(format!("{file}:{} names {path}", window[0].line));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pure_module_that_reads_a_file_is_found_and_its_tests_are_not() {
        let tree = Tree::of(&[
            (
                "x/src/pure.rs",
                "use std::fs::File;\n// tokio\n#[cfg(test)]\nmod t { use tokio::x; }",
            ),
            ("x/src/pure/tests.rs", "use tokio::x;"),
        ]);
        assert_eq!(
            impure(&tree, &["x/src/pure"]),
            ["x/src/pure.rs:1 names std::fs"]
        );
        assert_eq!(
            impure(&tree, &["x/src/gone"]),
            ["there is no module x/src/gone"]
        );
    }

    #[test]
    fn readers_of_the_time_and_of_the_environment_are_found() {
        let tree = Tree::of(&[
            ("proto/src/time.rs", "SystemTime::now()"),
            ("kms/src/a.rs", "std::time::SystemTime::now()"),
            ("kms/src/config.rs", "std::env::var(name)"),
            ("kms/src/b.rs", "\n std::env::var(name)"),
        ]);
        assert_eq!(
            clock_readers(&tree),
            ["kms/src/a.rs:1 names SystemTime::now"]
        );
        assert_eq!(
            environment_readers(&tree),
            ["kms/src/b.rs:2 names env::var"]
        );
    }

    #[test]
    fn a_permit_that_is_spent_by_no_operation_is_found() {
        let tree = Tree::of(&[
            ("gateway/src/operation/a.rs", "permitted.spend()"),
            ("gateway/src/respond/b.rs", "// spend\npermitted.spend()"),
        ]);
        assert_eq!(
            permit_spenders(&tree),
            ["gateway/src/respond/b.rs:2 names spend"]
        );
    }

    #[test]
    fn a_task_that_is_started_past_the_metrics_is_found_and_a_program_is_not() {
        let tree = Tree::of(&[
            ("gateway/src/measured.rs", "tokio::spawn(task)"),
            (
                "gateway/src/a.rs",
                "measured::spawn(task); // spawn\ntokio::spawn(task)",
            ),
            (
                "gateway/src/b.rs",
                "use tokio::process::Command; command.spawn()",
            ),
            (
                "gateway/src/c.rs",
                "tracker.spawn(task)\n#[cfg(test)] mod t { tokio::spawn(t) }",
            ),
            (
                "gateway/src/d.rs",
                "use tokio::spawn;\nCommand::new(); spawn(task)",
            ),
            ("kms/src/a.rs", "tokio::spawn(task)"),
        ]);
        let found = unmeasured_tasks(&tree);
        let places: Vec<_> = found
            .iter()
            .filter_map(|text| text.split(' ').next())
            .collect();
        assert_eq!(
            places,
            [
                "gateway/src/a.rs:2",
                "gateway/src/c.rs:1",
                "gateway/src/d.rs:1",
                "gateway/src/d.rs:2"
            ]
        );
    }

    #[test]
    fn a_dependency_between_the_services_is_found() {
        let tree = Tree::of(&[
            (
                "gateway/Cargo.toml",
                "[dependencies]\nkms.workspace = true\n",
            ),
            ("kms/Cargo.toml", "[dependencies]\nkms-types = \"1\"\n"),
            ("a/Cargo.toml", "sealgate-kms = \"1\"\n"),
            (
                "b/Cargo.toml",
                "keys = { package = \"sealgate-kms\", path = \"../kms\" }\n",
            ),
        ]);
        let pairs = ["gateway", "kms", "a", "b"].map(|from| (from, "kms"));
        assert_eq!(
            forbidden_dependencies(&tree, &pairs),
            ["gateway", "a", "b"].map(|from| format!("{from} must not depend on kms"))
        );
    }

    #[test]
    fn a_banned_package_in_the_lock_file_is_found() {
        let tree = Tree::of(&[("Cargo.lock", "name = \"md5\"\n")]);
        let found = banned_packages(&tree, &[("md5", "old"), ("md-5", "new")]);
        assert_eq!(found, ["md5 is banned: old"]);
    }
}
