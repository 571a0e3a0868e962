//! Worlds whose gateway records events, and the events as JSON.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::Response;
use proto::audit::Event;
use proto::time::ManualClock;
use proto::time::Timestamp;
use serde_json::Value;
use tests::clients::Access;
use tests::signed::Draft;
use tests::world::Setup;
use tests::world::World;

/// A world whose clock stands still, with the bucket `bkt` of the main account.
pub(crate) struct Trail {
    pub(crate) world: World,
}

impl Trail {
    pub(crate) async fn start() -> Self {
        Self::start_with(World::setup().one_trail()).await
    }

    pub(crate) async fn start_with(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let world = setup.clock(clock).start().await;
        let trail = Self { world };
        let created = trail.send(Draft::new(Method::PUT, "bkt", "")).await;
        assert_eq!(created.status(), 200, "{created:?}");
        trail
    }

    pub(crate) async fn send(&self, draft: Draft) -> Response<Bytes> {
        self.world.send(draft).await
    }

    pub(crate) async fn send_as(&self, access: &Access, draft: Draft) -> Response<Bytes> {
        let signed = draft.sign(access, self.world.now(), &self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    pub(crate) async fn anonymously(&self, draft: Draft) -> Response<Bytes> {
        let signed = draft.anonymous(&self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    /// The gateway's events, the newest first.
    pub(crate) fn events(&self) -> Vec<Value> {
        let of_s3 = |event: &Event| event.service == "s3.amazonaws.com";
        let audit = &self.world.kms.audit;
        let management = audit.lookup(1_000, of_s3);
        let data = audit.lookup_data(1_000, of_s3);
        let events = management.iter().chain(&data);
        events
            .map(|event| serde_json::to_value(&**event).unwrap())
            .collect()
    }

    /// The events of that name, the newest first.
    pub(crate) fn events_of(&self, name: &str) -> Vec<Value> {
        let mut events = self.events();
        events.retain(|event| event["eventName"] == name);
        events
    }

    /// The only event of that name.
    pub(crate) fn event_of(&self, name: &str) -> Value {
        let events = self.events_of(name);
        assert_eq!(events.len(), 1, "{name}: {:#?}", self.events());
        events.into_iter().next().unwrap()
    }
}

/// 6 February 2019, 00:00:38.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_549_411_238);
