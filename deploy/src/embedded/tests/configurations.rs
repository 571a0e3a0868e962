//! Configurations of buckets, through the API. What is expected are recorded answers of AWS.

use http::Method;

use crate::embedded::tests::api::Api;

#[tokio::test]
async fn a_bare_bucket_answers_each_read_as_at_aws() {
    let api = Api::start().await;
    for (subresource, status, part) in [
        ("abac", 200, "<Status>Disabled</Status>"),
        ("accelerate", 200, "<AccelerateConfiguration"),
        ("acl", 200, "<Permission>FULL_CONTROL</Permission>"),
        ("analytics", 200, "<IsTruncated>false</IsTruncated>"),
        ("analytics&id=a", 404, "<Code>NoSuchConfiguration</Code>"),
        (
            "intelligent-tiering",
            200,
            "<IsTruncated>false</IsTruncated>",
        ),
        (
            "intelligent-tiering&id=a",
            404,
            "<Code>NoSuchConfiguration</Code>",
        ),
        ("inventory", 200, "<IsTruncated>false</IsTruncated>"),
        ("inventory&id=a", 404, "<Code>NoSuchConfiguration</Code>"),
        (
            "lifecycle",
            404,
            "<Code>NoSuchLifecycleConfiguration</Code>",
        ),
        ("location", 200, "<LocationConstraint"),
        (
            "metadataConfiguration",
            404,
            "<Code>MetadataConfigurationNotFound</Code>",
        ),
        ("metrics", 200, "<IsTruncated>false</IsTruncated>"),
        ("metrics&id=a", 404, "<Code>NoSuchConfiguration</Code>"),
        ("notification", 200, "<NotificationConfiguration"),
        (
            "object-lock",
            404,
            "<Code>ObjectLockConfigurationNotFoundError</Code>",
        ),
        (
            "ownershipControls",
            200,
            "<ObjectOwnership>BucketOwnerEnforced</ObjectOwnership>",
        ),
        ("policyStatus", 404, "<Code>NoSuchBucketPolicy</Code>"),
        (
            "replication",
            404,
            "<Code>ReplicationConfigurationNotFoundError</Code>",
        ),
        ("requestPayment", 200, "<Payer>BucketOwner</Payer>"),
        ("tagging", 404, "<Code>NoSuchTagSet</Code>"),
        ("versioning", 200, "<VersioningConfiguration"),
        ("website", 404, "<Code>NoSuchWebsiteConfiguration</Code>"),
    ] {
        let answer = api.get(&format!("/bucket?{subresource}")).await;
        answer.has(status, part);
        let answer = api.get(&format!("/missing?{subresource}")).await;
        let code = if subresource == "abac" || subresource == "metadataConfiguration" {
            ""
        } else {
            "<Code>NoSuchBucket</Code>"
        };
        assert!(answer.body.contains(code), "{subresource}: {}", answer.body);
    }
}

#[tokio::test]
async fn what_is_not_there_is_refused_with_the_way_out() {
    let api = Api::start().await;
    for (method, uri, body) in [
        (
            Method::PUT,
            "/bucket?abac",
            "<AbacStatus><Status>Enabled</Status></AbacStatus>",
        ),
        (Method::POST, "/bucket?metadataConfiguration", ""),
        (
            Method::PUT,
            "/bucket?website",
            "<WebsiteConfiguration><IndexDocument><Suffix>i</Suffix></IndexDocument></WebsiteConfiguration>",
        ),
        (
            Method::PUT,
            "/bucket?requestPayment",
            "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
        ),
    ] {
        let answer = api.send(method, uri, &[], body).await;
        answer.has(501, "<Code>NotImplemented</Code>");
        assert!(answer.body.contains("backend"), "{}", answer.body);
    }
    for subresource in ["website", "replication"] {
        let answer = api.delete(&format!("/bucket?{subresource}")).await;
        assert_eq!(answer.status, 204);
    }
}

#[tokio::test]
async fn configurations_by_id_are_returned_as_they_were_put() {
    let api = Api::start().await;
    for (kind, element, content) in [
        (
            "metrics",
            "MetricsConfiguration",
            "<Filter><Prefix>p</Prefix></Filter>",
        ),
        (
            "analytics",
            "AnalyticsConfiguration",
            "<StorageClassAnalysis></StorageClassAnalysis>",
        ),
        (
            "intelligent-tiering",
            "IntelligentTieringConfiguration",
            "<Status>Enabled</Status><Tiering><AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>",
        ),
        (
            "inventory",
            "InventoryConfiguration",
            "<Destination><S3BucketDestination><Bucket>arn:aws:s3:::d</Bucket><Format>CSV</Format>\
             </S3BucketDestination></Destination><IncludedObjectVersions>All</IncludedObjectVersions>\
             <IsEnabled>true</IsEnabled><Schedule><Frequency>Daily</Frequency></Schedule>",
        ),
    ] {
        let document = |id: &str| format!("<{element}><Id>{id}</Id>{content}</{element}>");
        for id in ["b", "a"] {
            let answer = api
                .put(&format!("/bucket?{kind}&id={id}"), &[], &document(id))
                .await;
            assert_eq!(answer.status, 200, "{kind}: {}", answer.body);
        }
        let other = api
            .put(&format!("/bucket?{kind}&id=c"), &[], &document("a"))
            .await;
        assert_eq!(other.status, 400, "{kind}: {}", other.body);
        api.get(&format!("/bucket?{kind}&id=a"))
            .await
            .has(200, "<Id>a</Id>");
        let all = api.get(&format!("/bucket?{kind}")).await;
        let (a, b) = (all.body.find("<Id>a</Id>"), all.body.find("<Id>b</Id>"));
        assert!(a.is_some() && a < b, "{kind}: {}", all.body);
        let deleted = api.delete(&format!("/bucket?{kind}&id=a")).await;
        assert_eq!(deleted.status, 204);
        let answer = api.delete(&format!("/bucket?{kind}&id=a")).await;
        answer.has(404, "<Code>NoSuchConfiguration</Code>");
        let left = api.get(&format!("/bucket?{kind}")).await.body;
        assert!(
            left.contains("<Id>b</Id>") && !left.contains("<Id>a</Id>"),
            "{left}"
        );
    }
}

#[tokio::test]
async fn tags_of_a_bucket_are_replaced_as_a_whole() {
    let api = Api::start().await;
    let tagging = |tags: &str| format!("<Tagging><TagSet>{tags}</TagSet></Tagging>");
    let tag = |key: &str, value: &str| format!("<Tag><Key>{key}</Key><Value>{value}</Value></Tag>");
    let put = async |tags: String| api.put("/bucket?tagging", &[], &tagging(&tags)).await;
    assert!(put(tag("a", "1") + &tag("b", "")).await.status.is_success());
    api.get("/bucket?tagging")
        .await
        .has(200, "<Key>b</Key><Value></Value>");
    assert!(put(tag("c", "3")).await.status.is_success());
    let answer = api.get("/bucket?tagging").await;
    answer.has(200, "<Key>c</Key>");
    assert!(!answer.body.contains("<Key>a</Key>"));
    for (tags, code) in [
        (tag("k", "1") + &tag("k", "2"), "InvalidTag"),
        (tag("k1,k2", ""), "InvalidTag"),
        (tag("k", "1,2"), "InvalidTag"),
        (tag("aws:k", ""), "InvalidTag"),
        ("<Tag><Value>v</Value></Tag>".to_owned(), "MalformedXML"),
        ("<Tag><Key>k</Key></Tag>".to_owned(), "MalformedXML"),
        (
            (0..51).map(|n| tag(&n.to_string(), "")).collect(),
            "BadRequest",
        ),
    ] {
        put(tags).await.has(400, &format!("<Code>{code}</Code>"));
    }
    assert_eq!(api.delete("/bucket?tagging").await.status, 204);
    api.get("/bucket?tagging").await.has(404, "NoSuchTagSet");
    assert!(put(tag("d", "4")).await.status.is_success());
    assert!(put(String::new()).await.status.is_success());
    api.get("/bucket?tagging").await.has(404, "NoSuchTagSet");
}

#[tokio::test]
async fn ownership_controls_are_returned_as_they_were_put() {
    let api = Api::start().await;
    let controls = |values: &[&str]| {
        let rules = values
            .iter()
            .map(|value| format!("<Rule><ObjectOwnership>{value}</ObjectOwnership></Rule>"));
        format!(
            "<OwnershipControls>{}</OwnershipControls>",
            rules.collect::<String>()
        )
    };
    let uri = "/bucket?ownershipControls";
    for value in [
        "ObjectWriter",
        "BucketOwnerPreferred",
        "BucketOwnerEnforced",
    ] {
        assert_eq!(api.put(uri, &[], &controls(&[value])).await.status, 200);
        api.get(uri).await.has(200, value);
    }
    for values in [&["Other"][..], &[], &["ObjectWriter", "ObjectWriter"]] {
        api.put(uri, &[], &controls(values))
            .await
            .has(400, "MalformedXML");
    }
    for _ in 0..2 {
        assert_eq!(api.delete(uri).await.status, 204);
        api.get(uri)
            .await
            .has(404, "OwnershipControlsNotFoundError");
    }
    let header = [("x-amz-object-ownership", "BucketOwnerPreferred")];
    assert_eq!(api.put("/preferred", &header, "").await.status, 200);
    api.get("/preferred?ownershipControls")
        .await
        .has(200, "BucketOwnerPreferred");
    let header = [("x-amz-object-ownership", "RandomValue")];
    api.put("/other", &header, "")
        .await
        .has(400, "Invalid x-amz-object-ownership header: RandomValue");
}

#[tokio::test]
async fn an_access_control_list_that_grants_anything_to_others_is_refused() {
    let api = Api::start().await;
    assert_eq!(api.put("/bucket/key", &[], "body").await.status, 200);
    let own = api.get("/bucket/key?acl").await;
    own.has(200, "<Permission>FULL_CONTROL</Permission>");
    for uri in ["/bucket?acl", "/bucket/key?acl"] {
        for list in ["private", "bucket-owner-full-control"] {
            let answer = api.put(uri, &[("x-amz-acl", list)], "").await;
            assert_eq!(answer.status, 200, "{uri} {list} {}", answer.body);
        }
        let public = [("x-amz-acl", "public-read")];
        api.put(uri, &public, "")
            .await
            .has(400, "AccessControlListNotSupported");
        let grant = [(
            "x-amz-grant-read",
            "uri=\"http://acs.amazonaws.com/groups/global/AllUsers\"",
        )];
        api.put(uri, &grant, "")
            .await
            .has(400, "AccessControlListNotSupported");
        api.put(uri, &[public[0], grant[0]], "")
            .await
            .has(400, "<Code>InvalidRequest</Code>");
        api.put(uri, &[("x-amz-acl", "other")], "")
            .await
            .has(400, "<Code>InvalidArgument</Code>");
        api.put(uri, &[], "")
            .await
            .has(400, "<Code>MissingSecurityHeader</Code>");
        // What was read can be put back.
        let list = own
            .body
            .split_once("?>")
            .map_or(own.body.as_str(), |(_, rest)| rest);
        let answer = api.put(uri, &[], list).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        api.put(uri, &public, list)
            .await
            .has(400, "<Code>UnexpectedContent</Code>");
        let others = list.replace("<Permission>FULL_CONTROL", "<Permission>READ");
        api.put(uri, &[], &others)
            .await
            .has(400, "AccessControlListNotSupported");
    }
    let public = [("x-amz-acl", "public-read")];
    api.put("/bucket/key", &public, "new")
        .await
        .has(400, "AccessControlListNotSupported");
    api.get("/bucket/key").await.has(200, "body");
    api.put("/open", &public, "")
        .await
        .has(400, "InvalidBucketAclWithObjectOwnership");
    api.get("/open?acl").await.has(404, "NoSuchBucket");
}

#[tokio::test]
async fn notifications_are_returned_as_they_were_put() {
    let api = Api::start().await;
    let notification = |rule: &str| {
        format!(
            "<NotificationConfiguration><QueueConfiguration>\
             <Queue>arn:aws:sqs:us-east-1:000000000001:q</Queue><Event>s3:ObjectCreated:*</Event>\
             <Filter><S3Key><FilterRule>{rule}</FilterRule></S3Key></Filter>\
             </QueueConfiguration></NotificationConfiguration>"
        )
    };
    let uri = "/bucket?notification";
    let put = api
        .put(
            uri,
            &[],
            &notification("<Name>prefix</Name><Value>a</Value>"),
        )
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    let answer = api.get(uri).await;
    answer.has(200, "<Queue>arn:aws:sqs:us-east-1:000000000001:q</Queue>");
    answer.has(200, "<Id>");
    for (rule, code) in [
        ("<Name>prefix</Name>", "MalformedXML"),
        ("<Name>x</Name><Value>a</Value>", "InvalidArgument"),
        (
            "<Name>prefix</Name><Value>a</Value></FilterRule><FilterRule><Name>Prefix</Name><Value>b</Value>",
            "Cannot specify more than one prefix rule in a filter.",
        ),
    ] {
        api.put(uri, &[], &notification(rule)).await.has(400, code);
    }
}

/// A target that is told of events, where keys begin and end as the filter says.
fn target(kind: &str, event: &str, rules: &[(&str, &str)]) -> String {
    let rules = rules.iter().map(|(name, value)| {
        format!("<FilterRule><Name>{name}</Name><Value>{value}</Value></FilterRule>")
    });
    let rules: String = rules.collect();
    let (arn, element) = match kind {
        "Queue" => ("sqs:us-east-1:000000000001:q", "Queue"),
        _ => ("sns:us-east-1:000000000001:t", "Topic"),
    };
    format!(
        "<{kind}Configuration><{element}>arn:aws:{arn}</{element}><Event>{event}</Event>\
         <Filter><S3Key>{rules}</S3Key></Filter></{kind}Configuration>"
    )
}

#[tokio::test]
async fn a_notification_is_of_events_that_there_are_and_of_each_key_once() {
    let api = Api::start().await;
    let (created, put) = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put");
    let (overlap, ambiguous) = (
        "Configurations overlap.",
        "Configuration is ambiguously defined.",
    );
    let of = |event, rules| target("Queue", event, rules);
    let to_topic = |event, rules| target("Topic", event, rules);
    let (a, ab, b) = (("prefix", "a"), ("prefix", "ab"), ("prefix", "b"));
    let (jpg, png) = (("suffix", ".jpg"), ("suffix", ".png"));
    for (targets, refusal) in [
        (
            of("s3:ObjectCreated", &[]),
            Some("The event is not supported for notifications"),
        ),
        (of("s3:ObjectRetention:Put", &[]), None),
        (of(created, &[]) + &of(put, &[]), Some(overlap)),
        (of(created, &[]) + &to_topic(created, &[]), Some(overlap)),
        (of(created, &[]) + &of("s3:ObjectRemoved:*", &[]), None),
        (of(created, &[a]) + &of(put, &[ab]), Some(ambiguous)),
        (of(created, &[a]) + &to_topic(put, &[]), Some(ambiguous)),
        (of(created, &[a]) + &of(created, &[b]), None),
        (of(put, &[a, jpg]) + &of(put, &[a, png]), None),
        (
            of(put, &[a, jpg]) + &of(put, &[("suffix", "g")]),
            Some(ambiguous),
        ),
        (of(put, &[a]) + &of("s3:ObjectCreated:Copy", &[a]), None),
    ] {
        let document = format!("<NotificationConfiguration>{targets}</NotificationConfiguration>");
        let answer = api.put("/bucket?notification", &[], &document).await;
        match refusal {
            None => assert_eq!(answer.status, 200, "{targets}: {}", answer.body),
            Some(text) => {
                answer.has(400, "InvalidArgument");
                answer.has(400, text);
            }
        }
    }
}

#[tokio::test]
async fn intelligent_tiering_moves_objects_after_the_days_that_its_tiers_may_have() {
    let api = Api::start().await;
    for (tier, days, refusal) in [
        ("ARCHIVE_ACCESS", 90, None),
        ("ARCHIVE_ACCESS", 730, None),
        ("DEEP_ARCHIVE_ACCESS", 180, None),
        ("ARCHIVE_ACCESS", 89, Some("InvalidArgument")),
        ("ARCHIVE_ACCESS", 731, Some("InvalidArgument")),
        ("DEEP_ARCHIVE_ACCESS", 179, Some("InvalidArgument")),
        ("COLD", 180, Some("MalformedXML")),
    ] {
        let document = format!(
            "<IntelligentTieringConfiguration><Id>i</Id><Status>Enabled</Status><Tiering>\
             <AccessTier>{tier}</AccessTier><Days>{days}</Days></Tiering></IntelligentTieringConfiguration>"
        );
        let uri = "/bucket?intelligent-tiering&id=i";
        let answer = api.put(uri, &[], &document).await;
        match refusal {
            None => assert_eq!(answer.status, 200, "{tier} {days}: {}", answer.body),
            Some(code) => answer.has(400, code),
        }
    }
}

#[tokio::test]
async fn acceleration_is_returned_as_it_was_put() {
    let api = Api::start().await;
    let configuration = |status: &str| {
        format!("<AccelerateConfiguration><Status>{status}</Status></AccelerateConfiguration>")
    };
    let uri = "/bucket?accelerate";
    for status in ["Enabled", "Suspended"] {
        assert_eq!(api.put(uri, &[], &configuration(status)).await.status, 200);
        api.get(uri)
            .await
            .has(200, &format!("<Status>{status}</Status>"));
    }
    api.put(uri, &[], &configuration("enabled"))
        .await
        .has(400, "MalformedXML");
    assert_eq!(api.put("/a.b", &[], "").await.status, 200);
    api.put("/a.b?accelerate", &[], &configuration("Enabled"))
        .await
        .has(400, "periods (.)");
}

#[tokio::test]
async fn a_bucket_made_anew_has_no_configuration_of_the_one_before() {
    let api = Api::start().await;
    let rule =
        "<Rule><Expiration><Days>1</Days></Expiration><Filter/><Status>Enabled</Status></Rule>";
    assert_eq!(
        api.put(
            "/bucket?lifecycle",
            &[],
            &format!("<LifecycleConfiguration>{rule}</LifecycleConfiguration>")
        )
        .await
        .status,
        200
    );
    assert_eq!(api.delete("/bucket?ownershipControls").await.status, 204);
    assert_eq!(api.delete("/bucket").await.status, 204);
    assert_eq!(api.put("/bucket", &[], "").await.status, 200);
    api.get("/bucket?lifecycle")
        .await
        .has(404, "NoSuchLifecycleConfiguration");
    api.get("/bucket?ownershipControls")
        .await
        .has(200, "BucketOwnerEnforced");
}
