//! The headers `traceparent` and `tracestate`.
//!
//! They are taken from anybody and prove nothing. What is not as the standard has it is as if it were not there.
//!
//! Source: <https://www.w3.org/TR/trace-context/>

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use opentelemetry::trace::SpanContext;
use opentelemetry::trace::SpanId;
use opentelemetry::trace::TraceFlags;
use opentelemetry::trace::TraceId;
use opentelemetry::trace::TraceState;

/// The span that headers name, if they do. One that the standard does not allow, or two, name none.
pub(super) fn read(headers: &HeaderMap) -> Option<SpanContext> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (trace_id, span_id, flags) = parse(value.to_str().ok()?)?;
    let state = state(headers).unwrap_or_default();
    Some(SpanContext::new(trace_id, span_id, flags, true, state))
}

/// Writes a span into headers; what they said before of another one goes.
pub(super) fn write(span: &SpanContext, headers: &mut HeaderMap) {
    if !span.is_valid() {
        return;
    }
    let (trace_id, span_id, flags) = (span.trace_id(), span.span_id(), span.trace_flags());
    let parent = format!("00-{trace_id}-{span_id}-{flags:02x}");
    let state = span.trace_state().header();
    headers.remove(TRACESTATE);
    if let Ok(parent) = HeaderValue::try_from(parent) {
        headers.insert(TRACEPARENT, parent);
        if let (false, Ok(state)) = (state.is_empty(), HeaderValue::try_from(state.as_str())) {
            headers.insert(TRACESTATE, state);
        }
    }
}

/// Version, trace, span and flags. Later versions may have more behind them.
fn parse(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let mut parts = text.splitn(5, '-');
    let [version] = bytes(parts.next()?)?;
    let trace_id = TraceId::from_bytes(bytes(parts.next()?)?);
    let span_id = SpanId::from_bytes(bytes(parts.next()?)?);
    let [flags] = bytes(parts.next()?)?;
    let is_valid = match version {
        0 => parts.next().is_none(),
        FORBIDDEN_VERSION => false,
        _ => true,
    };
    let is_valid = is_valid && trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
    // Of the flags, only this one has a meaning in every version.
    let flags = TraceFlags::new(flags) & TraceFlags::SAMPLED;
    is_valid.then_some((trace_id, span_id, flags))
}

/// Exactly `N` bytes in hexadecimal digits, which are lower case.
fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let mut bytes = [0; N];
    let is_valid = text.bytes().all(is_digit) && hex::decode_to_slice(text, &mut bytes).is_ok();
    is_valid.then_some(bytes)
}

/// What vendors say of the trace, in all its headers together.
fn state(headers: &HeaderMap) -> Option<TraceState> {
    let mut members = Vec::new();
    let mut length = 0;
    for value in headers.get_all(TRACESTATE) {
        let value = value.to_str().ok()?;
        length += value.len();
        let listed = value.split(',').map(str::trim).filter(|it| !it.is_empty());
        for member in listed {
            members.push(member.split_once('=')?);
        }
    }
    let is_short = members.len() <= STATE_MEMBERS_MAX && length <= STATE_BYTES_MAX;
    is_short.then(|| TraceState::from_key_value(members).ok())?
}

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// The version that no `traceparent` has.
const FORBIDDEN_VERSION: u8 = 0xff;
/// Most members of a `tracestate`, by the standard.
const STATE_MEMBERS_MAX: usize = 32;
/// Longest `tracestate` that is passed on, in bytes: all that the standard demands.
const STATE_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(*name, value);
        }
        headers
    }

    /// What is written for what was read.
    fn passed(pairs: &[(&'static str, &str)]) -> Option<(String, String)> {
        let span = read(&headers(pairs))?;
        let mut written = headers(&[("tracestate", "stale=1"), ("traceparent", "stale")]);
        write(&span, &mut written);
        let text = |name: &str| {
            let value = written.get(name).map(|value| value.to_str().unwrap());
            value.unwrap_or_default().to_owned()
        };
        Some((text("traceparent"), text("tracestate")))
    }

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_context_is_passed_on_as_it_came() {
        for (parent, state, written) in [
            (VALID, "a=1,b@c=2", "a=1,b@c=2"),
            (VALID, " a=1 ,, b=2", "a=1,b=2"),
            (VALID, "", ""),
            (VALID, "no member", ""),
            (VALID, "UPPER=1", ""),
        ] {
            let (parent_written, state_written) =
                passed(&[("traceparent", parent), ("tracestate", state)]).unwrap();
            assert_eq!(parent_written, parent);
            assert_eq!(state_written, written, "{state}");
        }
        let unsampled = VALID.replace("-01", "-00");
        let (parent, state) = passed(&[("traceparent", &unsampled)]).unwrap();
        assert_eq!((parent, state), (unsampled, String::new()));
    }

    #[test]
    fn a_later_version_is_read_by_what_it_shares_with_this_one() {
        let later = VALID
            .replacen("00", "cc", 1)
            .replace("-01", "-09-more-to-come");
        let (parent, _) = passed(&[("traceparent", &later)]).unwrap();
        assert_eq!(parent, VALID);
    }

    #[test]
    fn what_the_standard_does_not_allow_is_ignored() {
        let long = "0".repeat(8_000);
        for hostile in [
            "",
            "00",
            "00---",
            "----",
            &VALID.to_uppercase(),
            &VALID.replacen("00", "ff", 1),
            &VALID.replacen("00", "0", 1),
            &VALID.replace("-01", "-1"),
            &VALID.replace("-01", "-01-"),
            &VALID.replace("-01", "-01-more"),
            &VALID.replace("-01", ""),
            &VALID.replace("4bf92f35", "+bf92f35"),
            &VALID.replace("4bf92f35", "4bf92f3"),
            &VALID.replace('4', "g"),
            &VALID.replace('4', "é"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "'; DROP TABLE spans; --",
            "${jndi:ldap://example.com/a}",
            &long,
        ] {
            assert_eq!(
                read(&headers(&[("traceparent", hostile)])),
                None,
                "{hostile}"
            );
        }
        let two = [("traceparent", VALID), ("traceparent", VALID)];
        assert_eq!(read(&headers(&two)), None);
        assert_eq!(read(&headers(&[("tracestate", "a=1")])), None);
    }

    #[test]
    fn a_state_that_is_too_long_goes_and_the_trace_stays() {
        let many: Vec<_> = (0..33).map(|number| format!("k{number}=v")).collect();
        for state in [many.join(","), format!("a={}", "v".repeat(600))] {
            let (parent, state) =
                passed(&[("traceparent", VALID), ("tracestate", &state)]).unwrap();
            assert_eq!((parent.as_str(), state.as_str()), (VALID, ""));
        }
        let (_, all) = passed(&[
            ("traceparent", VALID),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
        ])
        .unwrap();
        assert_eq!(all, "a=1,b=2");
    }
}
