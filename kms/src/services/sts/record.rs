//! What the audit trail records of one call. It never has secrets, tokens or codes.
//!
//! Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>

use std::sync::Arc;

use proto::audit::Audit;
use proto::audit::Category;
use proto::audit::Event;
use proto::audit::EventId;
use proto::audit::Fields;
use proto::audit::Identity;
use proto::audit::Resource;
use proto::audit::Source;
use proto::iam::Role;
use proto::time::Timestamp;
use serde::Serialize;

use crate::caller::Caller;
use crate::services::sts::error::StsError;

/// The record of a call, filled while the call is made.
#[derive(Default)]
pub(crate) struct Record {
    parameters: Fields,
    response: Fields,
    resources: Vec<Resource>,
}

impl Record {
    /// Records a parameter of the request, if it is there.
    pub(crate) fn parameter(&mut self, name: &'static str, value: Option<impl Serialize>) {
        if let Some(value) = value {
            self.parameters.push(name, &value);
        }
    }

    /// Records a member of the answer.
    pub(crate) fn respond(&mut self, name: &'static str, value: &impl Serialize) {
        self.response.push(name, value);
    }

    /// Records the role that the call is about.
    pub(crate) fn role(&mut self, role: &Role) {
        let account = Some(role.arn.account());
        let resource = Resource::new("AWS::IAM::Role", role.arn.as_str(), account);
        self.resources.push(resource);
    }

    /// Hands what happened to the audit trail; to that of the role's account, too, if it is another.
    pub(crate) fn hand_over(
        self,
        audit: &Audit,
        caller: &Caller,
        name: &'static str,
        time: Timestamp,
        error: Option<&StsError>,
    ) {
        let mut event = Event {
            time,
            service: "sts.amazonaws.com",
            name,
            category: Category::Management,
            read_only: true,
            region: caller.region.clone(),
            recipient_account: caller.account.clone(),
            identity: Identity::from(caller),
            source: Source::from(caller),
            user_agent: caller.event_user_agent(),
            request_parameters: self.parameters,
            response_elements: self.response,
            additional: Fields::default(),
            request_id: Arc::clone(&caller.request_id),
            id: EventId::fresh(),
            resources: self.resources,
            error: error.map(|error| (error.code.into(), error.message.as_str().into())),
            shared_id: None,
            tls: caller.tls.clone(),
        };
        if let Some(of_owner) = event.share_with_owner() {
            audit.record(of_owner);
        }
        audit.record(event);
    }
}
