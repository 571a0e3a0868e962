//! The fields of log lines: each is in the table of a document, by which operators search.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::code;
use crate::code::Token;
use crate::tree;
use crate::tree::Tree;

/// Folders whose sources write lines.
const FOLDERS: [&str; 4] = ["proto/src", "kms/src", "gateway/src", "deploy/src"];

/// Macros of `tracing` that write a line, whose fields end with its sentence.
const LINES: [&str; 5] = ["trace", "debug", "info", "warn", "error"];

/// Macros that begin a span, whose fields follow its name.
const SPANS: [&str; 5] = [
    "trace_span",
    "debug_span",
    "info_span",
    "warn_span",
    "error_span",
];

/// What the head of the first column of the table is.
const HEAD: &str = "In `fields`";

/// Where `tracing` puts the sentence: a field of that name would take its place.
const SENTENCE: &str = "message";

/// Fields that the table in `document` does not have, those of it that no line has, and one that takes the place of the
/// sentence.
#[must_use]
pub fn undocumented_fields(tree: &Tree, document: &str) -> Vec<String> {
    let documented = documented_fields(tree.text(document).unwrap_or_default());
    let mut used = BTreeMap::new();
    for folder in FOLDERS {
        let sources = tree.below(folder, "rs");
        for (path, text) in sources.filter(|(path, _)| !tree::is_test(path)) {
            for (field, line) in fields(&code::tokens_without_tests(text)) {
                used.entry(field)
                    .or_insert_with(|| format!("{path}:{line}"));
            }
        }
    }
    let mut wrong = Vec::new();
    for (field, place) in &used {
        if *field == SENTENCE {
            wrong.push(format!("{place}: a field {field} is the line's sentence"));
        } else if !documented.contains(field) {
            wrong.push(format!("{document}: no field {field} of {place}"));
        }
    }
    let unused = documented.iter().filter(|field| !used.contains_key(*field));
    wrong.extend(unused.map(|field| format!("{document}: no line has a field {field}")));
    wrong
}

/// The names in the first column of the table.
fn documented_fields(text: &str) -> BTreeSet<&str> {
    let head = format!("| {HEAD} |");
    let rows = text.lines().skip_while(|line| !line.starts_with(&head));
    let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
    let names = rows.filter_map(|row| Some(row.split('|').nth(1)?.split('`').skip(1).step_by(2)));
    names.flatten().collect()
}

/// The fields of the lines and spans in a source, each with the number of its line.
fn fields<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize)> {
    let mut found = Vec::new();
    for (at, _) in tokens.iter().enumerate() {
        let [tracing, path, name, mark, open, ..] = &tokens[at..] else {
            break;
        };
        let head = [tracing, path, mark, open].map(|token| token.text);
        if head != ["tracing", "::", "!", "("] {
            continue;
        }
        let is_span = SPANS.contains(&name.text);
        if !is_span && !LINES.contains(&name.text) {
            continue;
        }
        let arguments = arguments(&tokens[at + head.len() + 1..]);
        // The sentence and the name are literals, which are no tokens.
        let mut parts = arguments.split(|argument| argument.is_empty());
        let fields = if is_span { parts.nth(1) } else { parts.next() };
        let fields = fields.unwrap_or_default().iter();
        found.extend(fields.filter_map(|argument| field(argument)));
    }
    found
}

/// The arguments of a call, of which these are the tokens after its first bracket.
fn arguments<'t, 'a>(tokens: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut arguments = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => {
                arguments.push(&tokens[start..at]);
                break;
            }
            ")" | "]" | "}" => depth -= 1,
            "," if depth == 0 => {
                arguments.push(&tokens[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    arguments
}

/// The field that an argument is; none for the target.
fn field<'a>(argument: &[Token<'a>]) -> Option<(&'a str, usize)> {
    let argument = match argument {
        [sigil, rest @ ..] if ["%", "?"].contains(&sigil.text) => rest,
        all => all,
    };
    match argument {
        [_, colon, ..] if colon.text == ":" => None,
        [name, ..] => Some((name.text, name.line)),
        [] => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "fn f() {
        tracing::info!(target: \"a\", one = a.b(c, d), %two, ?three, \"a sentence with {}, {}\", four, five(6));
        tracing::warn!(\"{seven}\");
        let _ = tracing::error_span!(\"name\", eight = x.y, nine);
        other::info!(ten, \"\");
    }
    #[cfg(test)]
    mod tests { fn f() { tracing::info!(eleven, \"\"); } }";

    #[test]
    fn fields_are_what_stands_before_a_sentence_and_after_the_name_of_a_span() {
        let fields = fields(&code::tokens_without_tests(SOURCE));
        let names: Vec<_> = fields.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["one", "two", "three", "eight", "nine"]);
    }

    #[test]
    fn a_field_without_a_row_a_row_without_a_field_and_a_second_sentence_are_found() {
        let table = "| In `fields` | What |\n|---|---|\n| `one`, `two` | a `b` |\n| `gone` | c |\n";
        let source =
            "fn f() { tracing::info!(one, three, message, \"a\"); tracing::info!(%two, \"b\"); }";
        let tree = Tree::of(&[("m.md", table), ("kms/src/a.rs", source)]);
        assert_eq!(
            undocumented_fields(&tree, "m.md"),
            [
                "kms/src/a.rs:1: a field message is the line's sentence",
                "m.md: no field three of kms/src/a.rs:1",
                "m.md: no line has a field gone",
            ]
        );
    }
}
