//! Browser forms: `multipart/form-data`, and the policy among its fields.
//!
//! Input: the boundary, a zero byte, then the body. Read in pieces of any size, a form has the same
//! fields and the same file, or the same refusal; the file stands in the body as it is.

#![no_main]

use gateway::fuzzing::ReadForm;
use gateway::fuzzing::form;
use gateway::fuzzing::form_policy;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(end) = input.iter().position(|byte| *byte == 0) else {
        return;
    };
    let (boundary, body) = (&input[..end], &input[end + 1..]);
    let Ok(boundary) = std::str::from_utf8(boundary) else {
        return;
    };
    let whole = form(boundary, body, body.len().max(1));
    for piece in [1, 5] {
        assert_eq!(form(boundary, body, piece), whole);
    }
    let Some(ReadForm { fields, file }) = whole else {
        return;
    };
    let found = file.is_empty() || body.windows(file.len()).any(|window| window == file);
    assert!(found, "the file is not a part of the body");
    for (name, value) in &fields {
        if name == "policy" {
            form_policy(value, &fields);
        }
    }
});
