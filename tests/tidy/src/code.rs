//! Rust source as tokens: enough to read paths and items, and not fooled by comments or literals.

/// An identifier, `::`, or one character of punctuation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// Its text.
    pub text: &'a str,
    /// Its line, from 1.
    pub line: usize,
}

impl Token<'_> {
    /// Whether it is an identifier, a keyword or a number.
    #[must_use]
    pub fn is_word(&self) -> bool {
        self.text
            .starts_with(|c: char| c.is_alphanumeric() || c == '_')
    }
}

/// The tokens of a source, without its comments and literals.
#[must_use]
pub fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = match skipped(rest) {
            Some(length) => length,
            None => {
                let length = token_length(rest, first);
                if !first.is_whitespace() {
                    tokens.push(Token {
                        text: &rest[..length],
                        line,
                    });
                }
                length
            }
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    tokens
}

/// The tokens of what is compiled without tests.
#[must_use]
pub fn tokens_without_tests(source: &str) -> Vec<Token<'_>> {
    const TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let all = tokens(source);
    let mut kept = Vec::with_capacity(all.len());
    let mut at = 0;
    while let Some(token) = all.get(at) {
        let head = all[at..].iter().take(TEST.len()).map(|token| token.text);
        if head.eq(TEST) {
            at += TEST.len() + item_length(&all[at + TEST.len()..]);
        } else {
            kept.push(*token);
            at += 1;
        }
    }
    kept
}

/// Tokens of the item that these begin with: up to its `;`, or to the end of its `{}`.
fn item_length(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            ";" | "," if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// The length of the comment or literal that a text begins with.
fn skipped(rest: &str) -> Option<usize> {
    let end = |mark: &str, from: usize| {
        rest[from..]
            .find(mark)
            .map_or(rest.len(), |found| from + found + mark.len())
    };
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(end("*/", 2));
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(hashes) = raw.strip_prefix('r') {
        let count = hashes.len() - hashes.trim_start_matches('#').len();
        if hashes[count..].starts_with('"') {
            let mark = format!("\"{}", "#".repeat(count));
            return Some(end(&mark, rest.len() - hashes.len() + count + 1));
        }
    }
    if raw.starts_with('"') {
        return Some(rest.len() - raw.len() + quoted_length(raw, '"'));
    }
    let mut letters = raw.strip_prefix('\'')?.chars();
    let (first, second) = (letters.next()?, letters.next()?);
    // A character, and no lifetime.
    (first == '\\' || second == '\'').then(|| rest.len() - raw.len() + quoted_length(raw, '\''))
}

/// The length of a literal from its first quote to its last.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if letter == '\\' {
            escaped = true;
        } else if letter == quote {
            return at + 1;
        }
    }
    text.len()
}

fn token_length(rest: &str, first: char) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    if word(first) {
        rest.find(|c: char| !word(c)).unwrap_or(rest.len())
    } else if rest.starts_with("::") {
        2
    } else {
        first.len_utf8()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        let words = tokens(source).into_iter().filter(Token::is_word);
        words.map(|token| token.text).collect()
    }

    #[test]
    fn comments_and_literals_are_no_tokens() {
        let source = r###"a /* b */ "c \" c" d // e
            r#"f " f"# g b"h" 'i' '\'' j"###;
        assert_eq!(words(source), ["a", "d", "g", "j"]);
    }

    #[test]
    fn a_lifetime_is_no_literal() {
        assert_eq!(
            words("fn f<'a>(x: &'a str) {}"),
            ["fn", "f", "a", "x", "a", "str"]
        );
    }

    #[test]
    fn tokens_carry_their_lines() {
        let source = "a\n\"b\n\"\nc";
        assert_eq!(tokens(source)[1], Token { text: "c", line: 4 });
    }

    #[test]
    fn what_is_compiled_for_tests_only_is_left_out() {
        let source = "use a; #[cfg(test)] use b; fn c() {} #[cfg(test)] mod d { use e; } fn f() {}";
        let left: Vec<_> = tokens_without_tests(source)
            .iter()
            .map(|token| token.text)
            .collect();
        assert!(left.contains(&"a") && left.contains(&"c") && left.contains(&"f"));
        assert!(!left.contains(&"b") && !left.contains(&"d") && !left.contains(&"e"));
    }
}
