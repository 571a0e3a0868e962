//! A bearer token of the KMS.
//!
//! Input: a token, or an access key id. Without the secret nothing verifies, and every access key id that
//! gets a token comes back from it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::identity::Secret;
use proto::time::Timestamp;
use proto::token::TOKEN_BYTES_MAX;
use proto::token::TokenClaim;
use proto::token::TokenError;
use proto::token::issue_token;

fuzz_target!(|input: &[u8]| {
    let (secret, now) = (Secret::new("secret"), Timestamp::from_unix_seconds(0));
    if let Ok(claim) = TokenClaim::parse(input) {
        assert!(input.len() <= TOKEN_BYTES_MAX);
        let another = Secret::new("another secret than that of the seeds");
        assert_eq!(claim.verify(&another, now), Err(TokenError::Forged));
    }
    let Ok(id) = std::str::from_utf8(input) else {
        return;
    };
    let expires = Timestamp::from_unix_seconds(1);
    let Ok(token) = issue_token(id, &secret, expires, None) else {
        return;
    };
    let token = token.expose().as_bytes();
    let claim = TokenClaim::parse(token).unwrap_or_else(|error| panic!("{error}: {id}"));
    assert_eq!(claim.access_key_id, id);
    assert_eq!(claim.verify(&secret, now), Ok(()));
    assert_eq!(
        claim.verify(&secret, expires),
        Err(TokenError::Expired(expires))
    );
});
