//! Sessions and what proves where a form comes from.

use http::HeaderName;

use super::*;

fn demands(all: Option<&str>, keys: Option<&str>) -> Demands {
    Demands {
        all: all.map(Secret::new),
        keys: keys.map(Secret::new),
        is_open: false,
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), value.parse().unwrap())
    };
    pairs.iter().map(pair).collect()
}

/// The headers of a browser that was given that cookie.
fn with(cookie: &str) -> HeaderMap {
    let pair = cookie.split(';').next().unwrap();
    headers(&[("cookie", &format!("other=1; {pair}; more=2"))])
}

#[test]
fn without_a_token_everybody_looks_and_with_one_only_a_session_does() {
    let (access, now) = (Access::new().unwrap(), Instant::now());
    let none = headers(&[]);
    assert!(
        access
            .viewer(&demands(None, Some("keys")), &none, now)
            .is_ok()
    );
    let all = demands(Some("the-whole-token!"), None);
    let denied = |headers: &HeaderMap| access.viewer(&all, headers, now).err();
    assert_eq!(denied(&none), Some(Denied::Login));
    assert!(access.log_in(&all, &none, "the-whole-token", now).is_err());
    let cookie = access.log_in(&all, &none, "the-whole-token!", now).unwrap();
    assert!(!cookie.contains("the-whole-token!"));
    for attribute in [
        "; HttpOnly",
        "; SameSite=Strict",
        "; Path=/",
        "; Max-Age=43200",
    ] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    assert_eq!(denied(&with(&cookie)), None);
    assert_eq!(
        denied(&with(&cookie.replace('=', "=0"))),
        Some(Denied::Login)
    );
    let ended = access.log_out(&with(&cookie));
    assert!(ended.contains("Max-Age=0"));
    assert_eq!(denied(&with(&cookie)), Some(Denied::Login));
}

#[test]
fn a_session_ends_after_twelve_hours_and_the_oldest_gives_way() {
    let (access, now) = (Access::new().unwrap(), Instant::now());
    let all = demands(Some("the-whole-token!"), None);
    let log_in = |at| {
        access
            .log_in(&all, &headers(&[]), "the-whole-token!", at)
            .unwrap()
    };
    let cookie = log_in(now);
    let is_in = |cookie: &str, at| access.viewer(&all, &with(cookie), at).is_ok();
    let second = Duration::from_secs(1);
    assert!(is_in(&cookie, now + LASTS - second));
    assert!(!is_in(&cookie, now + LASTS));
    let cookies: Vec<_> = (1..=SESSIONS_MAX).map(|_| log_in(now + second)).collect();
    assert!(!is_in(&cookie, now + second), "64 sessions are newer");
    assert!(cookies.iter().all(|cookie| is_in(cookie, now + second)));
}

#[test]
fn the_token_for_keys_adds_to_a_session_and_is_not_the_token_for_all() {
    let (access, now) = (Access::new().unwrap(), Instant::now());
    let both = demands(Some("token-for-all---"), Some("token-for-keys--"));
    let cookie = access
        .log_in(&both, &headers(&[]), "token-for-keys--", now)
        .unwrap();
    assert_eq!(
        access.viewer(&both, &with(&cookie), now).err(),
        Some(Denied::Login)
    );
    let cookie = access
        .log_in(&both, &with(&cookie), "token-for-all---", now)
        .unwrap();
    let viewer = access.viewer(&both, &with(&cookie), now).unwrap();
    assert_eq!(
        viewer.rights,
        Rights {
            all: true,
            keys: true
        }
    );
    assert!(viewer.has_session);
}

#[test]
fn each_session_has_forms_of_its_own() {
    let (access, now) = (Access::new().unwrap(), Instant::now());
    let keys = demands(None, Some("token-for-keys--"));
    let digest = |headers: &HeaderMap| access.viewer(&keys, headers, now).unwrap().form_digest;
    let log_in = || {
        access
            .log_in(&keys, &headers(&[]), "token-for-keys--", now)
            .unwrap()
    };
    let (one, two) = (log_in(), log_in());
    let digests = [
        digest(&headers(&[])),
        digest(&with(&one)),
        digest(&with(&two)),
    ];
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[0] != digests[2]);
    // A cookie that nobody was given is no session.
    assert_eq!(digest(&with(&one.replace('=', "=0"))), digests[0]);
    let other = Access::new()
        .unwrap()
        .viewer(&keys, &headers(&[]), now)
        .unwrap();
    assert_ne!(
        other.form_digest, digests[0],
        "another start has other forms"
    );
}

#[test]
fn an_open_port_without_a_token_shows_nothing() {
    let access = Access::new().unwrap();
    let open = Demands {
        is_open: true,
        ..Demands::default()
    };
    let denied = access.viewer(&open, &headers(&[]), Instant::now()).err();
    assert_eq!(denied, Some(Denied::NoToken));
}

#[test]
fn a_form_is_taken_from_a_page_of_this_origin_only() {
    let host = ("host", "localhost:9091");
    let check = |pairs: &[(&'static str, &str)]| {
        Access::check_form(&headers(&[&[host], pairs].concat())).is_ok()
    };
    for own in [
        &[("origin", "http://localhost:9091")][..],
        &[
            ("origin", "https://localhost:9091"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-origin")],
    ] {
        assert!(check(own), "{own:?}");
    }
    for other in [
        &[][..],
        &[("origin", "null")],
        &[("origin", "http://localhost:9090")],
        &[("origin", "http://localhost:9091.evil.example")],
        &[("origin", "http://evil.example")],
        &[("origin", "localhost:9091")],
        &[
            ("origin", "http://localhost:9091"),
            ("sec-fetch-site", "same-site"),
        ],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "none")],
    ] {
        assert!(!check(other), "{other:?}");
    }
}
