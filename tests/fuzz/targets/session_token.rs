//! A session token of STS.
//!
//! Input: a token, and what a session says of itself. Nothing but what the key sealed opens, and every
//! session that gets a token comes back from it, for its own access key alone.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::session::SESSION_TOKEN_BYTES_MAX;
use proto::session::Session;
use proto::session::SessionError;
use proto::session::SessionKey;
use proto::time::Timestamp;

fuzz_target!(|input: &[u8]| {
    let now = Timestamp::from_unix_seconds(0);
    let key = SessionKey::from_hex(&"07".repeat(32)).expect("64 digits");
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let opened = key.open(text, "ASIAAAAAAAAAAAAAAAAA", now);
    assert_eq!(opened.err(), Some(SessionError::Invalid));

    let expires = Timestamp::from_unix_seconds(1);
    let session = Session {
        principal: "arn:aws:iam::111122223333:user/ana"
            .parse()
            .expect("an ARN"),
        source: "arn:aws:iam::111122223333:user/ana"
            .parse()
            .expect("an ARN"),
        user_id: text.chars().take(64).collect(),
        issued: now,
        expires,
        mfa: input.len() % 2 == 0,
        policy: Some(text.to_owned()),
        source_identity: None,
        tags: [(text.chars().take(9).collect(), String::new())].into(),
        transitive_tags: Vec::new(),
    };
    let Ok(credentials) = key.issue(&session) else {
        return;
    };
    let (token, id) = (credentials.token.expose(), &credentials.access_key_id);
    assert!(token.len() <= SESSION_TOKEN_BYTES_MAX);
    let opened = key.open(token, id, now).expect("what was issued opens");
    assert_eq!(opened.session, session);
    let late = key.open(token, id, expires).err();
    assert_eq!(late, Some(SessionError::Expired(expires)));
    let other = SessionKey::from_hex(&"08".repeat(32)).expect("64 digits");
    assert_eq!(
        other.open(token, id, now).err(),
        Some(SessionError::Invalid)
    );
});
