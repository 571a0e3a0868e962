//! Lifecycle configurations, through the API. What is expected are recorded answers of AWS.

use http::Method;

use crate::embedded::tests::api::Answer;
use crate::embedded::tests::api::Api;

async fn put_rules(api: &Api, rules: &str) -> Answer {
    let body = format!("<LifecycleConfiguration>{rules}</LifecycleConfiguration>");
    api.put("/bucket?lifecycle", &[], &body).await
}

#[tokio::test]
async fn lifecycle_rules_are_returned_in_the_form_in_which_they_were_put() {
    let api = Api::start().await;
    let rules = "<Rule><Expiration><Days>31</Days></Expiration><ID>old</ID><Prefix>a/</Prefix>\
                 <Status>Enabled</Status></Rule>\
                 <Rule><Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration><Filter><And>\
                 <ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><Prefix>b</Prefix>\
                 <Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><ID>and</ID>\
                 <Status>Disabled</Status></Rule>\
                 <Rule><AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload><Filter></Filter><ID>empty</ID>\
                 <NoncurrentVersionExpiration><NewerNoncurrentVersions>2</NewerNoncurrentVersions>\
                 <NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>\
                 <Status>Enabled</Status></Rule>";
    let put = put_rules(&api, rules).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let minimum = "x-amz-transition-default-minimum-object-size";
    assert_eq!(put.header(minimum), Some("all_storage_classes_128K"));
    let got = api.get("/bucket?lifecycle").await;
    got.has(200, rules);
    assert_eq!(got.header(minimum), Some("all_storage_classes_128K"));
    assert_eq!(api.delete("/bucket?lifecycle").await.status, 204);
    api.get("/bucket?lifecycle")
        .await
        .has(404, "NoSuchLifecycleConfiguration");
    let anonymous =
        "<Rule><Expiration><Days>1</Days></Expiration><Filter/><Status>Enabled</Status></Rule>";
    let put = put_rules(&api, anonymous).await;
    assert_eq!(put.status, 200, "{}", put.body);
    api.get("/bucket?lifecycle").await.has(200, "<ID>");
}

/// An enabled rule with these elements.
fn rule(elements: &str) -> String {
    format!("<Rule><Status>Enabled</Status>{elements}</Rule>")
}

async fn refused(refusals: &[(String, &str)]) {
    let api = Api::start().await;
    for (rules, code) in refusals {
        let answer = put_rules(&api, rules).await;
        assert_eq!(answer.status, 400, "{rules}: {}", answer.body);
        answer.has(400, &format!("<Code>{code}</Code>"));
    }
    let got = api.get("/bucket?lifecycle").await;
    got.has(404, "NoSuchLifecycleConfiguration");
}

#[tokio::test]
async fn lifecycle_rules_that_the_schema_does_not_have_are_malformed() {
    let two_filters = "<Filter><And><Prefix>t</Prefix></And><Prefix/></Filter>";
    let two_conditions =
        "<Filter><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><Prefix/></Filter>";
    let two_ends = "<Expiration><Days>7</Days><ExpiredObjectDeleteMarker>true\
                    </ExpiredObjectDeleteMarker></Expiration>";
    let malformed = [
        String::new(),
        rule(DAYS),
        rule(&format!("{DAYS}<Filter/><Prefix/>")),
        rule(&format!("{DAYS}{two_filters}")),
        rule(&format!("{DAYS}{two_conditions}")),
        rule(&format!("{DAYS}<Filter/><NoncurrentVersionExpiration/>")),
        rule(&format!("<Filter/>{two_ends}")),
        rule("<Filter/><Expiration/>"),
        rule("<Filter/><Expiration><Date>20200101</Date></Expiration>"),
        rule(&format!("{DAYS}<Filter/>")).replace("Enabled", "enabled"),
    ];
    refused(&malformed.map(|rules| (rules, "MalformedXML"))).await;
}

#[tokio::test]
async fn lifecycle_rules_that_aws_refuses_are_refused() {
    let long = "a".repeat(256);
    let tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";
    let abort = "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
                 </AbortIncompleteMultipartUpload>";
    let invalid = [
        rule("<Filter/><Expiration><Date>2023-01-01T02:02:00Z</Date></Expiration>"),
        rule("<Filter/><Expiration><Days>0</Days></Expiration>"),
        rule(&format!("{DAYS}<Filter/><ID>{long}</ID>")),
        rule(&format!("{DAYS}<Filter/><ID>same</ID>")).repeat(2),
    ];
    refused(&invalid.map(|rules| (rules, "InvalidArgument"))).await;
    let invalid = [
        rule(&format!("{DAYS}<Filter><And>{tag}{tag}</And></Filter>")),
        rule("<Filter/>"),
        rule(&format!("<Filter>{tag}</Filter>{abort}")),
    ];
    refused(&invalid.map(|rules| (rules, "InvalidRequest"))).await;
}

#[tokio::test]
async fn transitions_are_refused_with_the_way_out() {
    let api = Api::start().await;
    let transition =
        "<Filter/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>";
    let put = put_rules(&api, &rule(transition)).await;
    put.has(501, "leave them out of the rule");
}

#[tokio::test]
async fn a_transition_that_aws_does_not_take_is_refused_as_there() {
    let transition = |content: &str| {
        let storage = "<StorageClass>GLACIER</StorageClass>";
        rule(&format!(
            "<Filter/><Transition>{content}{storage}</Transition>"
        ))
    };
    let invalid = [
        transition("<Date>2023-01-01T02:02:00Z</Date>"),
        transition("<Days>-1</Days>"),
    ];
    refused(&invalid.map(|rules| (rules, "InvalidArgument"))).await;
    let malformed = [
        transition(""),
        transition("<Days>1</Days><Date>2023-01-01T00:00:00Z</Date>"),
        transition("<Days>1</Days>").replace("GLACIER", "SHELF"),
        rule(
            "<Filter/><NoncurrentVersionTransition><StorageClass>GLACIER</StorageClass>\
              </NoncurrentVersionTransition>",
        ),
        rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"),
    ];
    refused(&malformed.map(|rules| (rules, "MalformedXML"))).await;
}

#[tokio::test]
async fn answers_name_when_an_object_expires_unless_a_version_is_named() {
    let api = Api::start().await;
    let rule = "<Rule><Expiration><Days>3</Days></Expiration><Filter><Prefix>log</Prefix></Filter>\
                <ID>my rule</ID><Status>Enabled</Status>\
                <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload></Rule>";
    assert_eq!(put_rules(&api, rule).await.status, 200);
    let expected = Some("expiry-date=\"Wed, 14 Jan 1970 00:00:00 GMT\", rule-id=\"my%20rule\"");
    let put = api.put("/bucket/log1", &[], "body").await;
    assert_eq!(put.header("x-amz-expiration"), expected);
    let get = api.get("/bucket/log1").await;
    assert_eq!(get.header("x-amz-expiration"), expected);
    let head = api.send(Method::HEAD, "/bucket/log1", &[], "").await;
    assert_eq!(head.header("x-amz-expiration"), expected);
    let named = api.get("/bucket/log1?versionId=null").await;
    assert_eq!(
        (named.status.as_u16(), named.header("x-amz-expiration")),
        (200, None)
    );
    let copy = [("x-amz-copy-source", "/bucket/log1")];
    let copied = api.put("/bucket/log2", &copy, "").await;
    assert_eq!(copied.header("x-amz-expiration"), expected);
    let other = api.put("/bucket/other", &copy, "").await;
    assert_eq!(
        (other.status.as_u16(), other.header("x-amz-expiration")),
        (200, None)
    );
    let created = api
        .send(Method::POST, "/bucket/log3?uploads", &[], "")
        .await;
    assert_eq!(created.header("x-amz-abort-rule-id"), Some("my rule"));
    assert_eq!(
        created.header("x-amz-abort-date"),
        Some("Mon, 12 Jan 1970 00:00:00 GMT")
    );
}

const DAYS: &str = "<Expiration><Days>7</Days></Expiration>";
