//! How key material comes in: wrapped under an RSA key made for the purpose.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/importing-keys-get-public-key-and-token.html>

use aws_lc_rs::key_wrap::AES_128;
use aws_lc_rs::key_wrap::AES_256;
use aws_lc_rs::key_wrap::AesKek;
use aws_lc_rs::key_wrap::KeyWrapPadded;
use zeroize::Zeroizing;

use crate::crypto::Unauthentic;
use crate::crypto::pair::Pair;
use crate::crypto::rsa::RsaPair;
use crate::crypto::spec::KeySpec;

/// A fresh wrapping pair: its private key as PKCS #8 and its public key as SubjectPublicKeyInfo.
#[must_use]
pub fn wrapping_pair(spec: KeySpec) -> Option<(Zeroizing<Vec<u8>>, Vec<u8>)> {
    let secret = Pair::generate_secret(spec).filter(|_| spec.is_rsa())?;
    let public_key = RsaPair::from_pkcs8(spec, &secret)?.public_key().to_vec();
    Some((secret, public_key))
}

/// The key material that was wrapped by the algorithm of AWS's name.
///
/// # Errors
///
/// [`Unauthentic`] when it was not wrapped so under that pair.
pub fn unwrap(
    spec: KeySpec,
    private_key: &[u8],
    algorithm: &str,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
    let pair = RsaPair::from_pkcs8(spec, private_key).ok_or(Unauthentic)?;
    match algorithm {
        "RSAES_PKCS1_V1_5" => pair.decrypt_pkcs1(private_key, wrapped),
        "RSA_AES_KEY_WRAP_SHA_1" => unwrap_twice(&pair, "RSAES_OAEP_SHA_1", wrapped),
        "RSA_AES_KEY_WRAP_SHA_256" => unwrap_twice(&pair, "RSAES_OAEP_SHA_256", wrapped),
        oaep => pair.decrypt(oaep, wrapped),
    }
}

/// An AES key under RSA, followed by the material under that AES key (RFC 5649).
fn unwrap_twice(
    pair: &RsaPair,
    oaep: &str,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unauthentic> {
    let (outer, inner) = wrapped
        .split_at_checked(pair.modulus_bytes())
        .ok_or(Unauthentic)?;
    let aes = pair.decrypt(oaep, outer)?;
    let cipher = if aes.len() == 16 { &AES_128 } else { &AES_256 };
    let key = AesKek::new(cipher, &aes).map_err(|_| Unauthentic)?;
    let mut out = Zeroizing::new(vec![0; inner.len()]);
    let length = key
        .unwrap_with_padding(inner, &mut out)
        .map_err(|_| Unauthentic)?
        .len();
    out.truncate(length);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicEncryptingKey;

    use super::*;

    #[test]
    fn material_under_each_algorithm_is_unwrapped() {
        let spec = KeySpec::Rsa2048;
        let (private, public) = wrapping_pair(spec).unwrap();
        let pair = RsaPair::from_pkcs8(spec, &private).unwrap();
        let material = [7; 32];
        for algorithm in ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"] {
            let wrapped = pair.encrypt(algorithm, &material).unwrap();
            assert_eq!(
                *unwrap(spec, &private, algorithm, &wrapped).unwrap(),
                material
            );
            assert!(unwrap(spec, &private, algorithm, &wrapped[1..]).is_err());
        }

        let key = PublicEncryptingKey::from_der(&public).unwrap();
        let key = aws_lc_rs::rsa::Pkcs1PublicEncryptingKey::new(key).unwrap();
        let mut wrapped = vec![0; key.ciphertext_size()];
        key.encrypt(&material, &mut wrapped).unwrap();
        assert_eq!(
            *unwrap(spec, &private, "RSAES_PKCS1_V1_5", &wrapped).unwrap(),
            material
        );

        let mut wrapped = pair.encrypt("RSAES_OAEP_SHA_256", &[9; 32]).unwrap();
        let mut inner = vec![0; 48];
        let kek = AesKek::new(&AES_256, &[9; 32]).unwrap();
        let length = kek.wrap_with_padding(&material, &mut inner).unwrap().len();
        wrapped.extend_from_slice(&inner[..length]);
        let opened = unwrap(spec, &private, "RSA_AES_KEY_WRAP_SHA_256", &wrapped).unwrap();
        assert_eq!(*opened, material);
    }
}
