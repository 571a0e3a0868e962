//! What the audit trail records of one call.

use std::sync::Arc;

use proto::audit::Audit;
use proto::audit::Category;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Identity;
use proto::audit::Resource;
use proto::audit::Source;
use proto::time::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::api::operation::OperationName;
use crate::caller::Caller;
use crate::error::KmsError;
use crate::keys::key::Key;

/// The record of a call, filled while the call is made. It never holds plaintext or ciphertext.
pub(crate) struct CallRecord {
    event_id: EventId,
    parameters: Fields,
    response: Fields,
    additional: Fields,
    resources: Vec<Resource>,
}

impl Default for CallRecord {
    fn default() -> Self {
        Self {
            event_id: EventId::fresh(),
            parameters: Fields::default(),
            response: Fields::default(),
            additional: Fields::default(),
            resources: Vec::new(),
        }
    }
}

impl CallRecord {
    /// The id of the event.
    pub(crate) fn event_id(&self) -> Uuid {
        self.event_id.uuid()
    }

    /// Records a parameter of the request.
    pub(crate) fn parameter(&mut self, name: &'static str, value: impl Serialize) {
        self.parameters.push(name, &value);
    }

    /// Records an optional text of the request.
    pub(crate) fn parameter_text(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(text) = value {
            self.parameters.push(name, &text);
        }
    }

    /// Records a member of the answer of a change.
    pub(crate) fn respond(&mut self, name: &'static str, value: impl Serialize) {
        self.response.push(name, &value);
    }

    /// Records which key material was used.
    pub(crate) fn material(&mut self, material_id: Option<&str>) {
        if let Some(id) = material_id {
            self.additional.push("keyMaterialId", &id);
        }
    }

    /// Records a key that the call is about.
    pub(crate) fn key(&mut self, key: &Key) {
        // Most calls are about one key, and ten thousand events stay in memory.
        self.resources.reserve_exact(1);
        let account = Some(key.account().clone());
        let resource = Resource::new(Event::KEY, Arc::clone(key.arn()), account);
        self.resources.push(resource);
    }

    /// ARNs of the keys that the call is about.
    pub(crate) fn key_arns(&self) -> impl Iterator<Item = &Arc<str>> {
        self.resources.iter().map(|resource| &resource.arn)
    }

    /// Hands what happened to the audit trail; to that of the key's account, too, if it is another.
    pub(crate) fn hand_over(
        self,
        audit: &Audit,
        caller: &Caller,
        name: OperationName,
        time: Timestamp,
        error: Option<&KmsError>,
    ) {
        let mut event = Event {
            time,
            service: Event::KMS,
            name: name.as_str(),
            category: Category::Management,
            read_only: name.is_read_only(),
            region: caller.region.clone(),
            recipient_account: caller.account.clone(),
            identity: Identity::from(caller),
            source: Source::from(caller),
            user_agent: caller.event_user_agent(),
            request_parameters: self.parameters,
            response_elements: self.response,
            additional: self.additional,
            request_id: Arc::clone(&caller.request_id),
            id: self.event_id,
            resources: self.resources,
            error: error.map(|error| (error.code().name().into(), error.message().into())),
            shared_id: None,
            // A service's own connection is no concern of the caller it acts for.
            tls: caller.tls.clone().filter(|_| caller.via_service.is_none()),
        };
        if let Some(of_owner) = event.share_with_owner() {
            audit.record(of_owner);
        }
        audit.record(event);
    }
}
