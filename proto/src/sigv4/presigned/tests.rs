//! What a presigned query must contain, and its refusals.

use super::*;

const S3: Expected<'_> = Expected {
    region: Some("us-east-1"),
    others: &[],
    service: "s3",
};

fn pairs() -> Vec<(String, String)> {
    [
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        (
            "X-Amz-Credential",
            "AKID/20130524/us-east-1/s3/aws4_request",
        ),
        ("X-Amz-Date", "20130524T000000Z"),
        ("X-Amz-Expires", "86400"),
        ("X-Amz-SignedHeaders", "host"),
        ("X-Amz-Signature", "ab"),
        ("versionId", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

fn with(name: &str, value: &str) -> Vec<(String, String)> {
    let mut pairs = pairs();
    pairs.iter_mut().find(|(other, _)| other == name).unwrap().1 = value.to_owned();
    pairs
}

fn without(name: &str) -> Vec<(String, String)> {
    pairs()
        .into_iter()
        .filter(|(other, _)| other != name)
        .collect()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_basic(text).unwrap()
}

fn parse(pairs: &[(String, String)]) -> Result<Presigned, PresignedError> {
    Presigned::parse(pairs, &S3, at("20130524T010000Z"))
}

fn refusal(name: &str, value: &str) -> String {
    parse(&with(name, value)).unwrap_err().to_string()
}

#[test]
fn a_presigned_query_gives_who_when_and_for_how_long() {
    let presigned = parse(&pairs()).unwrap();
    assert_eq!(presigned.access_key_id, "AKID");
    assert_eq!(presigned.date, at("20130524T000000Z"));
    assert_eq!(presigned.expires, Duration::from_secs(86_400));
    assert_eq!(presigned.expires_at(), at("20130525T000000Z"));
    assert_eq!(presigned.signed_headers.as_str(), "host");
    assert_eq!(presigned.signature, "ab");
    assert_eq!(presigned.security_token, None);
}

#[test]
fn the_signature_covers_every_pair_but_itself() {
    let pairs = pairs();
    let covered = Presigned::signed_query(&pairs);
    assert_eq!(covered.len(), pairs.len() - 1);
    assert!(!covered.iter().any(|(name, _)| *name == "X-Amz-Signature"));
    assert!(covered.contains(&("versionId", "1")));
}

#[test]
fn each_of_the_six_parameters_is_required() {
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ] {
        assert_eq!(
            parse(&without(name)),
            Err(PresignedError::MissingParameters),
            "{name}"
        );
    }
}

#[test]
fn half_a_signature_is_still_a_claim() {
    for name in CLAIMS {
        assert!(is_presigned(&[(name.to_owned(), String::new())]), "{name}");
        assert!(
            is_presigned(&[(name.to_ascii_lowercase(), String::new())]),
            "{name}"
        );
    }
    assert!(!is_presigned(&[("versionId".to_owned(), "1".to_owned())]));
    assert!(!is_presigned(&[]));
}

#[test]
fn a_parameter_in_another_case_does_not_count() {
    let mut pairs = without("X-Amz-Signature");
    pairs.push(("x-amz-signature".to_owned(), "ab".to_owned()));
    assert_eq!(parse(&pairs), Err(PresignedError::MissingParameters));
}

#[test]
fn a_parameter_that_stands_there_twice_is_refused() {
    for name in [
        "X-Amz-Algorithm",
        "X-Amz-Credential",
        "X-Amz-Date",
        "X-Amz-Expires",
        "X-Amz-SignedHeaders",
        "X-Amz-Signature",
    ] {
        let mut pairs = pairs();
        let twin = pairs
            .iter()
            .find(|(other, _)| other == name)
            .unwrap()
            .clone();
        pairs.push(twin);
        assert_eq!(parse(&pairs), Err(PresignedError::Repeated { name }));
    }
    let mut pairs = pairs();
    pairs.push(("X-Amz-Security-Token".to_owned(), "t".to_owned()));
    assert_eq!(parse(&pairs).unwrap().security_token.as_deref(), Some("t"));
    pairs.push(("X-Amz-Security-Token".to_owned(), "t".to_owned()));
    assert!(parse(&pairs).is_err());
}

#[test]
fn only_sigv4_is_served() {
    assert_eq!(
        refusal("X-Amz-Algorithm", "AWS4-HMAC-SHA512"),
        "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256\""
    );
    let asymmetric = parse(&with("X-Amz-Algorithm", "AWS4-ECDSA-P256-SHA256"));
    assert_eq!(asymmetric, Err(PresignedError::Asymmetric));
}

#[test]
fn the_date_must_be_in_the_long_basic_form() {
    for date in ["", "20130524", "2013-05-24T00:00:00Z", "20130524T000000"] {
        assert_eq!(
            refusal("X-Amz-Date", date),
            "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
        );
    }
}

#[test]
fn expires_is_a_number_from_nought_to_a_week() {
    for text in [
        "",
        " 300",
        "300 ",
        "3e2",
        "0x12c",
        "300.0",
        "+",
        "9223372036854775808",
    ] {
        assert_eq!(
            refusal("X-Amz-Expires", text),
            "X-Amz-Expires should be a number",
            "{text}"
        );
    }
    for text in ["-1", "-9223372036854775808"] {
        assert_eq!(
            refusal("X-Amz-Expires", text),
            "X-Amz-Expires must be non-negative"
        );
    }
    for text in ["604801", "9223372036854775807"] {
        assert_eq!(
            refusal("X-Amz-Expires", text),
            "X-Amz-Expires must be less than a week (in seconds); that is, \
             the given X-Amz-Expires must be less than 604800 seconds"
        );
    }
    for text in ["604800", "+86400", "086400"] {
        assert!(parse(&with("X-Amz-Expires", text)).is_ok(), "{text}");
    }
}

#[test]
fn a_url_lives_to_the_second_it_expires_and_no_longer() {
    let parse_at = |now: Timestamp| Presigned::parse(&pairs(), &S3, now);
    let end = at("20130525T000000Z");
    assert!(parse_at(end).is_ok());
    let now = end.plus(Duration::from_millis(1));
    let expired = PresignedError::Expired {
        expires_seconds: 86_400,
        expires_at: end,
        now,
    };
    assert_eq!(expired.s3_code(), ("AccessDenied", 403));
    let asymmetric = PresignedError::Asymmetric;
    assert_eq!(asymmetric.s3_code(), ("InvalidRequest", 400));
    assert_eq!(expired.to_string(), "Request has expired");
    assert_eq!(parse_at(now), Err(expired));
}

#[test]
fn a_url_for_nought_seconds_is_good_for_its_own_instant() {
    let pairs = with("X-Amz-Expires", "0");
    assert!(Presigned::parse(&pairs, &S3, at("20130524T000000Z")).is_ok());
    assert!(Presigned::parse(&pairs, &S3, at("20130524T000001Z")).is_err());
}

#[test]
fn a_url_signed_ahead_is_taken_within_the_skew() {
    let parse_at = |now: &str| Presigned::parse(&pairs(), &S3, at(now));
    assert!(parse_at("20130523T234500Z").is_ok());
    let early = parse_at("20130523T234459Z").unwrap_err();
    assert_eq!(early.to_string(), "Request is not yet valid");
    assert_eq!(early.s3_code(), ("AccessDenied", 403));
}

#[test]
fn the_credential_must_be_for_this_server_and_this_day() {
    assert_eq!(
        refusal(
            "X-Amz-Credential",
            "AKID/20130524/us-west-2/s3/aws4_request"
        ),
        "Error parsing the X-Amz-Credential parameter; \
         the region 'us-west-2' is wrong; expecting 'us-east-1'"
    );
    assert_eq!(
        refusal(
            "X-Amz-Credential",
            "AKID/20130525/us-east-1/s3/aws4_request"
        ),
        "Invalid credential date \"20130525\". \
         This date is not the same as X-Amz-Date: \"20130524\"."
    );
    let error = parse(&with("X-Amz-Credential", "AKID")).unwrap_err();
    assert_eq!(error.s3_code(), ("AuthorizationQueryParametersError", 400));
}

#[test]
fn of_several_faults_the_first_in_s3s_order_is_named() {
    let mut pairs = with("X-Amz-Credential", "AKID");
    pairs
        .iter_mut()
        .find(|(name, _)| name == "X-Amz-Expires")
        .unwrap()
        .1 = "-1".to_owned();
    assert_eq!(parse(&pairs), Err(PresignedError::ExpiresNegative));
    pairs
        .iter_mut()
        .find(|(name, _)| name == "X-Amz-Expires")
        .unwrap()
        .1 = "1".to_owned();
    assert!(matches!(parse(&pairs), Err(PresignedError::Expired { .. })));
    pairs
        .iter_mut()
        .find(|(name, _)| name == "X-Amz-Date")
        .unwrap()
        .1 = "x".to_owned();
    assert_eq!(parse(&pairs), Err(PresignedError::Date));
}
