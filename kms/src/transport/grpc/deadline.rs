//! How long a client waits for its call, as the head says it.
//!
//! Source: `Timeout` in <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>

use std::time::Duration;

use http::HeaderMap;

use crate::error::KmsError;

/// The time that the call may take; none if its client sets none.
///
/// # Errors
///
/// ValidationException for a text that is no time. To work on without one would cost a client that no
/// longer waits.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, KmsError> {
    let Some(value) = headers.get(HEADER) else {
        return Ok(None);
    };
    let timeout = parse(value.as_bytes());
    let refusal = || KmsError::validation("grpc-timeout is no time such as 500m.");
    timeout.map(Some).ok_or_else(refusal)
}

/// At most eight digits, and a unit.
fn parse(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    if !(1..=DIGITS_MAX).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }

    let number: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(number * 3_600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return None,
    })
}

const HEADER: &str = "grpc-timeout";
const DIGITS_MAX: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_up_to_eight_digits_and_a_unit() {
        for (text, timeout) in [
            ("0n", Duration::ZERO),
            ("100m", Duration::from_millis(100)),
            ("7u", Duration::from_micros(7)),
            ("2S", Duration::from_secs(2)),
            ("3M", Duration::from_secs(180)),
            ("99999999H", Duration::from_secs(99_999_999 * 3_600)),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(timeout), "{text}");
        }
        for text in ["", "m", "1", "1s", "123456789m", "-1m", "+1m", "1.5S", "१m"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
