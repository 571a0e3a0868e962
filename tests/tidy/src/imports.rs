//! One import a line, in one order: the standard library, other crates, ours (`crate`, `self`,
//! `super`), with an empty line between the groups.
//!
//! `cargo +nightly fmt -- --config group_imports=StdExternalCrate,imports_granularity=Item` makes
//! it so. `pub use` lines, which pass names on, may be apart from the others.

use crate::exempt::Exemptions;
use crate::tree::Tree;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Standard,
    OtherCrates,
    Ours,
}

/// The imports that break the order. An exemption is a folder: `kms/src`.
#[must_use]
pub fn violations(tree: &Tree, exempt: &[&str]) -> Vec<String> {
    let mut exempt = Exemptions::new(exempt);
    let mut wrong = Vec::new();
    for (file, text) in tree.sources() {
        let found = in_file(file, text);
        let folder = file.split('/').take(2).collect::<Vec<_>>().join("/");
        if !found.is_empty() && !exempt.covers(&folder) {
            wrong.extend(found);
        }
    }
    wrong.extend(exempt.stale());
    wrong
}

fn in_file(file: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    // The last import of the block of imports that a line is in, and whether lines were empty since.
    let mut last: Option<(Group, usize)> = None;
    let mut empty = false;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        if code.is_empty() {
            empty = true;
            continue;
        }
        let imported = without_visibility(code).strip_prefix("use ");
        let Some(path) = imported else {
            if !code.starts_with("//") && !code.starts_with("#[") {
                last = None;
            }
            continue;
        };
        if path.contains('{') || !path.contains(';') {
            wrong.push(format!("{file}:{number}: more than one import: {code}"));
        }
        let group = group(path);
        if let Some((before, _)) = last.filter(|(_, there)| *there == indent) {
            if group < before {
                wrong.push(format!(
                    "{file}:{number}: {group:?} after {before:?}: {code}"
                ));
            } else if group > before && !empty {
                wrong.push(format!("{file}:{number}: no empty line above: {code}"));
            }
        }
        last = Some((group, indent));
        empty = false;
    }
    wrong
}

fn without_visibility(code: &str) -> &str {
    let Some(rest) = code.strip_prefix("pub") else {
        return code;
    };
    let rest = rest
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .map_or(rest, |rest| rest.1);
    rest.trim_start()
}

fn group(path: &str) -> Group {
    let path = path.trim_start_matches("::");
    let first = path
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next();
    match first.unwrap_or_default() {
        "std" | "core" | "alloc" => Group::Standard,
        "crate" | "super" | "self" => Group::Ours,
        _ => Group::OtherCrates,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> usize {
        in_file("a.rs", text).len()
    }

    #[test]
    fn the_one_order_passes() {
        let text = [
            "//! A.\n",
            "mod b;\n",
            "use std::fmt;\n",
            "use http::Method;",
            "use proto::arn::Arn;\n",
            "pub(crate) use crate::b::B;",
            "use super::C;\n",
            "fn f() {}\n",
        ];
        assert_eq!(in_file("a.rs", &text.join("\n")), Vec::<String>::new());
    }

    #[test]
    fn groups_out_of_order_or_without_a_line_between_are_found() {
        assert_eq!(wrong("use crate::a::A;\n\nuse std::fmt;\n"), 1);
        assert_eq!(wrong("use http::Method;\n\nuse std::fmt;\n"), 1);
        assert_eq!(wrong("use std::fmt;\nuse http::Method;\n"), 1);
        assert_eq!(wrong("pub(crate) use crate::a::A;\nuse http::Method;\n"), 1);
    }

    #[test]
    fn several_imports_in_one_are_found() {
        assert_eq!(wrong("use http::{Method, Uri};\n"), 1);
        assert_eq!(wrong("use http::{\n    Method,\n};\n"), 1);
    }

    #[test]
    fn each_block_of_imports_has_its_own_order() {
        let text = "use crate::a::A;\n\nfn f() {\n    use std::fmt;\n}\n\nmod tests {\n    use super::*;\n}\n";
        assert_eq!(wrong(text), 0);
        assert_eq!(
            wrong("mod tests {\n    use super::*;\n    use std::fmt;\n}\n"),
            1
        );
    }

    #[test]
    fn an_exemption_is_a_folder_and_must_be_needed() {
        let tree = Tree::of(&[("x/src/a.rs", "use http::{Method, Uri};\n")]);
        assert!(violations(&tree, &["x/src"]).is_empty());
        assert_eq!(violations(&tree, &[]).len(), 1);
        assert_eq!(
            violations(&tree, &["x/src", "y"]),
            ["the exemption `y` is stale"]
        );
    }
}
