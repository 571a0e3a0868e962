//! What documents promise: tables name real tests, deploy files name every field.

use crate::code;
use crate::tree::Tree;

/// Documents that may have tables of tests and have none are not wrong, but all together have at
/// least this many names: a heading that was changed by accident takes its column with it.
const NAMES_MIN: usize = 50;
/// What a newcomer reads first; details go to the pages beside the code.
const README_LINES_MAX: usize = 200;
/// Longest line of prose in a document; rows of tables may be longer.
const PROSE_COLUMNS_MAX: usize = 119;

/// Names in the last column of tables headed `Test` or `Tests` that are neither a test function
/// nor a file, in all documents.
#[must_use]
pub fn unknown_tests(tree: &Tree, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let (names, wrong) = checked_tests(tree, exists);
    if names < NAMES_MIN {
        return vec![format!("tables headed `Test` name only {names} tests")];
    }
    wrong
}

fn checked_tests(tree: &Tree, exists: impl Fn(&str) -> bool) -> (usize, Vec<String>) {
    let tests: std::collections::BTreeSet<_> = tree
        .sources()
        .flat_map(|(_, text)| test_functions(text))
        .collect();
    let (mut names, mut wrong) = (0, Vec::new());
    for (document, text) in tree.documents() {
        let mut is_test_table = false;
        for (number, line) in text.lines().enumerate() {
            let row = line.trim();
            let last = row
                .trim_matches('|')
                .split('|')
                .next_back()
                .unwrap_or_default()
                .trim();
            if !row.starts_with('|') {
                is_test_table = false;
            } else if ["Test", "Tests"].contains(&last) {
                is_test_table = true;
            } else if is_test_table {
                for name in last.split('`').skip(1).step_by(2) {
                    names += 1;
                    if !tests.contains(name) && !exists(name) {
                        wrong.push(format!("{document}:{}: no test {name}", number + 1));
                    }
                }
            }
        }
    }
    (names, wrong)
}

/// Functions under a `#[test]` or `#[tokio::test]` attribute, or in a macro that makes tests.
fn test_functions(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut is_test = false;
    let tokens = code::tokens(text);
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| tokens[before].text);
        match token.text {
            "test" if before == Some("[") || before == Some("::") => is_test = true,
            "fn" if is_test => {
                names.extend(tokens.get(at + 1).map(|token| token.text));
                is_test = false;
            }
            "fn" | "mod" | "struct" => is_test = false,
            _ => {}
        }
    }
    names
}

/// A README that is too long, and lines of prose that are. Transcripts of consoles are as wide as what was
/// printed.
#[must_use]
pub fn too_long(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    for (document, text) in tree.documents() {
        let mut transcript = false;
        for (number, line) in text.lines().enumerate() {
            if let Some(kind) = line.strip_prefix("```") {
                transcript = kind == "console";
            }
            let columns = line.chars().count();
            if columns > PROSE_COLUMNS_MAX && !line.starts_with('|') && !transcript {
                wrong.push(format!("{document}:{}: {columns} characters", number + 1));
            }
        }
    }
    let lines = tree.text("README.md").unwrap_or_default().lines().count();
    if lines > README_LINES_MAX {
        wrong.push(format!("README.md has {lines} lines"));
    }
    wrong
}

/// Fields of the structs in `sources` that a configuration file is read into and that the deploy
/// file does not name.
#[must_use]
pub fn undocumented_fields(tree: &Tree, deploy_file: &str, sources: &[&str]) -> Vec<String> {
    let documented = tree.text(deploy_file).unwrap_or_default();
    let mut missing = Vec::new();
    for source in sources {
        let Some(text) = tree.text(source) else {
            missing.push(format!("{deploy_file}: there is no {source}"));
            continue;
        };
        let fields = configured_fields(text);
        if fields.is_empty() {
            missing.push(format!(
                "{deploy_file}: {source} has no fields that are read"
            ));
        }
        let unnamed = fields
            .iter()
            .filter(|field| !names_field(documented, field));
        missing.extend(unnamed.map(|field| format!("{deploy_file}: {field} of {source}")));
    }
    missing
}

/// Whether a line of a TOML file, commented out or not, sets a field.
fn names_field(toml: &str, field: &str) -> bool {
    toml.lines().any(|line| {
        let line = line.trim_start_matches("# ").trim_start_matches(['[', ' ']);
        let rest = line
            .strip_prefix(field)
            .or_else(|| line.rsplit_once('.')?.1.strip_prefix(field));
        rest.is_some_and(|rest| rest.starts_with([' ', ']', '.']))
    })
}

/// Public fields of the structs that derive `Deserialize`.
fn configured_fields(source: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let (mut derives, mut inside) = ("", false);
    for line in source.lines() {
        if line.starts_with("#[derive(") {
            derives = line;
        } else if line.starts_with("pub struct ") {
            inside = derives.contains("Deserialize") && line.ends_with('{');
        } else if line == "}" {
            (derives, inside) = ("", false);
        } else if let Some(field) = line.strip_prefix("    pub ").filter(|_| inside) {
            fields.extend(field.split_once(':').map(|(name, _)| name));
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_names_no_test_is_found() {
        let tree = Tree::of(&[
            (
                "a.md",
                "| What | Test |\n|---|---|\n| A | `real`, `gone` |\n| B | `run` |\n| `not_here` | C |\n\n`x`\n",
            ),
            ("a.rs", "#[tokio::test]\nasync fn real() {}\nfn gone() {}\n"),
        ]);
        let (names, wrong) = checked_tests(&tree, |name| name == "run");
        assert_eq!((names, wrong), (3, vec!["a.md:3: no test gone".to_owned()]));
    }

    #[test]
    fn tables_that_lost_their_heading_are_found() {
        let tree = Tree::of(&[("a.md", "| What | Proof |\n|---|---|\n| A | `gone` |\n")]);
        assert_eq!(
            unknown_tests(&tree, |_| false),
            ["tables headed `Test` name only 0 tests"]
        );
    }

    #[test]
    fn a_long_readme_and_long_lines_of_prose_are_found() {
        let wide = "x".repeat(PROSE_COLUMNS_MAX + 1);
        let readme = "\n".repeat(README_LINES_MAX + 1);
        let page = format!("|{wide}|\n{wide}\n```console\n{wide}\n```\n{wide}\n");
        let tree = Tree::of(&[("README.md", &readme), ("a.md", &page)]);
        assert_eq!(
            too_long(&tree),
            [
                "a.md:2: 120 characters",
                "a.md:6: 120 characters",
                "README.md has 201 lines"
            ]
        );
    }

    #[test]
    fn a_field_that_the_deploy_file_does_not_name_is_found() {
        let tree = Tree::of(&[
            ("d.toml", "# url = 1\n[limits.bytes]\n"),
            (
                "c.rs",
                "#[derive(Deserialize)]\npub struct C {\n    pub url: u8,\n    pub bytes: B,\n    pub gone: u8,\n}\n",
            ),
            ("e.rs", "pub struct E {\n    pub url: u8,\n}\n"),
        ]);
        assert_eq!(
            undocumented_fields(&tree, "d.toml", &["c.rs"]),
            ["d.toml: gone of c.rs"]
        );
        let none = undocumented_fields(&tree, "d.toml", &["e.rs", "f.rs"]);
        assert_eq!(
            none,
            [
                "d.toml: e.rs has no fields that are read",
                "d.toml: there is no f.rs"
            ]
        );
    }
}
