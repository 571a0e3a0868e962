//! Members of JSON documents that have the form of another party, by RFC 6901's pointers.

use serde_json::Value;

/// The text there.
pub(super) fn text<'a>(document: &'a Value, pointer: &str) -> Option<&'a str> {
    document.pointer(pointer).and_then(Value::as_str)
}

/// Whether there is a `true`.
pub(super) fn is_true(document: &Value, pointer: &str) -> bool {
    document.pointer(pointer) == Some(&Value::Bool(true))
}

/// The members of the list there; none if there is no list.
pub(super) fn members<'a>(document: &'a Value, pointer: &str) -> &'a [Value] {
    let list = document.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}
