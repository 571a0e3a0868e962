//! Session tokens: what opens, and that nothing else does.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;

const NOW: i64 = 1_767_323_045;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

fn key() -> SessionKey {
    SessionKey::from_hex(&"07".repeat(32)).unwrap()
}

fn session() -> Session {
    Session {
        principal: "arn:aws:sts::111122223333:assumed-role/reader/monday"
            .parse()
            .unwrap(),
        source: "arn:aws:iam::111122223333:role/team/reader"
            .parse()
            .unwrap(),
        user_id: "AROAEXAMPLE:monday".to_owned(),
        issued: now(),
        expires: now().plus(Duration::from_secs(900)),
        mfa: true,
        policy: Some("{\"Version\":\"2012-10-17\"}".to_owned()),
        source_identity: Some("ana".to_owned()),
        tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        transitive_tags: vec!["team".to_owned()],
    }
}

#[test]
fn a_session_comes_back_from_its_token_with_the_secret_of_its_credentials() {
    let credentials = key().issue(&session()).unwrap();
    let id = &credentials.access_key_id;
    assert!(is_temporary(id) && id.len() == 20, "{id}");
    assert_eq!(credentials.secret_access_key.expose().len(), 40);
    let opened = key().open(credentials.token.expose(), id, now()).unwrap();
    assert_eq!(opened.session, session());
    assert_eq!(
        opened.secret_access_key.expose(),
        credentials.secret_access_key.expose()
    );
    let another = key().issue(&session()).unwrap();
    assert_ne!(*id, another.access_key_id);
    assert_ne!(credentials.token.expose(), another.token.expose());
}

#[test]
fn a_session_ends_on_the_second() {
    let credentials = key().issue(&session()).unwrap();
    let open = |at| key().open(credentials.token.expose(), &credentials.access_key_id, at);
    let end = session().expires;
    assert!(open(end.minus(Duration::from_millis(1))).is_ok());
    assert_eq!(open(end).err(), Some(SessionError::Expired(end)));
}

#[test]
fn a_token_of_another_key_or_another_access_key_opens_nothing() {
    let credentials = key().issue(&session()).unwrap();
    let (token, id) = (credentials.token.expose(), &credentials.access_key_id);
    let invalid = Some(SessionError::Invalid);
    let other = SessionKey::random().unwrap();
    assert_eq!(other.open(token, id, now()).err(), invalid);
    let another = key().issue(&session()).unwrap().access_key_id;
    for id in [another.as_str(), "AKIDEXAMPLE", ""] {
        assert_eq!(key().open(token, id, now()).err(), invalid, "{id}");
    }
    // Nor does anybody learn when a session of another access key ends.
    let late = now().plus(Duration::from_secs(86_400));
    assert_eq!(key().open(token, "AKIDEXAMPLE", late).err(), invalid);
}

#[test]
fn no_byte_of_a_token_can_be_changed_and_none_be_missing() {
    let credentials = key().issue(&session()).unwrap();
    let (token, id) = (credentials.token.expose(), &credentials.access_key_id);
    for at in 0..token.len() {
        let mut changed = token.to_owned().into_bytes();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        let refusal = key().open(&changed, id, now()).err();
        assert_eq!(refusal, Some(SessionError::Invalid), "byte {at}");
        assert!(key().open(&token[..at], id, now()).is_err(), "{at} bytes");
    }
    for text in [
        "",
        "x",
        "sealgatesession1.",
        "sealgatesession2.AAAA",
        &format!("{token}="),
    ] {
        assert!(key().open(text, id, now()).is_err(), "{text}");
    }
    let huge = "A".repeat(SESSION_TOKEN_BYTES_MAX + 1);
    assert!(key().open(&huge, id, now()).is_err());
}

#[test]
fn a_session_too_large_for_a_token_is_refused_and_the_largest_one_fits() {
    let mut session = session();
    session.tags.clear();
    session.policy = Some("\"".repeat(3_072));
    assert_eq!(session.packed_percent(), 100);
    // A quotation mark takes two bytes of JSON, so this is more than any real policy of that length.
    assert!(key().issue(&session).is_err());
    session.policy = Some("x".repeat(3_072));
    assert!(key().issue(&session).is_ok());
    session.policy = Some("x".repeat(3_073));
    let refusal = key().issue(&session).err();
    assert_eq!(refusal, Some(IssueError::TooLarge(SessionTooLarge(101))));
}

#[test]
fn neither_key_nor_secret_nor_token_is_printed() {
    let credentials = key().issue(&session()).unwrap();
    let printed = format!("{credentials:?} {:?}", key());
    assert!(!printed.contains(credentials.token.expose()), "{printed}");
    assert!(!printed.contains("0707"), "{printed}");
}
