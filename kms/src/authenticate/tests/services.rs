//! Services, which prove themselves by a secret.

use super::*;

#[test]
fn the_service_secret_is_no_users() {
    for signatures in [Signatures::Checked, Signatures::Accepted] {
        let secret = ("authorization", "Bearer between services");
        for more in [
            ("sealgate-region", "us-east-1"),
            ("sealgate-account", "111122223333"),
            ("sealgate-principal", "arn:aws:iam::111122223333:user/alice"),
        ] {
            let error = call(&authenticator(signatures), &[secret, more]).unwrap_err();
            assert_eq!(error.code(), Code::UnrecognizedClientException, "{more:?}");
            assert!(error.message().contains("secret of services"), "{error}");
        }
    }
}
