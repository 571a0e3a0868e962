//! Data flows one way: a module names only modules below it in its crate's list.

use crate::code;
use crate::tree::Tree;

/// Where a crate's modules name one above them. `crates` are folders with the file that lists
/// their modules, from top to bottom.
#[must_use]
pub fn violations(tree: &Tree, crates: &[(&str, &str)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (folder, list) in crates {
        let order = listed(tree.text(&format!("{folder}/{list}")).unwrap_or_default());
        if order.is_empty() {
            wrong.push(format!("{folder}/{list} lists no modules"));
        }
        for (file, text) in tree.below(folder, "rs") {
            let module = module_of(folder, file);
            let Some(own) = order.iter().position(|name| *name == module) else {
                continue; // lib.rs and main.rs are above all modules
            };
            let tokens = code::tokens(text);
            for three in tokens.windows(3).filter(|three| three[0].text == "crate") {
                let target = order.iter().position(|name| *name == three[2].text);
                if three[1].text == "::" && target.is_some_and(|target| target < own) {
                    let (line, target) = (three[0].line, three[2].text);
                    wrong.push(format!(
                        "{file}:{line}: {module} names {target}, which is above it"
                    ));
                }
            }
        }
    }
    wrong
}

/// Names after `mod` in the order of the lines.
fn listed(text: &str) -> Vec<&str> {
    let names = text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        let line = line.strip_prefix("pub(crate) ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.collect()
}

/// The module a file belongs to: the first component below the crate's folder.
fn module_of<'a>(folder: &str, file: &'a str) -> &'a str {
    let inside = file
        .strip_prefix(folder)
        .unwrap_or(file)
        .trim_start_matches('/');
    let first = inside.split('/').next().unwrap_or(inside);
    first.strip_suffix(".rs").unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_that_names_one_above_it_is_found() {
        let tree = Tree::of(&[
            ("x/src/lib.rs", "pub mod top;\nmod low;\n"),
            ("x/src/top.rs", "use crate::low::L;"),
            (
                "x/src/low/deep.rs",
                "//! crate::top\n\nfn f() { crate::top::t() }",
            ),
        ]);
        let found = violations(&tree, &[("x/src", "lib.rs")]);
        assert_eq!(
            found,
            ["x/src/low/deep.rs:3: low names top, which is above it"]
        );
    }

    #[test]
    fn a_crate_without_a_list_is_found() {
        let tree = Tree::of(&[("x/src/lib.rs", "fn f() {}")]);
        assert_eq!(
            violations(&tree, &[("x/src", "lib.rs")]),
            ["x/src/lib.rs lists no modules"]
        );
    }
}
