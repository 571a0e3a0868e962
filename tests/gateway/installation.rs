//! The identity of a state bucket, and which gateways may serve it.

use std::time::Duration;

use gateway::chunks::random::SystemRandom;
use gateway::server::Running;
use gateway::server::StartError;
use gateway::state::Gateways;
use gateway::state::presence::Presence;
use gateway::state::presence::PresenceError;
use http::Method;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tests::backend::Action;
use tests::backend::Backend;
use tests::backend::Fault;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

use crate::state::Gateway;
use crate::state::STATE_BUCKET;

async fn ready(world: &World) -> u16 {
    let address = world.gateway.admin_addr.unwrap();
    let host = address.to_string();
    let probe = Draft::raw(Method::GET, "/readyz").anonymous(&host);
    let target = Target { address, tls: None };
    probe.send(&target).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_lost_state_bucket_stops_requests_and_readiness_and_the_next_start() {
    let world = World::setup()
        .gateway(|config| config.state.fresh_ms = 0)
        .start()
        .await;
    world.create_bucket("bkt").await;
    let put = || Draft::new(Method::PUT, "bkt", "k").body("x");
    assert_eq!(world.send(put()).await.status(), 200);
    world.backend.remove_bucket(STATE_BUCKET);
    for draft in [
        put(),
        Draft::new(Method::GET, "bkt", "k"),
        Draft::new(Method::PUT, "bkt", "")
            .query("policy", "")
            .body("{}"),
        Draft::new(Method::DELETE, "bkt", ""),
        Draft::new(Method::PUT, "ccc", ""),
    ] {
        let status = world.send(draft.clone()).await.status();
        assert!(status == 503 || status == 400, "{status}: {draft:?}");
    }
    assert_eq!(ready(&world).await, 503);
    // Nor is it made again, and taken for the right one.
    assert!(!world.backend.buckets().contains(&STATE_BUCKET.to_owned()));
    let refusal = world.try_another_gateway().await.err().unwrap();
    assert!(matches!(refusal, StartError::State(_)), "{refusal}");
    assert!(refusal.to_string().contains("state.bucket"), "{refusal}");
}

#[tokio::test]
async fn before_a_backend_with_buckets_a_first_start_needs_the_operators_word() {
    let world = World::start().await;
    world.backend.remove_bucket(STATE_BUCKET);
    world.backend.create_bucket("older");
    assert!(world.try_another_gateway().await.is_err());
    world.init().await;
    let another = world.try_another_gateway().await.unwrap();
    let target = Target {
        address: another.s3_addr.unwrap(),
        tls: None,
    };
    let host = target.address.to_string();
    let put = Draft::new(Method::PUT, "older", "k").body("x");
    for (access, status) in [(&world.main, 200), (&world.alt, 403)] {
        let signed = put.clone().sign(access, world.now(), &host);
        assert_eq!(signed.send(&target).await.unwrap().status(), status);
    }
}

#[tokio::test]
async fn an_identity_that_is_not_this_installations_is_refused() {
    let world = World::start().await;
    world.backend.tamper(STATE_BUCKET, "identity", |document| {
        let mut bytes = document.body.to_vec();
        bytes[80] ^= 1;
        document.set_body(bytes);
    });
    let another = world.try_another_gateway().await.unwrap();
    let target = Target {
        address: another.s3_addr.unwrap(),
        tls: None,
    };
    let host = target.address.to_string();
    let create = Draft::new(Method::PUT, "bkt", "").sign(&world.main, world.now(), &host);
    let answer = create.send(&target).await.unwrap();
    assert!(answer.status().is_server_error());
}

#[tokio::test]
async fn several_gateways_need_a_backend_whose_conditions_hold() {
    for ignores in [true, false] {
        let world = World::start().await;
        match ignores {
            true => world.backend.ignore_conditions(),
            false => world.backend.inject(Fault::on(
                |it| it.path.contains("/trials/") && it.headers.contains_key("if-match"),
                Action::Refuse(501, "NotImplemented"),
            )),
        }
        let refusal = world.try_another_gateway().await.err().unwrap();
        assert!(matches!(refusal, StartError::NotShared(_)), "{refusal}");
        let left = world.backend.keys(STATE_BUCKET);
        assert!(
            !left.iter().any(|name| name.starts_with("trials/")),
            "{left:?}"
        );
    }
}

#[tokio::test]
async fn one_gateway_does_without_conditions_at_the_backend() {
    let backend = Backend::start().await;
    backend.ignore_conditions();
    let gateway = Gateway::before(&backend);
    assert!(gateway.buckets.find("b").await.unwrap().is_none());
    let changes = (0..8).map(|_| {
        gateway.buckets.change("b", |current| {
            let record = current.cloned().unwrap_or_else(|| {
                gateway::bucket::record::BucketRecord::new(
                    crate::state::ACCOUNT,
                    gateway::bucket::record::Phase::Live,
                    &SystemRandom,
                )
            });
            Ok(gateway::bucket::bucket_records::Edit::replace(record))
        })
    });
    for changed in futures_util::future::join_all(changes).await {
        changed.unwrap();
    }
    let record = gateway.buckets.find("b").await.unwrap().unwrap();
    assert_eq!(record.revision, 8);
}

/// A world, whose gateway runs, and another gateway that was started while its backend refused everything.
async fn started_before_its_backend() -> (World, Running) {
    let world = World::start().await;
    let refuse = Action::Refuse(503, "ServiceUnavailable");
    world.backend.inject(Fault::on(|_| true, refuse));
    let early = world.try_another_gateway().await.unwrap();
    (world, early)
}

/// The status of CreateBucket.
async fn create_at(gateway: &Running, access: &Access) -> u16 {
    create_bucket_at(gateway, access, "aaa").await
}

async fn create_bucket_at(gateway: &Running, access: &Access, bucket: &str) -> u16 {
    let address = gateway.s3_addr.unwrap();
    let create = Draft::new(Method::PUT, bucket, "");
    let signed = create.sign(access, SystemClock.now(), &address.to_string());
    let target = Target { address, tls: None };
    signed.send(&target).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_gateway_that_started_before_its_backend_serves_when_that_is_there_and_no_other_gateway_is()
 {
    let (world, early) = started_before_its_backend().await;
    let World {
        backend,
        gateway: other,
        main,
        ..
    } = world;
    assert_eq!(create_at(&early, &main).await, 503);
    assert!(early.readiness().await.is_err());
    backend.heal();
    assert_eq!(create_at(&early, &main).await, 503);
    assert_eq!(create_at(&other, &main).await, 200);
    assert_eq!(create_at(&early, &main).await, 503);
    other.stop().await;
    let served = async {
        while create_at(&early, &main).await == 503 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), served)
        .await
        .unwrap();
    early.readiness().await.unwrap();
}

#[tokio::test]
async fn many_clients_at_once_make_a_late_gateway_announce_itself_once_and_are_all_served() {
    let (world, early) = started_before_its_backend().await;
    let World {
        backend,
        gateway: other,
        main,
        ..
    } = world;
    backend.heal();
    other.stop().await;
    let (early, main) = (&early, &main);
    let clients = (0..16).map(|number| async move {
        let bucket = format!("of-client-{number}");
        loop {
            match create_bucket_at(early, main, &bucket).await {
                503 => tokio::task::yield_now().await,
                status => return status,
            }
        }
    });
    let clients = futures_util::future::join_all(clients);
    let statuses = tokio::time::timeout(Duration::from_secs(60), clients).await;
    assert_eq!(statuses.unwrap(), [200; 16]);
    early.readiness().await.unwrap();
    let announced = |key: &String| key.starts_with("gateways/");
    assert_eq!(
        backend
            .keys(STATE_BUCKET)
            .iter()
            .filter(|key| announced(key))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_gateway_whose_place_another_one_took_refuses_requests_until_that_one_ended() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    let paused = presence(&gateway, Gateways::One);
    paused.announce().await.unwrap();
    paused.check().unwrap();
    let next = presence(&gateway, Gateways::One);
    next.announce().await.unwrap();
    // It goes on, sees that it was taken for dead, and ends to beat.
    paused.run().await;
    let refusal = paused.check().unwrap_err();
    assert!(matches!(refusal, PresenceError::Superseded(_)), "{refusal}");
    let refusal = tokio::select! {
        () = next.run() => unreachable!(),
        outcome = paused.announce_late() => outcome.unwrap_err(),
    };
    assert!(matches!(refusal, PresenceError::Another(_)), "{refusal}");
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
    next.check().unwrap();
    next.withdraw().await;
    paused.announce_late().await.unwrap();
    paused.check().unwrap();
}

fn presence(gateway: &Gateway, gateways: Gateways) -> Presence {
    let presence = Presence::new(gateway.state.clone(), gateways, &SystemRandom);
    presence.beating_every(Duration::from_millis(20))
}

#[tokio::test]
async fn a_second_gateway_does_not_start_beside_one_that_is_to_be_the_only_one() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    for (first, second, may) in [
        (Gateways::One, Gateways::One, false),
        (Gateways::One, Gateways::Many, false),
        (Gateways::Many, Gateways::One, false),
        (Gateways::Many, Gateways::Many, true),
    ] {
        let running = presence(&gateway, first);
        running.announce().await.unwrap();
        let newcomer = presence(&gateway, second);
        let outcome = tokio::select! {
            () = running.run() => unreachable!(),
            outcome = newcomer.announce() => outcome,
        };
        match may {
            true => outcome.unwrap(),
            false => assert!(matches!(outcome, Err(PresenceError::Another(_)))),
        }
        newcomer.withdraw().await;
        running.withdraw().await;
    }
}

#[tokio::test]
async fn a_gateway_that_died_is_in_nobodys_way() {
    let backend = Backend::start().await;
    let gateway = Gateway::before(&backend);
    presence(&gateway, Gateways::One).announce().await.unwrap();
    let next = presence(&gateway, Gateways::One);
    next.announce().await.unwrap();
    assert_eq!(backend.keys(STATE_BUCKET).len(), 1);
}
