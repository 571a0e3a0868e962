//! Custom key stores.

use std::sync::Barrier;

use serde_json::Value;
use serde_json::json;

use crate::api::tests::World;
use crate::api::tests::text;

fn cloud_hsm(world: &World) -> String {
    let request = json!({
        "CustomKeyStoreName": "cluster", "CloudHsmClusterId": "cluster-234567abcde",
        "TrustAnchorCertificate": "certificate", "KeyStorePassword": "canary7",
    });
    text(&world.ok("CreateCustomKeyStore", request)["CustomKeyStoreId"])
}

fn external(world: &World) -> String {
    let request = json!({
        "CustomKeyStoreName": "proxy",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": "https://xks.example.com",
        "XksProxyUriPath": "/kms/xks/v1",
        "XksProxyAuthenticationCredential": {
            "AccessKeyId": "ABCDEFGHIJKLMNOPQRST", "RawSecretAccessKey": "c".repeat(43),
        },
    });
    text(&world.ok("CreateCustomKeyStore", request)["CustomKeyStoreId"])
}

fn described(world: &World, id: &str) -> Value {
    let list = world.ok("DescribeCustomKeyStores", json!({"CustomKeyStoreId": id}));
    list["CustomKeyStores"][0].clone()
}

#[test]
fn a_key_of_a_store_is_available_while_the_store_is_connected() {
    let world = World::new();
    let store = cloud_hsm(&world);
    assert_eq!(described(&world, &store)["ConnectionState"], "DISCONNECTED");
    let create = json!({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": store});
    let refusal = world.refusal("CreateKey", create.clone());
    assert!(
        refusal.starts_with("CustomKeyStoreInvalidStateException"),
        "{refusal}"
    );

    world.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": store}));
    let key = world.ok("CreateKey", create)["KeyMetadata"].clone();
    assert_eq!(key["CloudHsmClusterId"], "cluster-234567abcde");
    let encrypt = json!({"KeyId": key["KeyId"], "Plaintext": "AAAA"});
    world.ok("Encrypt", encrypt.clone());

    world.ok(
        "DisconnectCustomKeyStore",
        json!({"CustomKeyStoreId": store}),
    );
    let arn = text(&key["Arn"]);
    let unavailable = format!("KMSInvalidStateException: {arn} is unavailable.");
    assert_eq!(world.refusal("Encrypt", encrypt), unavailable);
    let refusal = world.refusal("DeleteCustomKeyStore", json!({"CustomKeyStoreId": store}));
    assert!(
        refusal.starts_with("CustomKeyStoreHasCMKsException"),
        "{refusal}"
    );
}

#[test]
fn an_external_store_is_described_without_its_secret() {
    let world = World::new();
    let store = external(&world);
    let described = described(&world, &store);
    let configuration = json!({
        "AccessKeyId": "ABCDEFGHIJKLMNOPQRST",
        "Connectivity": "PUBLIC_ENDPOINT",
        "UriEndpoint": "https://xks.example.com",
        "UriPath": "/kms/xks/v1",
    });
    assert_eq!(described["XksProxyConfiguration"], configuration);

    world.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": store}));
    let create = json!({
        "Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "outside-1",
    });
    let key = world.ok("CreateKey", create.clone());
    assert_eq!(
        key["KeyMetadata"]["XksKeyConfiguration"],
        json!({"Id": "outside-1"})
    );
    assert_eq!(
        world.refusal("CreateKey", create),
        "XksKeyAlreadyInUseException"
    );
}

#[test]
fn a_store_is_changed_and_forgotten() {
    let world = World::new();
    let store = external(&world);
    let by_id = json!({"CustomKeyStoreId": store});
    let rename = json!({"CustomKeyStoreId": store, "NewCustomKeyStoreName": "other"});
    world.ok("UpdateCustomKeyStore", rename);
    assert_eq!(described(&world, &store)["CustomKeyStoreName"], "other");
    world.ok("ConnectCustomKeyStore", by_id.clone());
    let refusal = world.refusal("DeleteCustomKeyStore", by_id.clone());
    assert!(
        refusal.starts_with("CustomKeyStoreInvalidStateException"),
        "{refusal}"
    );
    world.ok("DisconnectCustomKeyStore", by_id.clone());
    world.ok("DeleteCustomKeyStore", by_id.clone());
    let refusal = world.refusal("DescribeCustomKeyStores", by_id);
    assert!(
        refusal.starts_with("CustomKeyStoreNotFoundException"),
        "{refusal}"
    );
}

#[test]
fn a_key_of_a_store_does_not_rotate() {
    let world = World::new();
    let (cluster, proxy) = (cloud_hsm(&world), external(&world));
    for (origin, store, outside) in [
        ("AWS_CLOUDHSM", cluster, json!({})),
        (
            "EXTERNAL_KEY_STORE",
            proxy,
            json!({"XksKeyId": "outside-1"}),
        ),
    ] {
        let by_id = json!({"CustomKeyStoreId": store});
        world.ok("ConnectCustomKeyStore", by_id.clone());
        let mut create = outside;
        create["Origin"] = json!(origin);
        create["CustomKeyStoreId"] = json!(store);
        let key = world.ok("CreateKey", create)["KeyMetadata"].clone();
        let expected = format!(
            "UnsupportedOperationException: {} origin is {origin} which is not valid for this \
             operation.",
            text(&key["Arn"])
        );
        for is_connected in [true, false] {
            for operation in [
                "RotateKeyOnDemand",
                "EnableKeyRotation",
                "DisableKeyRotation",
            ] {
                let refusal = world.refusal(operation, json!({"KeyId": key["KeyId"]}));
                assert_eq!(refusal, expected, "{operation}");
            }
            if is_connected {
                world.ok("DisconnectCustomKeyStore", by_id.clone());
            }
        }
    }
}

#[test]
fn an_external_key_is_that_of_one_key_even_if_several_are_made_at_once() {
    let world = World::new();
    let store = external(&world);
    world.ok("ConnectCustomKeyStore", json!({"CustomKeyStoreId": store}));
    let create = json!({
        "Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": "outside-1",
    });
    std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| world.call("CreateKey", create.clone()));
        }
    });
    let listed = world.ok("ListKeys", json!({}));
    assert_eq!(listed["Keys"].as_array().unwrap().len(), 1);
}

/// How many of these custom key stores there are once all were made at once, each of a cluster of its own.
fn made_at_once(stores: &[(char, String)]) -> usize {
    let world = World::new();
    let start = Barrier::new(stores.len());
    std::thread::scope(|threads| {
        for (letter, name) in stores {
            let request = json!({
                "CustomKeyStoreName": name,
                "CloudHsmClusterId": format!("cluster-{}", letter.to_string().repeat(11)),
                "TrustAnchorCertificate": "certificate", "KeyStorePassword": "canary7",
            });
            let (world, start) = (&world, &start);
            threads.spawn(move || {
                start.wait();
                world.call("CreateCustomKeyStore", request)
            });
        }
    });
    let listed = world.ok("DescribeCustomKeyStores", json!({}));
    listed["CustomKeyStores"].as_array().unwrap().len()
}

#[test]
fn an_account_has_at_most_10_key_stores_and_no_two_of_a_name_even_if_they_are_made_at_once() {
    let same: Vec<_> = ('a'..='h')
        .map(|letter| (letter, "one".to_owned()))
        .collect();
    let many: Vec<_> = ('A'..='P')
        .map(|letter| (letter, format!("store-{letter}")))
        .collect();
    for _ in 0..50 {
        assert_eq!(made_at_once(&same), 1);
        assert_eq!(made_at_once(&many), 10);
    }
}
