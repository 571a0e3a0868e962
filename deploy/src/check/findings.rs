//! What was found wrong, as sentences with their places.

use crate::configuration::ConfigurationFile;

/// Sentences about files.
#[derive(Default)]
pub(super) struct Findings {
    /// What a start would refuse.
    pub(super) errors: Vec<String>,
    /// What it would accept.
    pub(super) warnings: Vec<String>,
}

impl Findings {
    /// Sentences about the fields of one service in `file`, whose table is `prefix`: `kms.`, or none.
    pub(super) const fn of<'a>(
        &'a mut self,
        file: &'a ConfigurationFile,
        prefix: &'static str,
    ) -> OfService<'a> {
        OfService {
            findings: self,
            file,
            prefix,
        }
    }
}

/// Where the sentences about one service go.
pub(super) struct OfService<'a> {
    findings: &'a mut Findings,
    file: &'a ConfigurationFile,
    prefix: &'static str,
}

impl OfService<'_> {
    /// A field that a start would refuse. What is found twice is one sentence.
    pub(super) fn error(&mut self, field: &str, sentence: &str) {
        let sentence = self.placed(field, sentence);
        if !self.findings.errors.contains(&sentence) {
            self.findings.errors.push(sentence);
        }
    }

    /// A field that a start would accept, and should not be so.
    pub(super) fn warning(&mut self, field: &str, sentence: &str) {
        let sentence = self.placed(field, sentence);
        self.findings.warnings.push(sentence);
    }

    /// Whether the file sets the field.
    pub(super) fn sets(&self, field: &str) -> bool {
        self.file.sets(&format!("{}{field}", self.prefix))
    }

    fn placed(&self, field: &str, sentence: &str) -> String {
        let full = format!("{}{field}", self.prefix);
        match self.file.mistake(&full, sentence) {
            Some(mistake) => mistake.to_string(),
            None => format!("{}: {sentence}", self.file.path().display()),
        }
    }
}
