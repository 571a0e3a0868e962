//! For every operation and every action that it needs: an explicit denial of the action refuses it, whoever
//! calls, before a backend that would do it.

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;

use crate::buckets::Buckets;
use crate::buckets::KEY;
use crate::fixture::Caller;
use crate::fixture::Fixture;
use crate::outcome::Outcome;
use crate::reference;
use crate::reference::Need;
use crate::reference::Needs;
use crate::reference::Operation;
use crate::reference::Permissions;
use crate::reference::Variation;

#[tokio::test]
async fn an_explicit_denial_of_any_action_that_an_operation_needs_refuses_it() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, needs) in &permissions.operations {
        let operation = &operations[name];
        if needs.refused.is_some() || needs.without_policy.is_some() {
            continue;
        }
        for need in &needs.actions {
            let variations = variations(&permissions, need);
            let mut found = Vec::new();
            for caller in [Caller::Owner, Caller::Other] {
                if needs.owner_only.is_some() && caller == Caller::Other {
                    continue;
                }
                let walk = Walk {
                    fixture: &fixture,
                    operation,
                    needs,
                    variations: &variations,
                    caller,
                };
                if let Err(outcome) = walk.check(need).await {
                    found.push(format!("{caller:?}: {outcome}"));
                }
            }
            let row = format!("{name} {} {:?}", need.action, need.with);
            note(&row, need.failure.as_ref(), &found, &mut wrong);
        }
    }
    assert!(
        wrong.is_empty(),
        "{} rows\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn what_the_gateway_does_not_do_it_refuses_as_listed_and_the_backend_receives_nothing() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let mut wrong = Vec::new();
    for (name, needs) in &permissions.operations {
        let Some(refusal) = &needs.refused else {
            continue;
        };
        let operation = &operations[name];
        let mut found = Vec::new();
        for caller in [Caller::Owner, Caller::Other] {
            let buckets = fixture.buckets(operation, caller).await;
            fixture.put_policies(&buckets, None).await;
            let request = buckets.request(operation, needs, &[]);
            let outcome = fixture.send(caller, request).await;
            let code = format!("<Code>{}</Code>", refusal.code);
            let status = outcome.response.status().as_u16();
            let as_listed = status == refusal.status && outcome.text().contains(&code);
            if !as_listed || !outcome.received.is_empty() {
                found.push(format!("{caller:?}: {}", outcome.describe()));
            }
        }
        let row = format!("{name} ({})", refusal.reason);
        note(&row, refusal.failure.as_ref(), &found, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_query_parameter_that_an_operation_may_have_is_taken() {
    let fixture = Fixture::start().await;
    let (operations, permissions) = (reference::operations(), reference::permissions());
    let caller = Caller::Owner;
    let mut wrong = Vec::new();
    for (name, operation) in &operations {
        let needs = &permissions.operations[name];
        if needs.refused.is_some() {
            continue;
        }
        for parameter in &operation.query {
            let buckets = fixture.buckets(operation, caller).await;
            let value = optional_value(parameter).to_owned();
            let with = Variation {
                query: [(parameter.clone(), value)].into(),
                ..Variation::default()
            };
            let request = buckets.request(operation, needs, &[&with]);
            let outcome = fixture.send(caller, request).await;
            // The recording backend does not do everything.
            let refused = [400, 403].contains(&outcome.response.status().as_u16());
            let refused = refused || name != "ListDirectoryBuckets" && outcome.received.is_empty();
            if refused {
                wrong.push(format!("{name} {parameter}: {}", outcome.describe()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A value that a query parameter may have.
fn optional_value(parameter: &str) -> &'static str {
    match parameter {
        "partNumber" => "1",
        "versionId" => "{version}",
        "bucket-region" => "us-east-1",
        "encoding-type" => "url",
        "fetch-owner" => "true",
        // As the gateway makes it: the last name of the page before, in base64.
        "continuation-token" => "YQ",
        "part-number-marker" => "1",
        "upload-id-marker" | "version-id-marker" => "",
        "response-expires" => "Thu, 01 Jan 2099 00:00:00 GMT",
        name if name.starts_with("max-") => "5",
        _ => "a",
    }
}

/// One request, with and without the denial.
struct Walk<'a> {
    fixture: &'a Fixture,
    operation: &'a Operation,
    needs: &'a Needs,
    variations: &'a [&'a Variation],
    caller: Caller,
}

impl Walk<'_> {
    /// That the denial refuses the request, and that without it the request is done.
    async fn check(&self, need: &Need) -> Result<(), String> {
        let denied = self.send(need, true).await;
        let allowed = self.send(need, false).await;
        if !is_done(need, &allowed) {
            return Err(format!("without the denial {}", allowed.describe()));
        }
        if !holds(need, &denied) {
            return Err(denied.describe());
        }
        Ok(())
    }

    async fn send(&self, need: &Need, denied: bool) -> Outcome {
        let buckets = self.fixture.buckets(self.operation, self.caller).await;
        if let Some(header) = &need.withholds {
            self.add_header(&buckets, header);
        }
        let denial = denied.then_some((need.action.as_str(), need.on));
        self.fixture.put_policies(&buckets, denial).await;
        let request = buckets.request(self.operation, self.needs, self.variations);
        self.fixture.send(self.caller, request).await
    }

    /// Lets the backend answer the object with a header that it does not have by itself.
    fn add_header(&self, buckets: &Buckets, header: &str) {
        let value = match header {
            "x-amz-object-lock-legal-hold" => ("x-amz-object-lock-legal-hold", "ON"),
            "x-amz-object-lock-mode" => ("x-amz-object-lock-mode", "GOVERNANCE"),
            "x-amz-object-lock-retain-until-date" => (
                "x-amz-object-lock-retain-until-date",
                "2099-01-01T00:00:00Z",
            ),
            _ => return,
        };
        let path = format!("/{}/{KEY}", buckets.bucket);
        let action = Action::SetHeader(value.0, value.1.to_owned());
        let read = [Method::GET, Method::HEAD];
        let fault = Fault::on(
            move |request| request.path == path && read.contains(&request.method),
            action,
        );
        self.fixture.world.backend.inject(fault);
    }
}

/// Whether a denial had its effect.
fn holds(need: &Need, denied: &Outcome) -> bool {
    let (response, text) = (&denied.response, denied.text());
    if let Some(header) = &need.withholds {
        return response.status().is_success() && !response.headers().contains_key(header);
    }
    if need.ignored.is_some() {
        return response.status().is_success();
    }
    if need.in_body {
        let refused = text.contains("<Error>") && text.contains("<Code>AccessDenied</Code>");
        return response.status() == 200 && refused && denied.received.is_empty();
    }
    // The answer to a HEAD has no body.
    let explained = text.is_empty() || text.contains("with an explicit deny");
    response.status() == 403 && explained && denied.received.is_empty()
}

/// Whether the request did what it is for: the backend received it, or the gateway did it itself.
fn is_done(need: &Need, allowed: &Outcome) -> bool {
    let response = &allowed.response;
    if let Some(header) = &need.withholds {
        return response.status().is_success() && response.headers().contains_key(header);
    }
    let refused = response.status() == 403 || allowed.text().contains("<Code>AccessDenied");
    // A configuration that the gateway looked for and the bucket does not have.
    let missing = response.status() == 404;
    !refused && (response.status().is_success() || missing || !allowed.received.is_empty())
}

/// Notes a row that fails and is not marked, or holds and is.
fn note(row: &str, failure: Option<&String>, found: &[String], wrong: &mut Vec<String>) {
    match failure {
        None if !found.is_empty() => wrong.push(format!("{row}: {}", found.join("; "))),
        Some(_) if found.is_empty() => wrong.push(format!("{row}: holds now, unmark it")),
        _ => {}
    }
}

fn variations<'a>(permissions: &'a Permissions, need: &Need) -> Vec<&'a Variation> {
    need.with
        .iter()
        .map(|name| &permissions.variations[name])
        .collect()
}
