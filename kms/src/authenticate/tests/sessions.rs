//! Temporary credentials: the token and the secret of a session.

use proto::session::Session;

use super::*;

/// A request signed in a session, with that token.
fn signed_in_session(id: &str, secret: &Secret, token: &str) -> Parts {
    let headers: [(&str, &[u8]); 2] = [
        ("x-amz-security-token", token.as_bytes()),
        ("x-amz-target", b"TrentService.GenerateRandom"),
    ];
    let outbound = OutboundRequest {
        method: "POST",
        host: "localhost:9080",
        path: "/",
        query: &[],
        headers: &headers,
        payload_hash: &sha256_hex(BODY),
    };
    let credentials = Credentials::new(id, secret.expose());
    let mut request = Request::post("/").header("host", "localhost:9080");
    for (name, value) in headers {
        request = request.header(name, value);
    }
    for (name, value) in sign_request(&outbound, &credentials, "eu-west-1", "kms", now()) {
        request = request.header(name, value);
    }
    request.body(()).unwrap().into_parts().0
}

fn session_of(user: &str, seconds: u64) -> Session {
    let arn = format!("arn:aws:iam::111122223333:user/{user}");
    Session {
        principal: arn.parse().unwrap(),
        source: arn.parse().unwrap(),
        user_id: "AIDAEXAMPLE".to_owned(),
        issued: now(),
        expires: now().plus(Duration::from_secs(seconds)),
        mfa: true,
        policy: None,
        source_identity: None,
        tags: [].into(),
        transitive_tags: Vec::new(),
    }
}

#[test]
fn a_session_signs_with_its_own_secret_and_its_token() {
    let authenticator = authenticator(Signatures::Checked);
    let issued = iam().sessions().issue(&session_of("alice", 900)).unwrap();
    let (id, token) = (&issued.access_key_id, issued.token.expose());
    let parts = signed_in_session(id, &issued.secret_access_key, token);
    let caller = signed(&authenticator, &parts, BODY).unwrap();
    assert_eq!(
        &*caller.principal_arn,
        "arn:aws:iam::111122223333:user/alice"
    );
    assert_eq!(caller.access_key_id.as_deref(), Some(id.as_str()));
    assert!(caller.identity.unwrap().session().unwrap().mfa);
}

#[test]
fn a_token_that_is_forged_foreign_over_or_missing_lets_nobody_in() {
    let authenticator = authenticator(Signatures::Checked);
    let issue = |session: &Session| iam().sessions().issue(session).unwrap();
    let (good, ended) = (
        issue(&session_of("alice", 900)),
        issue(&session_of("alice", 0)),
    );
    let removed = issue(&session_of("removed", 900));
    let other_key = SessionKey::random().unwrap();
    let foreign = other_key.issue(&session_of("alice", 900)).unwrap();
    let (id, secret) = (good.access_key_id.as_str(), &good.secret_access_key);
    let cut = &good.token.expose()[..good.token.expose().len() - 1];
    let invalid = "The security token included in the request is invalid.";
    let long_term = Secret::new(SECRET);
    for (id, secret, token, code, text) in [
        (id, secret, cut, Code::UnrecognizedClientException, invalid),
        (id, secret, "", Code::UnrecognizedClientException, invalid),
        (
            id,
            secret,
            foreign.token.expose(),
            Code::UnrecognizedClientException,
            invalid,
        ),
        (
            foreign.access_key_id.as_str(),
            &foreign.secret_access_key,
            foreign.token.expose(),
            Code::UnrecognizedClientException,
            invalid,
        ),
        (
            removed.access_key_id.as_str(),
            &removed.secret_access_key,
            removed.token.expose(),
            Code::UnrecognizedClientException,
            invalid,
        ),
        (
            KEY_ID,
            &long_term,
            good.token.expose(),
            Code::UnrecognizedClientException,
            invalid,
        ),
        (
            ended.access_key_id.as_str(),
            &ended.secret_access_key,
            ended.token.expose(),
            Code::ExpiredTokenException,
            "The security token included in the request is expired",
        ),
    ] {
        let parts = signed_in_session(id, secret, token);
        let error = signed(&authenticator, &parts, BODY).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, text));
    }
    let wrong = signed_in_session(id, &long_term, good.token.expose());
    let error = signed(&authenticator, &wrong, BODY).unwrap_err();
    assert_eq!(error.code(), Code::InvalidSignatureException);
    let mut missing = signed_in_session(id, secret, good.token.expose());
    missing.headers.remove("x-amz-security-token");
    let error = signed(&authenticator, &missing, BODY).unwrap_err();
    assert_eq!(error.code(), Code::UnrecognizedClientException);
    let mut twice = signed_in_session(id, secret, good.token.expose());
    let another = good.token.expose().parse().unwrap();
    twice.headers.append("x-amz-security-token", another);
    let error = signed(&authenticator, &twice, BODY).unwrap_err();
    assert_eq!(error.code(), Code::UnrecognizedClientException);
}

#[test]
fn a_token_that_was_not_signed_is_refused() {
    let authenticator = authenticator(Signatures::Checked);
    let issued = iam().sessions().issue(&session_of("alice", 900)).unwrap();
    let mut parts = signed_at(now(), SECRET, "kms");
    let token = issued.token.expose().parse().unwrap();
    parts.headers.insert("x-amz-security-token", token);
    let error = signed(&authenticator, &parts, BODY).unwrap_err();
    assert!(
        error
            .message()
            .contains("'x-amz-security-token' must be a 'SignedHeader'")
    );
}
