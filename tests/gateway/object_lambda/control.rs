//! S3 Control's operations on Object Lambda access points.

use gateway::object_lambda::config::Callee;
use http::Method;

use super::Lambda;
use super::NAME;
use super::OLAP_ARN;
use super::POINT_ARN;
use super::creation_of_lambda;
use super::transforming;
use crate::access_points::control;
use crate::access_points::control_of;

fn path(rest: &str) -> String {
    format!("accesspointforobjectlambda/{NAME}{rest}")
}

async fn start() -> Lambda {
    Lambda::start(Callee::Command(vec!["cat".to_owned()]), 60_000).await
}

#[tokio::test]
async fn an_object_lambda_access_point_is_created_read_listed_and_deleted() {
    let lambda = start().await;
    let get = transforming(&["GetObject"], &["GetObject-Range"]);
    let created = lambda.send(creation_of_lambda(NAME, &get)).await;
    assert_eq!(created.element("ObjectLambdaAccessPointArn"), OLAP_ARN);
    assert_eq!(created.element("Status"), "READY");
    let again = lambda.send(creation_of_lambda(NAME, &get)).await;
    assert_eq!(again.outcome(), (409, "AccessPointAlreadyOwnedByYou"));

    let found = lambda.send(control(Method::GET, &path(""))).await;
    assert_eq!(found.element("Name"), NAME);
    assert_eq!(found.element("Value"), created.element("Value"));
    assert_eq!(found.element("RestrictPublicBuckets"), "true");
    let configured = lambda
        .send(control(Method::GET, &path("/configuration")))
        .await;
    assert_eq!(configured.element("SupportingAccessPoint"), POINT_ARN);
    assert_eq!(configured.element("AllowedFeature"), "GetObject-Range");
    assert_eq!(configured.element("FunctionPayload"), "the payload");
    assert_eq!(
        lambda
            .send(creation_of_lambda("another", &get))
            .await
            .status,
        200
    );
    let all = control(Method::GET, "accesspointforobjectlambda").query("maxResults", "1");
    let first = lambda.send(all.clone()).await;
    assert_eq!(first.element("Name"), "another");
    let second = lambda
        .send(all.query("nextToken", first.element("NextToken")))
        .await;
    assert_eq!(
        (second.element("Name"), second.element("NextToken")),
        (NAME, "")
    );

    assert_eq!(
        lambda
            .send(control(Method::DELETE, &path("")))
            .await
            .outcome(),
        (204, "")
    );
    let gone = lambda.send(control(Method::GET, &path(""))).await;
    assert_eq!(gone.outcome(), (404, "NoSuchAccessPoint"));
    let read = lambda.get("note").await;
    assert_eq!(read.outcome(), (404, "NoSuchAccessPoint"));
}

#[tokio::test]
async fn a_configuration_is_replaced_as_a_whole() {
    let lambda = start().await;
    lambda
        .create(&transforming(&["GetObject"], &["GetObject-Range"]))
        .await;
    let configuration = transforming(&["HeadObject"], &[]);
    let put = control(Method::PUT, &path("/configuration")).body(format!(
        "<PutAccessPointConfigurationForObjectLambdaRequest><Configuration>{configuration}</Configuration>\
         </PutAccessPointConfigurationForObjectLambdaRequest>"
    ));
    assert_eq!(lambda.send(put).await.outcome(), (200, ""));
    let configured = lambda
        .send(control(Method::GET, &path("/configuration")))
        .await;
    assert_eq!(configured.element("Action"), "HeadObject");
    assert_eq!(configured.element("AllowedFeature"), "");
}

#[tokio::test]
async fn a_policy_is_stored_and_a_public_one_is_refused() {
    let lambda = start().await;
    lambda.create(&transforming(&["GetObject"], &[])).await;
    let put = |principal: &str, action: &str| {
        control(Method::PUT, &path("/policy")).body(format!(
            "<PutAccessPointPolicyForObjectLambdaRequest><Policy>{{\"Version\": \"2012-10-17\", \"Statement\": \
             [{{\"Effect\": \"Allow\", \"Principal\": {principal}, \"Action\": \"{action}\", \"Resource\": \
             \"{OLAP_ARN}\"}}]}}</Policy></PutAccessPointPolicyForObjectLambdaRequest>"
        ))
    };
    let none = lambda.send(control(Method::GET, &path("/policy"))).await;
    assert_eq!(none.outcome(), (404, "NoSuchAccessPointPolicy"));
    let action = "s3-object-lambda:GetObject";
    let public = lambda.send(put("\"*\"", action)).await;
    assert_eq!(public.outcome(), (403, "AccessDenied"));
    let account = "{\"AWS\": \"arn:aws:iam::000000000001:root\"}";
    let other = lambda.send(put(account, "s3:GetObject")).await;
    assert_eq!(other.outcome(), (400, "MalformedPolicy"));
    assert_eq!(lambda.send(put(account, action)).await.outcome(), (200, ""));
    let found = lambda.send(control(Method::GET, &path("/policy"))).await;
    assert!(found.element("Policy").contains(action), "{}", found.text);
    let status = lambda
        .send(control(Method::GET, &path("/policyStatus")))
        .await;
    assert_eq!(status.element("IsPublic"), "false");
    let deleted = lambda.send(control(Method::DELETE, &path("/policy"))).await;
    assert_eq!(deleted.outcome(), (204, ""));
}

#[tokio::test]
async fn what_cannot_be_created_is_refused() {
    let lambda = start().await;
    let get = transforming(&["GetObject"], &[]);
    for (name, configuration, expected) in [
        ("A_b", get.clone(), (400, "InvalidURI")),
        (&"a".repeat(46), get.clone(), (400, "InvalidURI")),
        (NAME, get.replace("my-ap", "other"), (400, "InvalidRequest")),
        (
            NAME,
            get.replace("123456789012:accesspoint", "000000000000:accesspoint"),
            (400, "InvalidRequest"),
        ),
        (
            NAME,
            get.replace(":function:f", ":f"),
            (400, "InvalidRequest"),
        ),
        (
            NAME,
            "<SupportingAccessPoint/>".to_owned(),
            (400, "MalformedXML"),
        ),
    ] {
        let refused = lambda.send(creation_of_lambda(name, &configuration)).await;
        assert_eq!(refused.outcome(), expected, "{name} {configuration}");
    }
    let other = control_of("000000000000", Method::GET, "accesspointforobjectlambda");
    assert_eq!(lambda.send(other).await.outcome(), (403, "AccessDenied"));
    let unknown = lambda.send(control(Method::GET, &path("/scope"))).await;
    assert_eq!(unknown.outcome(), (501, "NotImplemented"));
}
