//! The fast matcher against one that is too simple to be wrong, and the steps that it takes.

use proptest::prop_assert_eq;
use proptest::proptest;
use proptest::test_runner::Config;

use crate::policy::budget::Budget;
use crate::policy::glob::Glob;
use crate::policy::pattern::Meaning;
use crate::policy::pattern::Pattern;
use crate::policy::pattern::Wildcards;

const ALL: [Wildcards; 3] = [
    Wildcards::Free,
    Wildcards::Arn { trailing_any: true },
    Wildcards::Arn {
        trailing_any: false,
    },
];

fn parse(pattern: &str, wildcards: Wildcards) -> Pattern {
    let meaning = Meaning {
        wildcards,
        variables: false,
        ignore_case: false,
    };
    Pattern::parse(pattern, meaning)
}

/// Whether `pattern` matches `text`, and the steps that it took.
fn matches(pattern: &str, text: &str, wildcards: Wildcards) -> (bool, usize) {
    let steps = usize::MAX / 2;
    let mut budget = Budget::new(steps);
    let pattern = parse(pattern, wildcards);
    let matches = pattern.fixed().unwrap().matches(text, &mut budget);
    (matches.unwrap(), steps - budget.left())
}

/// Whether a star or question mark at `place` may not stand for a colon.
fn is_confined(pattern: &[char], place: usize, wildcards: Wildcards) -> bool {
    let Wildcards::Arn { trailing_any } = wildcards else {
        return false;
    };
    let colons = pattern[..place].iter().filter(|char| **char == ':').count();
    let ends_all = place + 1 == pattern.len();
    let ends_part = trailing_any && pattern.get(place + 1) == Some(&':');
    colons < 5 && !(pattern[place] == '*' && (ends_all || ends_part))
}

/// The same verdict from a table of all pairs of a start of the pattern and a start of the text.
fn reference(pattern: &str, text: &str, wildcards: Wildcards) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let mut before = vec![true];
    let text: Vec<char> = text.chars().collect();
    before.resize(text.len() + 1, false);
    for (place, wanted) in pattern.iter().enumerate() {
        let confined = is_confined(&pattern, place, wildcards);
        let mut after = vec![*wanted == '*' && before[0]];
        for (index, read) in text.iter().enumerate() {
            let free = !(confined && *read == ':');
            after.push(match wanted {
                '*' => before[index + 1] || (after[index] && free),
                '?' => before[index] && free,
                literal => before[index] && literal == read,
            });
        }
        before = after;
    }
    before[text.len()]
}

/// All texts of up to `length` of these characters.
fn all_texts(alphabet: &[char], length: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..length {
        let mut longer = Vec::new();
        for text in &last {
            longer.extend(alphabet.iter().map(|char| format!("{text}{char}")));
        }
        all.extend(longer.iter().cloned());
        last = longer;
    }
    all
}

#[test]
fn every_short_pattern_matches_what_the_table_matches() {
    let texts = all_texts(&['a', 'b', ':'], 5);
    for pattern in all_texts(&['a', ':', '*', '?'], 4) {
        for wildcards in ALL {
            for text in &texts {
                let expected = reference(&pattern, text, wildcards);
                let (found, _) = matches(&pattern, text, wildcards);
                assert_eq!(found, expected, "{pattern} {text} {wildcards:?}");
            }
        }
    }
}

#[test]
fn a_question_mark_stands_for_one_character_of_any_length() {
    for char in ["a", "é", "€", "𝄞"] {
        for wildcards in ALL {
            for pattern in ["?", "x?", "?x", "*?x", "x??", "*x?*", "a*?"] {
                for text in [
                    char.to_owned(),
                    format!("x{char}"),
                    format!("{char}x{char}"),
                ] {
                    let expected = reference(pattern, &text, wildcards);
                    let (found, _) = matches(pattern, &text, wildcards);
                    assert_eq!(found, expected, "{pattern} {text} {wildcards:?}");
                }
            }
        }
    }
}

#[test]
fn a_pattern_put_together_of_others_needs_the_bytes_of_all() {
    let mut glob = Glob::default();
    let mut part = Glob::default();
    for _ in 0..2 {
        part.push_one();
        part.push_text("ab");
        glob.append(&part);
    }
    // Nine bytes at least: a shorter text is not looked at.
    for (text, is_read) in [("8 bytes.", false), ("9 bytes..", true)] {
        let mut budget = Budget::new(1_000);
        assert_eq!(glob.matches(text, &mut budget), Ok(false));
        assert_eq!(1_000 - budget.left() > 8, is_read, "{text}");
    }
}

proptest! {
    #![proptest_config(Config::with_cases(4_096))]

    #[test]
    fn patterns_match_what_the_table_matches(
        pattern in "[ab:*?é𝄞]{0,12}",
        text in "[ab:é𝄞]{0,16}",
    ) {
        for wildcards in ALL {
            let (found, _) = matches(&pattern, &text, wildcards);
            prop_assert_eq!(found, reference(&pattern, &text, wildcards), "{:?}", wildcards);
        }
    }

    #[test]
    fn patterns_of_arns_match_what_the_table_matches(
        pattern in "([ab*?]{0,3}:){3,6}[ab*?:é]{0,5}",
        text in "([ab]{0,3}:){3,9}[ab:é]{0,5}",
    ) {
        for wildcards in ALL {
            let (found, _) = matches(&pattern, &text, wildcards);
            prop_assert_eq!(found, reference(&pattern, &text, wildcards), "{:?}", wildcards);
        }
    }

    #[test]
    fn a_text_that_a_pattern_was_made_of_matches_it(
        parts in proptest::collection::vec(("[ab:é]{0,3}", "[ab:é]{0,4}"), 0..6),
    ) {
        // Stars and what they stand for, in turn.
        let pattern: String = parts.iter().map(|(literal, _)| format!("{literal}*")).collect();
        let text: String = parts.iter().map(|(literal, gap)| format!("{literal}{gap}")).collect();
        prop_assert_eq!(matches(&pattern, &text, Wildcards::Free).0, true);
    }

    #[test]
    fn a_text_without_wildcards_matches_itself_alone(
        text in "[^*?$]{0,20}",
        other in "[^*?$]{0,20}",
    ) {
        for wildcards in ALL {
            prop_assert_eq!(matches(&text, &text, wildcards).0, true);
            prop_assert_eq!(matches(&text, &other, wildcards).0, text == other);
        }
    }
}

/// Patterns and texts of about `size` bytes each that are quadratic for matchers that start over.
fn hostile(size: usize) -> Vec<(String, String)> {
    let (a, ab) = ("a".repeat(size), "ab".repeat(size / 2));
    let half = "a".repeat(size / 2);
    vec![
        ("*a".repeat(size / 2), a.clone()),
        (format!("{}b", "*a".repeat(size / 2)), a.clone()),
        (format!("{}*b*", "*a".repeat(size / 4)), a.clone()),
        (format!("*{half}b"), a.clone()),
        (format!("*{half}b*"), a.clone()),
        (format!("*b{half}*"), a.clone()),
        (format!("*{half}b{half}*"), format!("{half}{a}")),
        ("*ab".repeat(size / 3), ab.clone()),
        (format!("*{}c*", "ab".repeat(size / 4)), ab),
        ("*".repeat(size), a.clone()),
        (format!("{}b", "*".repeat(size)), a.clone()),
        (format!("*{}*b", "?".repeat(size / 2)), a.clone()),
        (format!("a*{}", "?".repeat(size / 2)), a.clone()),
        (
            format!("arn:{}b:x", "*a".repeat(size / 2)),
            format!("arn:{a}"),
        ),
        (
            format!("arn:*:{}b:x", "a*".repeat(size / 4)),
            format!("arn{}", ":a".repeat(size / 2)),
        ),
        (
            "a*:a*b:a*b:*".to_owned(),
            format!("a{}", ":a".repeat(size / 2)),
        ),
        (
            "a*:a:a*:a*b:c".to_owned(),
            format!("a{}", ":a".repeat(size / 2)),
        ),
        ("*:*a:*b".to_owned(), ":".repeat(size)),
        ("*:*a:*b".to_owned(), a),
    ]
}

#[test]
fn a_pattern_takes_steps_in_proportion_to_its_length_and_the_texts() {
    for size in [100, 1_000, 10_000] {
        for (pattern, text) in hostile(size) {
            for wildcards in ALL {
                let (_, steps) = matches(&pattern, &text, wildcards);
                let bytes = pattern.len() + text.len();
                let start: String = pattern.chars().take(20).collect();
                assert!(
                    steps <= STEPS_PER_BYTE_MAX * bytes,
                    "{start} of {size}: {steps} steps for {bytes} bytes, {wildcards:?}"
                );
            }
        }
    }
}

/// Steps of the pattern, of its pieces, of searches and comparisons.
#[test]
fn a_search_costs_the_bytes_that_it_reads() {
    let (x, y) = ("x".repeat(1_000), "y".repeat(80));
    for (pattern, text, steps) in [
        ("*a?b*", x.clone(), 8 + 2 * 16 + 1 + (64 + 1_000)),
        ("*a?b*", format!("{x}a"), 8 + 2 * 16 + 1 + (64 + 1_001) + 64),
        (&format!("{y}*"), y.clone(), 8 + 2 * 16 + 80 / 8),
    ] {
        let (_, taken) = matches(pattern, &text, Wildcards::Free);
        assert_eq!(taken, steps, "{pattern}");
    }
}

#[test]
fn a_pattern_longer_than_the_text_takes_no_search() {
    let pattern = "*a".repeat(9_000);
    let (found, steps) = matches(&pattern, &"a".repeat(1_024), Wildcards::Free);
    assert!(!found);
    assert!(steps < 100, "{steps}");
}

/// Each star and each colon of a text may start one search.
const STEPS_PER_BYTE_MAX: usize = 128;
