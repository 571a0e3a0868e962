//! The fields of a log line as plain text: `name=value`, separated by spaces.
//!
//! The formatter of `tracing-subscriber` writes each name through the styles of a terminal, whether they
//! are shown or not, which is a fortieth of all that a small request costs. This one writes the same text.
//! It escapes control characters in every value, since a value may be a client's.

use std::error::Error;
use std::fmt;
use std::fmt::Debug;
use std::fmt::Write as _;

use tracing::field::Field;
use tracing::field::Visit;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes fields without styles.
#[derive(Debug)]
pub(super) struct PlainFields;

impl<'writer> FormatFields<'writer> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line {
            writer,
            is_empty: true,
            result: Ok(()),
        };
        fields.record(&mut line);
        line.result
    }
}

/// The fields of one line.
struct Line<'writer> {
    writer: Writer<'writer>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    /// Writes one field, unless an earlier one failed.
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut Escaping<'_>) -> fmt::Result) {
        if self.result.is_ok() {
            self.result = self.try_field(field.name(), value);
        }
    }

    fn try_field(
        &mut self,
        name: &str,
        value: impl FnOnce(&mut Escaping<'_>) -> fmt::Result,
    ) -> fmt::Result {
        if !std::mem::take(&mut self.is_empty) {
            self.writer.write_char(' ')?;
        }
        let is_message = name == MESSAGE;
        if !is_message {
            self.writer
                .write_str(name.strip_prefix("r#").unwrap_or(name))?;
            self.writer.write_char('=')?;
        }
        value(&mut Escaping {
            writer: &mut self.writer,
            keeps_lines: is_message,
        })
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        let is_message = field.name() == MESSAGE;
        self.field(field, |out| match is_message {
            true => out.write_str(value),
            // As `Debug` writes them, which looks at each character.
            false if value.bytes().all(is_plain) => {
                out.writer.write_char('"')?;
                out.writer.write_str(value)?;
                out.writer.write_char('"')
            }
            false => write!(out, "{value:?}"),
        });
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |out| write!(out.writer, "{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.field(field, |out| {
            write!(out, "{value}")?;
            let mut cause = value.source();
            while let Some(error) = cause {
                write!(out, ": {error}")?;
                cause = error.source();
            }
            Ok(())
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.field(field, |out| write!(out, "{value:?}"));
    }
}

/// Escapes control characters, those of eight bits too: a terminal obeys them, and a line end would begin
/// another line of the log.
struct Escaping<'a> {
    writer: &'a mut dyn fmt::Write,
    /// Whether line ends and tabs stay: those of a message are the program's own.
    keeps_lines: bool,
}

impl fmt::Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if !text.bytes().any(may_begin_control) {
            return self.writer.write_str(text);
        }
        for character in text.chars() {
            let is_kept = self.keeps_lines && matches!(character, '\n' | '\t');
            match character.is_control() && !is_kept {
                true => write!(self.writer, "{}", character.escape_default())?,
                false => self.writer.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// Whether a control character may begin with this byte of UTF-8: those of eight bits begin with `0xc2`.
const fn may_begin_control(byte: u8) -> bool {
    byte.is_ascii_control() || byte == 0xc2
}

/// Whether `Debug` writes this byte of a text as it is.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')
}

/// The name of the field that has no name in a line.
const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::Mutex;

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is logged meanwhile, by this formatter and by the library's.
    fn logged(log: impl Fn()) -> (String, String) {
        let (ours, theirs) = (Sink::default(), Sink::default());
        let builder = || tracing_subscriber::fmt().with_ansi(false).without_time();
        let sink = ours.clone();
        let plain = builder()
            .fmt_fields(PlainFields)
            .with_writer(move || sink.clone());
        tracing::subscriber::with_default(plain.finish(), &log);
        let sink = theirs.clone();
        let default = builder().with_writer(move || sink.clone());
        tracing::subscriber::with_default(default.finish(), &log);
        let text = |sink: Sink| String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        (text(ours), text(theirs))
    }

    #[test]
    fn a_line_is_the_one_that_the_library_writes() {
        let (ours, theirs) = logged(|| {
            let span = tracing::info_span!("request", id = "7", key = tracing::field::Empty);
            let _entered = span.enter();
            span.record("key", tracing::field::debug("a \"b\" \\ é\n\u{1b}[1m"));
            tracing::info!(
                text = "a \"b\"\t\\ \u{9b}",
                plain = "GetObject",
                debug = ?Some("x\r\n"),
                display = %1.5,
                number = 7_u64,
                signed = -7_i64,
                truth = true,
                r#type = "raw",
                "done: {}", "\u{1b}[2J"
            );
            tracing::warn!("only a message");
        });
        assert!(
            ours.contains("number=7") && !ours.contains('\u{1b}'),
            "{ours}"
        );
        assert_eq!(ours, theirs.replace("\\x1b", "\\u{1b}"));
    }

    #[test]
    fn no_control_character_of_a_value_reaches_the_log() {
        let hostile = "a\r\n2026 INFO forged \u{1b}[2J\u{7f}\u{9b}1m";
        let (ours, _) = logged(|| {
            let error = io::Error::other(hostile);
            let error: &(dyn Error + 'static) = &error;
            tracing::info!(display = %hostile, text = hostile, error, "{hostile}");
        });
        let controls = ours.chars().filter(|it| it.is_control()).count();
        // The line end of the message, and that of the line.
        assert_eq!(controls, 2, "{ours:?}");
    }
}
