//! Aliases.

use std::sync::Barrier;

use serde_json::Value;
use serde_json::json;

use crate::api::tests::ACCOUNT;
use crate::api::tests::World;
use crate::api::tests::callers::limited;
use crate::error::KmsError;

fn arn(name: &str) -> String {
    format!("arn:aws:kms:us-east-1:{ACCOUNT}:{name}")
}

#[test]
fn an_alias_moves_between_keys_and_goes() {
    let world = World::new();
    let (one, one_arn) = world.key();
    let (two, two_arn) = world.key();
    let target = || {
        let described = world.ok("DescribeKey", json!({"KeyId": "alias/a"}));
        described["KeyMetadata"]["Arn"].clone()
    };
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": one}),
    );
    assert_eq!(target(), one_arn);
    world.ok(
        "UpdateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": two}),
    );
    assert_eq!(target(), two_arn);
    world.ok("DeleteAlias", json!({"AliasName": "alias/a"}));
    let missing = format!("NotFoundException: Alias {} is not found.", arn("alias/a"));
    for (name, request) in [
        ("DescribeKey", json!({"KeyId": "alias/a"})),
        ("DeleteAlias", json!({"AliasName": "alias/a"})),
        (
            "UpdateAlias",
            json!({"AliasName": "alias/a", "TargetKeyId": two}),
        ),
    ] {
        assert_eq!(world.refusal(name, request), missing, "{name}");
    }
}

#[test]
fn an_alias_is_made_once() {
    let world = World::new();
    let (id, _) = world.key();
    let request = json!({"AliasName": "alias/a", "TargetKeyId": id});
    world.ok("CreateAlias", request.clone());
    assert_eq!(
        world.refusal("CreateAlias", request),
        format!(
            "AlreadyExistsException: An alias with the name {} already exists",
            arn("alias/a")
        )
    );
}

#[test]
fn names_that_aws_refuses_are_refused_in_its_words() {
    let world = World::new();
    let (id, _) = world.key();
    let create =
        |name: &str| world.refusal("CreateAlias", json!({"AliasName": name, "TargetKeyId": id}));
    let prefix = "ValidationException: Alias must start with the prefix \"alias/\". Please see \
                  https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html";
    assert_eq!(create("a"), prefix);
    assert_eq!(create("alias/"), prefix);
    assert_eq!(create("alias/aws/s3"), "NotAuthorizedException");
    assert_eq!(
        create("alias/a b"),
        "ValidationException: 1 validation error detected: Value 'alias/a b' at 'aliasName' \
         failed to satisfy constraint: Member must satisfy regular expression pattern: \
         ^[a-zA-Z0-9:/_-]+$"
    );
}

#[test]
fn aliases_are_listed_for_all_keys_or_one() {
    let world = World::new();
    let (one, _) = world.key();
    let (two, _) = world.key();
    for (name, key) in [("alias/c", &one), ("alias/a", &two), ("alias/b", &one)] {
        world.ok(
            "CreateAlias",
            json!({"AliasName": name, "TargetKeyId": key}),
        );
    }
    let names = |request| {
        let listed = world.ok("ListAliases", request);
        let list = listed["Aliases"].as_array().unwrap().clone();
        list.iter()
            .map(|alias| alias["AliasName"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(json!({})), ["alias/a", "alias/b", "alias/c"]);
    assert_eq!(names(json!({"KeyId": one})), ["alias/b", "alias/c"]);
    assert_eq!(names(json!({"Limit": 1})), ["alias/a"]);
    let listed = world.ok("ListAliases", json!({"KeyId": two}));
    let expected = json!([{
        "AliasArn": arn("alias/a"),
        "AliasName": "alias/a",
        "TargetKeyId": two,
        "CreationDate": 1_767_225_600.0,
        "LastUpdatedDate": 1_767_225_600.0,
    }]);
    assert_eq!(listed, json!({"Aliases": expected, "Truncated": false}));
}

#[test]
fn a_key_pending_deletion_takes_no_alias_but_gives_its_own_away() {
    let world = World::new();
    let (one, one_arn) = world.key();
    let (two, _) = world.key();
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": one}),
    );
    world.ok("ScheduleKeyDeletion", json!({"KeyId": one}));
    let pending = format!("KMSInvalidStateException: {one_arn} is pending deletion.");
    let create = json!({"AliasName": "alias/b", "TargetKeyId": one});
    assert_eq!(world.refusal("CreateAlias", create), pending);
    world.ok(
        "UpdateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": two}),
    );
    let back = json!({"AliasName": "alias/a", "TargetKeyId": one});
    assert_eq!(world.refusal("UpdateAlias", back), pending);
}

#[test]
fn an_alias_names_no_other_alias() {
    let world = World::new();
    let (id, _) = world.key();
    world.ok(
        "CreateAlias",
        json!({"AliasName": "alias/a", "TargetKeyId": id}),
    );
    for target in ["alias/a", &arn("alias/a")] {
        for (name, alias) in [("CreateAlias", "alias/b"), ("UpdateAlias", "alias/a")] {
            assert_eq!(
                world.refusal(name, json!({"AliasName": alias, "TargetKeyId": target})),
                "ValidationException: Aliases must refer to keys. Not aliases"
            );
        }
    }
}

fn create(world: &World, name: &str, key: &str) -> Result<Value, KmsError> {
    let request = json!({"AliasName": format!("alias/{name}"), "TargetKeyId": key});
    world.call("CreateAlias", request)
}

fn aliases_of(world: &World, key: &str) -> usize {
    let listed = world.ok("ListAliases", json!({"KeyId": key, "Limit": 100}));
    listed["Aliases"].as_array().unwrap().len()
}

#[test]
fn a_key_has_at_most_50_aliases_even_if_they_are_made_at_once() {
    for _ in 0..50 {
        let world = World::new();
        let (id, _) = world.key();
        for number in 0..48 {
            create(&world, &format!("first-{number}"), &id).unwrap();
        }
        let start = Barrier::new(8);
        std::thread::scope(|threads| {
            for number in 0..8 {
                let (world, id, start) = (&world, &id, &start);
                threads.spawn(move || {
                    start.wait();
                    create(world, &format!("second-{number}"), id)
                });
            }
        });
        assert_eq!(aliases_of(&world, &id), 50);
    }
}

#[test]
fn a_key_with_50_aliases_takes_no_more_by_making_or_moving_one() {
    let world = World::new();
    let (id, arn) = world.key();
    let (other, _) = world.key();
    create(&world, "moving", &other).unwrap();
    for number in 0..50 {
        create(&world, &format!("first-{number}"), &id).unwrap();
    }
    let full = format!("LimitExceededException: {arn} has reached the limit of 50 aliases.");
    let refusal = create(&world, "last", &id).unwrap_err();
    assert_eq!(refusal.to_string(), full);
    let update = |name: &str| json!({"AliasName": format!("alias/{name}"), "TargetKeyId": id});
    assert_eq!(world.refusal("UpdateAlias", update("moving")), full);
    // It is the key's already.
    world.ok("UpdateAlias", update("first-0"));
}

/// The account's root moves an alias to a key that carl may not touch, and carl makes a request with a third key, at
/// the same time: whether each may, and which of the three keys has the alias in the end.
fn moved_away_meanwhile(
    name: &str,
    request: impl Fn(&str) -> Value + Sync,
) -> (bool, bool, Option<usize>) {
    let world = World::new();
    let keys = [(); 3].map(|()| world.key());
    let [first, forbidden, third] = &keys;
    create(&world, "a", &first.0).unwrap();
    let allow = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
    let deny = json!({"Effect": "Deny", "Action": "kms:*", "Resource": forbidden.1});
    let carl = limited(&json!([allow, deny]), None);
    let start = Barrier::new(2);
    let (moved, changed) = std::thread::scope(|threads| {
        let moving = threads.spawn(|| {
            let to = json!({"AliasName": "alias/a", "TargetKeyId": forbidden.0});
            start.wait();
            world.call("UpdateAlias", to).is_ok()
        });
        start.wait();
        let changed = world.call_as(&carl, name, request(&third.0)).is_ok();
        (moving.join().unwrap(), changed)
    });
    let owner = keys.iter().position(|(id, _)| aliases_of(&world, id) == 1);
    (moved, changed, owner)
}

#[test]
fn who_may_delete_the_alias_of_one_key_does_not_delete_that_of_the_key_it_was_moved_to_meanwhile() {
    for _ in 0..500 {
        let request = |_: &str| json!({"AliasName": "alias/a"});
        let (moved, deleted, owner) = moved_away_meanwhile("DeleteAlias", request);
        assert_eq!((moved, owner), (!deleted, moved.then_some(1)));
    }
}

#[test]
fn who_may_move_the_alias_of_one_key_does_not_take_it_from_the_key_it_was_moved_to_meanwhile() {
    for _ in 0..500 {
        let request = |third: &str| json!({"AliasName": "alias/a", "TargetKeyId": third});
        let (moved, _, owner) = moved_away_meanwhile("UpdateAlias", request);
        assert_eq!((moved, owner), (true, Some(1)));
    }
}
