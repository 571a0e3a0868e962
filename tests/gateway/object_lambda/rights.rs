//! Who may read through a function, and which functions may answer.

use futures_util::FutureExt as _;
use gateway::object_lambda::config::Callee;
use http::Method;
use tests::signed::Draft;

use super::Answer;
use super::BUCKET;
use super::FUNCTION;
use super::Lambda;
use super::NAME;
use super::OLAP_ARN;
use super::POINT;
use super::server::FunctionServer;
use super::server::input_of;
use super::server::nothing;
use super::transforming;
use crate::access_points::control;
use crate::access_points::delegation;
use crate::access_points::point_policy;
use crate::access_points::policy;

/// The statement of an access point by which the caller may read, under this condition.
fn readers(condition: &str) -> String {
    format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "arn:aws:iam::123456789012:user/caller"}},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:us-east-1:123456789012:accesspoint/{POINT}/object/*",
            "Condition": {condition}}}"#
    )
}

/// Has the Object Lambda access point deny reads of the main account; `more` stands at the end of the statement.
async fn deny(lambda: &Lambda, more: &str) {
    let deny = format!(
        r#"{{"Effect": "Deny", "Principal": {{"AWS": "arn:aws:iam::123456789012:root"}},
            "Action": "s3-object-lambda:GetObject", "Resource": "{OLAP_ARN}"{more}}}"#
    );
    let path = format!("accesspointforobjectlambda/{NAME}/policy");
    let text = policy(&deny);
    let put = control(Method::PUT, &path).body(format!(
        "<PutAccessPointPolicyForObjectLambdaRequest><Policy>{text}</Policy>\
         </PutAccessPointPolicyForObjectLambdaRequest>"
    ));
    let put = lambda.send(put).await;
    assert_eq!(put.outcome(), (200, ""), "{}", put.text);
}

#[tokio::test]
async fn a_function_reads_with_the_rights_of_the_caller() {
    let lambda = Lambda::of_command(&["cat"], &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    let get = || Draft::raw(Method::GET, "/note");
    let refused = lambda.send_through(&lambda.caller, get()).await;
    assert_eq!(
        refused.outcome(),
        (403, "AccessDenied"),
        "no right to the access point"
    );

    let delegating = Draft::new(Method::PUT, BUCKET, "").query("policy", "");
    let delegating = delegating.body(policy(&delegation()));
    assert_eq!(lambda.send(delegating).await.status, 204);
    let through = r#"{"StringEquals": {"aws:CalledVia": "s3-object-lambda.amazonaws.com"}}"#;
    let put = lambda.send(point_policy(POINT, &readers(through))).await;
    assert_eq!(put.outcome(), (200, ""), "{}", put.text);
    let read = lambda.send_through(&lambda.caller, get()).await;
    assert_eq!((read.status, read.text.as_str()), (200, "text"));
    let host = lambda.world.host();
    let (_, port) = host.rsplit_once(':').unwrap();
    let point = format!("{POINT}-123456789012.localhost:{port}");
    let direct = get().sign(&lambda.caller, lambda.world.now(), &point);
    let direct = Answer::new(direct.send(&lambda.world.target()).await.unwrap());
    assert_eq!(
        direct.outcome(),
        (403, "AccessDenied"),
        "not without the function"
    );
}

#[tokio::test]
async fn a_policy_of_the_access_point_denies_and_another_account_needs_one() {
    let lambda = Lambda::of_command(&["cat"], &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    let get = || Draft::raw(Method::GET, "/note");
    let refused = lambda.send_through(&lambda.outsider, get()).await;
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
    deny(&lambda, "").await;
    assert_eq!(lambda.get("note").await.outcome(), (403, "AccessDenied"));
    let direct = lambda.send(Draft::new(Method::GET, BUCKET, "note")).await;
    assert_eq!(direct.status, 200);
}

#[tokio::test]
async fn a_policy_of_the_access_point_denies_by_a_condition() {
    let lambda = Lambda::of_command(&["cat"], &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    for (network, outcome) in [
        ("192.0.2.0/24", (200, "")),
        ("127.0.0.0/8", (403, "AccessDenied")),
    ] {
        let condition =
            format!(r#", "Condition": {{"IpAddress": {{"aws:SourceIp": "{network}"}}}}"#);
        deny(&lambda, &condition).await;
        assert_eq!(lambda.get("note").await.outcome(), outcome, "{network}");
    }
}

#[tokio::test]
async fn the_anonymous_caller_reads_nothing_through_a_function() {
    let lambda = Lambda::of_command(&["cat"], &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    let host = lambda.world.host();
    let (_, port) = host.rsplit_once(':').unwrap();
    let alias = lambda.send(control(
        Method::GET,
        &format!("accesspointforobjectlambda/{NAME}"),
    ));
    let alias = alias.await.element("Value").to_owned();
    let anonymous = Draft::new(Method::GET, &alias, "note").anonymous(&format!("localhost:{port}"));
    let refused = Answer::new(anonymous.send(&lambda.world.target()).await.unwrap());
    assert_eq!(refused.outcome(), (403, "AccessDenied"));
}

#[tokio::test]
async fn only_a_principal_of_the_account_that_may_answers_for_a_function() {
    let server = FunctionServer::start(|event, gateway| {
        async move {
            let outsider = tests::clients::Access::new("KEYOFOUTSIDER", "secret-of-outsider");
            let forged = gateway
                .write_as(&outsider, &event, &[], "forged".to_owned())
                .await;
            assert_eq!(forged.outcome(), (403, "AccessDenied"));
            let read = gateway.read(&input_of(&event)).await;
            gateway.write(&event, &[], read.text).await;
            nothing()
        }
        .boxed()
    })
    .await;
    let lambda = Lambda::of_server(&server, &transforming(&["GetObject"], &[])).await;
    lambda.put("note", "text").await;
    assert_eq!(lambda.get("note").await.text, "text");
}

#[tokio::test]
async fn an_arn_in_a_configuration_leads_to_no_function_by_itself() {
    let command = Callee::Command(vec!["cat".to_owned()]);
    let lambda = Lambda::start(command, 60_000).await;
    let other = transforming(&["GetObject"], &[])
        .replace(FUNCTION, &FUNCTION.replace("function:f", "function:g"));
    lambda.create(&other).await;
    lambda.put("note", "text").await;
    assert_eq!(lambda.get("note").await.outcome(), (404, "LambdaNotFound"));
}
