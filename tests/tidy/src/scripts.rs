//! What scripts must not do.

use crate::tree::Tree;

/// Filters that stop reading once they have found what they look for.
const STOPS_EARLY: [&str; 3] = ["| grep -q", "| grep -m", "| head -"];

/// Lines that pipe into a filter that stops early, in scripts where a pipe fails with any of its commands: who
/// writes once more is killed by SIGPIPE, and the line fails now and then although what it looks for is there.
#[must_use]
pub fn early_stops(tree: &Tree) -> Vec<String> {
    let mut wrong = Vec::new();
    let scripts = tree.scripts();
    for (script, text) in scripts.filter(|(_, text)| text.contains("pipefail")) {
        for (number, line) in text.lines().enumerate() {
            if let Some(filter) = STOPS_EARLY.iter().find(|filter| line.contains(**filter)) {
                let filter = filter.trim_start_matches("| ");
                wrong.push(format!("{script}:{}: {filter} in a pipe", number + 1));
            }
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_stops_early_is_found_where_pipes_fail_with_any_command() {
        let lines = "a | grep -q b\na | grep b > /dev/null\ngrep -q b c\na | head -1\n";
        let failing = format!("set -euo pipefail\n{lines}");
        let tree = Tree::of(&[("a/one", &failing), ("a/two", lines), ("a/b.md", &failing)]);
        let found = ["a/one:2: grep -q in a pipe", "a/one:5: head - in a pipe"];
        assert_eq!(early_stops(&tree), found);
    }
}
