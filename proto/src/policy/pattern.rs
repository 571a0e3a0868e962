//! Texts with wildcards and policy variables.

use crate::policy::Context;

/// A text of a policy, some of whose characters may stand for others.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Token(Token),
    Variable {
        key: String,
        default: Option<String>,
    },
}

/// One place of a pattern, its variables replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// This character.
    Char(char),
    /// `*`: any run of characters.
    Any,
    /// `*` that stays within one part of an ARN: any run of characters without a colon.
    AnyWithin,
    /// `?`: any character.
    One,
    /// `?` that stays within one part of an ARN: any character but a colon.
    OneWithin,
}

/// What the characters of a pattern may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// `*` and `?` are wildcards.
    pub(crate) wildcards: bool,
    /// `${key}` is a variable: only under version `2012-10-17`.
    pub(crate) variables: bool,
}

impl Pattern {
    /// Reads `text`. A `${` without its `}` stands for itself.
    pub(crate) fn parse(text: &str, meaning: Meaning) -> Self {
        let mut parts = Vec::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let variable = rest
                .strip_prefix("${")
                .and_then(|inner| inner.split_once('}'));
            if let (true, Some((inner, after))) = (meaning.variables, variable) {
                parts.push(parse_variable(inner));
                rest = after;
                continue;
            }
            parts.push(Part::Token(match next {
                '*' if meaning.wildcards => Token::Any,
                '?' if meaning.wildcards => Token::One,
                other => Token::Char(other),
            }));
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        Self {
            text: text.to_owned(),
            parts,
        }
    }

    /// The text as the policy has it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The pattern for one request; `None` where a variable has no value there, which is like and
    /// equal to nothing. What a variable brings in is never a wildcard.
    pub(crate) fn resolve(&self, context: &Context) -> Option<Vec<Token>> {
        let mut tokens = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            match part {
                Part::Token(token) => tokens.push(*token),
                Part::Variable { key, default } => {
                    let value = match (context.get(key), default) {
                        (Some([value]), _) => value,
                        (None, Some(default)) => default,
                        _ => return None,
                    };
                    tokens.extend(value.chars().map(Token::Char));
                }
            }
        }
        Some(tokens)
    }
}

fn parse_variable(inner: &str) -> Part {
    match inner {
        "*" | "?" | "$" => Part::Token(Token::Char(inner.chars().next().unwrap_or('$'))),
        _ => {
            let (key, default) = match inner.split_once(',') {
                Some((key, default)) => {
                    let default = default.trim();
                    let quoted = default
                        .strip_prefix('\'')
                        .and_then(|default| default.strip_suffix('\''));
                    (key, Some(quoted.unwrap_or(default).to_owned()))
                }
                None => (inner, None),
            };
            Part::Variable {
                key: key.trim().to_lowercase(),
                default,
            }
        }
    }
}

/// Keeps the wildcards of an ARN within its first five parts; those of the sixth, the resource, stay
/// free, colons or not. So does a `*` that ends the whole pattern and, where `trailing_any`, one
/// that ends a part, as in the element `Resource`.
pub(crate) fn confine_to_parts(tokens: &mut [Token], trailing_any: bool) {
    let mut colons = 0;
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first_mut() {
        let ends_all = after.is_empty();
        let ends_part = after.first() == Some(&Token::Char(':'));
        match *token {
            Token::Char(':') => colons += 1,
            Token::Any if colons < 5 && !ends_all && !(ends_part && trailing_any) => {
                *token = Token::AnyWithin;
            }
            Token::One if colons < 5 => *token = Token::OneWithin,
            _ => {}
        }
        rest = after;
    }
}

/// Whether all of `text` is what `tokens` stand for.
///
/// Walks the text once with the set of places the pattern may be at, so that no pattern, however
/// many wildcards it has, costs more than its length times that of the text.
pub(crate) fn matches(tokens: &[Token], text: &str) -> bool {
    // `places[i]`: the tokens before `i` stand for the text read so far.
    let mut places = vec![false; tokens.len() + 1];
    reach(&mut places, tokens, 0);
    let mut next = vec![false; tokens.len() + 1];
    for read in text.chars() {
        next.fill(false);
        for (place, token) in tokens.iter().enumerate() {
            if !places.get(place).copied().unwrap_or(false) {
                continue;
            }
            match *token {
                Token::Char(wanted) if wanted == read => reach(&mut next, tokens, place + 1),
                Token::One => reach(&mut next, tokens, place + 1),
                Token::OneWithin if read != ':' => reach(&mut next, tokens, place + 1),
                Token::Any => reach(&mut next, tokens, place),
                Token::AnyWithin if read != ':' => reach(&mut next, tokens, place),
                _ => {}
            }
        }
        std::mem::swap(&mut places, &mut next);
    }
    places.last().copied().unwrap_or(false)
}

/// Marks `place`, and those a run of nothing leads to from there.
fn reach(places: &mut [bool], tokens: &[Token], place: usize) {
    let mut place = place;
    while let Some(mark) = places.get_mut(place) {
        if std::mem::replace(mark, true) {
            return;
        }
        match tokens.get(place) {
            Some(Token::Any | Token::AnyWithin) => place += 1,
            _ => return,
        }
    }
}

/// `tokens` for a comparison without regard to case, against a text in [`lower`] case.
pub(crate) fn lower_tokens(tokens: &[Token]) -> Vec<Token> {
    let mut out = Vec::with_capacity(tokens.len());
    for token in tokens {
        match token {
            Token::Char(char) => out.extend(char.to_lowercase().map(Token::Char)),
            other => out.push(*other),
        }
    }
    out
}

/// `text` for a comparison without regard to case.
pub(crate) fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}
