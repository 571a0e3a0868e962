//! The secret by which services prove themselves to the KMS, in a file of one or two lines.
//!
//! A service sends the first line, and the KMS accepts each. So the secret changes without a refused call: a file
//! with `old` becomes one with `old` and `new` everywhere, then `new` and `old` everywhere, then `new` alone.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::identity::Secret;

/// What a file with the secret has: the secret that is sent and, while it changes, another one that is accepted.
#[derive(Clone, Debug)]
pub struct ServiceSecrets {
    first: Secret,
    second: Option<Secret>,
}

impl ServiceSecrets {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`FileError`] for one that cannot be read, or whose text [`Self::parse`] refuses.
    pub fn read(file: &Path) -> Result<Self, FileError> {
        let failed = |mistake| FileError {
            file: file.to_owned(),
            mistake,
        };
        let text = std::fs::read_to_string(file).map_err(|error| failed(Mistake::Unread(error)))?;
        Self::parse(&Zeroizing::new(text)).map_err(failed)
    }

    /// The secrets in a text, a line each. White space at the ends of a line does not count, nor do empty lines.
    ///
    /// # Errors
    ///
    /// [`Mistake`] for no secret, for more than two, and for one that could be guessed or not be sent.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        let lines = text.lines().map(str::trim).enumerate();
        let mut lines = lines.filter(|(_, line)| !line.is_empty());
        let first = lines.next().ok_or(Mistake::Empty)?;
        let second = lines.next();
        if lines.next().is_some() {
            return Err(Mistake::TooMany);
        }
        Ok(Self {
            first: secret(first)?,
            second: second.map(secret).transpose()?,
        })
    }

    /// The one that a service sends.
    #[must_use]
    pub const fn sent(&self) -> &Secret {
        &self.first
    }

    /// All that the KMS accepts.
    pub fn accepted(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.first).chain(&self.second)
    }
}

/// The secret of one line, by its index.
fn secret((at, line): (usize, &str)) -> Result<Secret, Mistake> {
    let number = at + 1;
    if line.len() < SECRET_BYTES_MIN {
        return Err(Mistake::Short { line: number });
    }
    if !line
        .bytes()
        .all(|byte| byte.is_ascii_graphic() || byte == b' ')
    {
        return Err(Mistake::Unsendable { line: number });
    }
    Ok(Secret::new(line))
}

/// A file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {mistake}", file.display())]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub mistake: Mistake,
}

/// What is wrong with a file. It says nothing of what the file has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Mistake {
    /// Anybody would know the secret.
    #[error("the file is empty")]
    Empty,
    /// A secret that could be guessed.
    #[error("line {line} is too short a secret: it needs at least {SECRET_BYTES_MIN} bytes")]
    Short {
        /// Counted from 1.
        line: usize,
    },
    /// An old secret was forgotten, or it is another file.
    #[error("the file has more than two lines: one secret, or two while it changes, a line each")]
    TooMany,
    /// It cannot be read.
    #[error(transparent)]
    Unread(io::Error),
    /// A header cannot carry it.
    #[error("line {line} cannot be sent: a secret is of ASCII letters, digits and signs")]
    Unsendable {
        /// Counted from 1.
        line: usize,
    },
}

/// The shortest secret that is accepted, in bytes: 16 random letters of base64 have 96 bits.
pub const SECRET_BYTES_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "the old one of 16 bytes and more";
    const NEW: &str = "bmV3IGFuZCBsb25nIGVub3VnaA==";

    fn accepted(text: &str) -> Vec<String> {
        let secrets = ServiceSecrets::parse(text).unwrap();
        let accepted = secrets.accepted().map(|secret| secret.expose().to_owned());
        accepted.collect()
    }

    #[test]
    fn the_first_line_is_sent_and_each_is_accepted() {
        for text in [
            format!("{OLD}\n{NEW}"),
            format!("{OLD}\n{NEW}\n"),
            format!(" {OLD} \r\n\r\n{NEW}\t\r\n"),
        ] {
            let secrets = ServiceSecrets::parse(&text).unwrap();
            assert_eq!(secrets.sent().expose(), OLD, "{text:?}");
            assert_eq!(accepted(&text), [OLD, NEW], "{text:?}");
        }
        assert_eq!(accepted(OLD), [OLD]);
        assert_eq!(accepted(&"x".repeat(SECRET_BYTES_MIN)).len(), 1);
    }

    #[test]
    fn a_file_without_a_secret_with_three_or_with_a_poor_one_is_refused() {
        for (text, expected) in [
            (String::new(), "the file is empty"),
            (" \n\n".to_owned(), "the file is empty"),
            (format!("{OLD}\n{NEW}\n{OLD}"), "more than two lines"),
            ("x".repeat(15), "line 1 is too short"),
            (format!("{OLD}\n\nshort"), "line 3 is too short"),
            (format!("{OLD}\u{e4}"), "line 1 cannot be sent"),
            (format!("\u{feff}{OLD}"), "line 1 cannot be sent"),
            (format!("{OLD}\n{NEW}\0"), "line 2 cannot be sent"),
            (format!("{OLD}\r{NEW}"), "line 1 cannot be sent"),
        ] {
            let mistake = ServiceSecrets::parse(&text).unwrap_err().to_string();
            assert!(mistake.contains(expected), "{text:?}: {mistake}");
            assert!(!mistake.contains("old one"), "{mistake}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = ServiceSecrets::read(Path::new("/nowhere/secret")).unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/secret: "));
    }

    #[test]
    fn no_secret_is_printed() {
        let secrets = ServiceSecrets::parse(&format!("{OLD}\n{NEW}")).unwrap();
        let shown = format!("{secrets:?}");
        assert!(!shown.contains(OLD) && !shown.contains(NEW), "{shown}");
    }
}
