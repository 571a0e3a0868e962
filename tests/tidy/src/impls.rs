//! The `impl` blocks of a type are in three files at most: one more concern is one more type.
//!
//! Implementations of traits do not count: they are where both names are known.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::code::Token;
use crate::exempt::Exemptions;
use crate::modules::Modules;
use crate::modules::Path;
use crate::tree::Tree;

/// Files that may hold `impl` blocks of one type.
const FILES_MAX: usize = 3;

/// The types of these crates whose `impl` blocks are in more files. An exemption is
/// `gateway/src: Objects`.
#[must_use]
pub fn violations(tree: &Tree, crates: &[&str], exempt: &[&str]) -> Vec<String> {
    let mut exempt = Exemptions::new(exempt);
    let mut wrong = Vec::new();
    for folder in crates {
        let modules = Modules::read(tree, folder);
        let mut definitions: BTreeMap<&str, Vec<&Path<'_>>> = BTreeMap::new();
        for (path, module) in modules.iter() {
            for name in defined_types(&module.tokens) {
                definitions.entry(name).or_default().push(path);
            }
        }
        let mut files: BTreeMap<(&str, &Path<'_>), BTreeSet<&str>> = BTreeMap::new();
        for (path, module) in modules.iter() {
            for name in implemented_types(&module.tokens) {
                let known = definitions.get(name).into_iter().flatten();
                let nearest = known.max_by_key(|definition| common(definition, path));
                let nearest = nearest.copied().unwrap_or(path);
                files
                    .entry((name, nearest))
                    .or_default()
                    .insert(module.file);
            }
        }
        for ((name, _), files) in files.iter().filter(|(_, files)| files.len() > FILES_MAX) {
            if !exempt.covers(&format!("{folder}: {name}")) {
                let list: Vec<_> = files.iter().copied().collect();
                let (count, list) = (files.len(), list.join(", "));
                wrong.push(format!(
                    "{folder}: {name} has impl blocks in {count} files: {list}"
                ));
            }
        }
    }
    wrong.extend(exempt.stale());
    wrong
}

/// How much of two paths is the same, the whole of the first one counting most.
fn common(definition: &Path<'_>, path: &Path<'_>) -> (usize, bool) {
    let same = definition
        .iter()
        .zip(path)
        .take_while(|(a, b)| a == b)
        .count();
    (same, same == definition.len())
}

fn defined_types<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    let defined = pairs.filter(|(a, _)| ["struct", "enum", "union", "trait"].contains(&a.text));
    defined.map(|(_, b)| b.text).collect()
}

/// The types that a file has `impl` blocks of, without those of traits.
fn implemented_types<'a>(tokens: &[Token<'a>]) -> Vec<&'a str> {
    let mut types = Vec::new();
    for at in 0..tokens.len() {
        let before = at.checked_sub(1).map_or(";", |before| tokens[before].text);
        if tokens[at].text != "impl" || !["}", ";", "]", "{", "unsafe"].contains(&before) {
            continue;
        }
        let (mut depth, mut name, mut previous) = (0_usize, None, "");
        for token in &tokens[at + 1..] {
            match token.text {
                "<" => depth += 1,
                ">" if previous != "-" => depth = depth.saturating_sub(1),
                "for" if depth == 0 => {
                    name = None;
                    break;
                }
                "{" | "where" if depth == 0 => break,
                word if depth == 0 && token.is_word() && word != "dyn" => name = Some(word),
                _ => {}
            }
            previous = token.text;
        }
        types.extend(name);
    }
    types
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: [(&str, &str); 5] = [
        (
            "x/src/a.rs",
            "pub struct A<T>(T); impl<T: Fn() -> u8> A<T> {}",
        ),
        (
            "x/src/b.rs",
            "use crate::a::A; fn f(x: impl Fn()) {} impl A<u8> {}",
        ),
        ("x/src/c.rs", "impl<T> crate::a::A<T> where T: Copy {}"),
        ("x/src/d.rs", "impl A<u16> {}"),
        ("x/src/e.rs", "impl Clone for A<u8> {}"),
    ];

    #[test]
    fn impl_blocks_in_four_files_are_too_many() {
        let found = violations(&Tree::of(&FOUR), &["x/src"], &[]);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("x/src: A has impl blocks in 4 files: x/src/a.rs"),
            "{found:?}"
        );
    }

    #[test]
    fn three_files_and_a_trait_are_allowed() {
        let mut files = FOUR;
        files[3].1 = "impl From<A> for B {}";
        assert!(violations(&Tree::of(&files), &["x/src"], &[]).is_empty());
    }

    #[test]
    fn types_of_one_name_in_several_modules_are_counted_apart() {
        let files: Vec<(String, &str)> = (0..4)
            .map(|n| (format!("x/src/m{n}.rs"), "struct Error; impl Error {}"))
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, *text)).collect();
        assert!(violations(&Tree::of(&files), &["x/src"], &[]).is_empty());
    }

    #[test]
    fn an_exemption_names_the_type_and_must_be_needed() {
        let tree = Tree::of(&FOUR);
        assert!(violations(&tree, &["x/src"], &["x/src: A"]).is_empty());
        let stale = violations(&tree, &["x/src"], &["x/src: A", "x/src: B"]);
        assert_eq!(stale, ["the exemption `x/src: B` is stale"]);
    }
}
