//! Files: long enough to have one job, short enough to be read, headed by what they are.

use std::collections::BTreeSet;

use crate::code;
use crate::tree;
use crate::tree::Tree;

/// Longest file anybody has to read.
const LINES_MAX: usize = 600;
/// Tests are read one at a time.
const TEST_LINES_MAX: usize = 700;
const EMPTY_NAMES: [&str; 10] = [
    "util", "utils", "common", "helper", "helpers", "misc", "types", "manager", "handler", "mod",
];

/// Files that are too long, have no header, have a name that says nothing, or are in no module.
#[must_use]
pub fn violations(tree: &Tree) -> Vec<String> {
    let roots = crate_roots(tree);
    let mut wrong = Vec::new();
    for (file, text) in tree.sources() {
        let lines = text.lines().count();
        if lines
            > if tree::is_test(file) {
                TEST_LINES_MAX
            } else {
                LINES_MAX
            }
        {
            wrong.push(format!("{file} has {lines} lines"));
        }
        if !text.starts_with("//! ") {
            wrong.push(format!("{file} does not begin with a //! header"));
        }
        if EMPTY_NAMES.contains(&stem(file)) {
            wrong.push(format!("{file}: the name says nothing"));
        }
        if !is_compiled(tree, &roots, file) {
            wrong.push(format!("{file} is in no module"));
        }
    }
    wrong
}

/// Files that a manifest names as the root of a crate.
fn crate_roots(tree: &Tree) -> BTreeSet<String> {
    let manifests = tree.below("", "toml").filter_map(|(file, text)| {
        let folder = file.strip_suffix("Cargo.toml")?;
        Some((folder, text))
    });
    let paths = manifests.flat_map(|(folder, text)| {
        let paths = text.lines().filter_map(|line| line.strip_prefix("path = "));
        paths.map(move |path| match path.trim_matches('"').split_once("../") {
            Some((_, beside)) => beside.to_owned(),
            None => format!("{folder}{}", path.trim_matches('"')),
        })
    });
    paths.collect()
}

/// Whether a `mod` line or a manifest names the file.
fn is_compiled(tree: &Tree, roots: &BTreeSet<String>, file: &str) -> bool {
    let name = stem(file);
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    if roots.contains(file) || ["lib", "main", "build"].contains(&name) {
        return true;
    }
    // The file above: of a/b/c.rs it is a/b.rs, or a root of a crate in a/b.
    let conventional = ["lib.rs", "main.rs"].map(|root| format!("{folder}/{root}"));
    let named = roots
        .iter()
        .filter(|root| root.rsplit_once('/').is_some_and(|(f, _)| f == folder));
    let mut above = conventional
        .into_iter()
        .chain([format!("{folder}.rs")])
        .chain(named.cloned());
    above.any(|parent| declares(tree.text(&parent), name))
}

fn declares(parent: Option<&str>, name: &str) -> bool {
    let tokens = code::tokens(parent.unwrap_or_default());
    tokens
        .windows(3)
        .any(|three| three[0].text == "mod" && three[1].text == name && three[2].text == ";")
}

fn stem(file: &str) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.strip_suffix(".rs").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_header_is_found() {
        let tree = Tree::of(&[("x/src/lib.rs", "pub struct A;\n")]);
        assert_eq!(
            violations(&tree),
            ["x/src/lib.rs does not begin with a //! header"]
        );
    }

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let long = format!("//! A.\n{}", "\n".repeat(LINES_MAX));
        let tree = Tree::of(&[("x/src/lib.rs", &long)]);
        assert_eq!(violations(&tree), ["x/src/lib.rs has 601 lines"]);
    }

    #[test]
    fn a_file_named_for_nothing_is_found() {
        let tree = Tree::of(&[
            ("x/src/lib.rs", "//! X.\nmod utils;"),
            ("x/src/utils.rs", "//! U.\n"),
        ]);
        assert_eq!(violations(&tree), ["x/src/utils.rs: the name says nothing"]);
    }

    #[test]
    fn a_file_that_no_mod_line_names_is_found() {
        let tree = Tree::of(&[
            ("x/src/lib.rs", "//! X.\nmod a;\n// mod c;"),
            ("x/src/a.rs", "//! A.\n#[cfg(test)]\nmod tests;"),
            ("x/src/a/tests.rs", "//! T.\n"),
            ("x/src/a/b.rs", "//! B.\n"),
            ("x/src/c.rs", "//! C.\n"),
            (
                "x/Cargo.toml",
                "[[bench]]\nname = \"d\"\npath = \"benches/d.rs\"\n",
            ),
            ("x/benches/d.rs", "//! D.\nmod e;"),
            ("x/benches/e.rs", "//! E.\n"),
        ]);
        assert_eq!(
            violations(&tree),
            ["x/src/a/b.rs is in no module", "x/src/c.rs is in no module"]
        );
    }
}
