//! Names and words that are not used.

use crate::code;
use crate::tree::Tree;

/// Endings of type and module names that say nothing.
const EMPTY_ENDINGS: [&str; 5] = ["manager", "handler", "helper", "util", "utils"];
/// `KeyManager` is a field of AWS's key metadata.
const AWS_NAMES: [&str; 1] = ["manager"];
/// Where AWS itself still uses the words that it gave up: error texts that clients compare.
const AWS_QUOTES: [&str; 3] = [
    "identify a cmk that",
    "refers to a customer master key that",
    "keyusage value of the cmk is",
];

/// Types and modules with a name that says nothing.
#[must_use]
pub fn empty_names(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in tree.sources() {
        let tokens = code::tokens(text);
        for two in tokens.windows(2) {
            let keyword = ["struct", "enum", "trait", "mod", "type"].contains(&two[0].text);
            let name = two[1].text.to_lowercase();
            let empty = EMPTY_ENDINGS.iter().any(|ending| name.ends_with(ending));
            if keyword && empty && !AWS_NAMES.contains(&name.as_str()) {
                wrong.push(format!(
                    "{file}:{}: {} says nothing",
                    two[1].line, two[1].text
                ));
            }
        }
    }
    wrong
}

/// The words that AWS gave up: a KMS key, root key or customer key is meant.
#[must_use]
pub fn outdated(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in tree.sources().chain(tree.documents()) {
        if file == "tests/tidy/src/words.rs" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let mut words = line.to_lowercase();
            for quote in AWS_QUOTES {
                words = words.replace(quote, "");
            }
            let mut each = words.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
            if words.contains("master key") || each.any(|word| word == "cmk") {
                wrong.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    wrong
}

/// `use crate::{` and `super::super`: with them, the arrows between modules cannot be searched for.
#[must_use]
pub fn hidden_arrows(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (file, text) in tree.sources() {
        let tokens = code::tokens(text);
        for three in tokens.windows(3) {
            let texts = [three[0].text, three[1].text, three[2].text];
            if [["crate", "::", "{"], ["super", "::", "super"]].contains(&texts) {
                wrong.push(format!("{file}:{}: {}", three[0].line, texts.concat()));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_say_nothing_are_found_and_awss_own_are_not() {
        let tree = Tree::of(&[(
            "a.rs",
            "struct KeyManager;\nenum Manager {}\n// struct XHelper\n",
        )]);
        assert_eq!(empty_names(&tree), ["a.rs:1: KeyManager says nothing"]);
    }

    #[test]
    fn words_that_aws_gave_up_are_found_and_its_error_texts_are_not() {
        let tree = Tree::of(&[
            ("a.md", "a Master Key\nthe CMK\nscmk"),
            (
                "b.rs",
                "\"The KeyUsage value of the CMK is ENCRYPT_DECRYPT\"",
            ),
        ]);
        assert_eq!(outdated(&tree), ["a.md:1: a Master Key", "a.md:2: the CMK"]);
    }

    #[test]
    fn arrows_that_cannot_be_searched_for_are_found() {
        let tree = Tree::of(&[(
            "a.rs",
            "use crate::{a, b};\nuse super::super::c;\nuse crate::d;",
        )]);
        assert_eq!(
            hidden_arrows(&tree),
            ["a.rs:1: crate::{", "a.rs:2: super::super"]
        );
    }
}
