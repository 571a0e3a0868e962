//! aws-sdk-kms.

use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use aws_sdk_kms::types::KeyState;
use tests::world::World;

#[tokio::test]
async fn a_key_lives_from_its_making_to_its_deletion() {
    let world = World::start().await;
    let kms = world.kms();
    let made = kms
        .create_key()
        .description("sdk")
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    assert_eq!(made.key_state(), Some(&KeyState::Enabled));
    let id = made.key_id();
    kms.create_alias()
        .alias_name("alias/sdk")
        .target_key_id(id)
        .send()
        .await
        .unwrap();
    let told = kms
        .describe_key()
        .key_id("alias/sdk")
        .send()
        .await
        .unwrap()
        .key_metadata
        .unwrap();
    assert_eq!(told.arn(), made.arn());
    kms.disable_key().key_id(id).send().await.unwrap();
    let generate = || {
        kms.generate_data_key()
            .key_id(id)
            .key_spec(DataKeySpec::Aes256)
            .send()
    };
    let refused = generate().await.unwrap_err().into_service_error();
    assert!(refused.is_disabled_exception(), "{refused:?}");
    kms.enable_key().key_id(id).send().await.unwrap();
    assert!(generate().await.is_ok());
    kms.schedule_key_deletion()
        .key_id(id)
        .pending_window_in_days(7)
        .send()
        .await
        .unwrap();
    let refused = generate().await.unwrap_err().into_service_error();
    assert!(refused.is_kms_invalid_state_exception(), "{refused:?}");
}

#[tokio::test]
async fn a_data_key_opens_only_under_its_encryption_context() {
    let world = World::start().await;
    let kms = world.kms();
    world.create_key("alias/sdk").await;
    let made = kms
        .generate_data_key()
        .key_id("alias/sdk")
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("who", "me")
        .send()
        .await
        .unwrap();
    let blob = made.ciphertext_blob().unwrap().clone();
    let decrypt = |who: &str| {
        kms.decrypt()
            .ciphertext_blob(blob.clone())
            .encryption_context("who", who)
            .send()
    };
    let opened = decrypt("me").await.unwrap();
    assert_eq!(opened.plaintext(), made.plaintext());
    let refused = decrypt("you").await.unwrap_err().into_service_error();
    assert!(refused.is_invalid_ciphertext_exception(), "{refused:?}");
}

#[tokio::test]
async fn what_is_encrypted_decrypts_and_moves_between_keys() {
    let world = World::start().await;
    let kms = world.kms();
    world.create_key("alias/one").await;
    let two = world.create_key("alias/two").await;
    let sealed = kms
        .encrypt()
        .key_id("alias/one")
        .plaintext(Blob::new("secret"))
        .send()
        .await
        .unwrap();
    let moved = kms
        .re_encrypt()
        .ciphertext_blob(sealed.ciphertext_blob.unwrap())
        .destination_key_id("alias/two")
        .send()
        .await
        .unwrap();
    let opened = kms
        .decrypt()
        .ciphertext_blob(moved.ciphertext_blob.unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(opened.plaintext().unwrap().as_ref(), b"secret");
    assert_eq!(opened.key_id(), Some(two.as_str()));
}

#[tokio::test]
async fn accounts_and_regions_do_not_see_each_other() {
    let world = World::start().await;
    let arn = world.create_key("alias/mine").await;
    let others = [
        tests::clients::kms(&world.kms.endpoint, &world.alt),
        tests::clients::kms(&world.kms.endpoint, &world.main.in_region("eu-west-1")),
    ];
    for other in others {
        let listed = other.list_keys().send().await.unwrap();
        assert!(listed.keys().is_empty(), "{:?}", listed.keys());
        assert!(
            other
                .describe_key()
                .key_id("alias/mine")
                .send()
                .await
                .is_err()
        );
        assert!(other.describe_key().key_id(&arn).send().await.is_err());
    }
}

#[tokio::test]
async fn a_wrong_secret_opens_nothing() {
    let world = World::start().await;
    let thief = tests::clients::Access::new(&world.main.access_key_id, "wrong");
    let refused = tests::clients::kms(&world.kms.endpoint, &thief)
        .list_keys()
        .send()
        .await;
    assert!(refused.is_err());
}
