//! What S3 takes as text is stored as it came.

use crate::embedded::tests::api::Api;

#[tokio::test]
async fn an_expires_header_is_returned_as_it_came_date_or_not() {
    let api = Api::start().await;
    for expires in ["0", "-1", "never", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        let headers = [("expires", expires)];
        assert_eq!(api.put("/bucket/k", &headers, "x").await.status, 200);
        assert_eq!(api.get("/bucket/k").await.header("expires"), Some(expires));
        let copy = [
            ("expires", expires),
            ("x-amz-copy-source", "/bucket/k"),
            ("x-amz-metadata-directive", "REPLACE"),
        ];
        let copied = api.put("/bucket/copy", &copy, "").await;
        assert_eq!(copied.status, 200, "{}", copied.body);
        let answer = api.get("/bucket/copy").await;
        assert_eq!(answer.header("expires"), Some(expires));
    }
}

#[tokio::test]
async fn a_header_that_is_no_date_or_no_truth_value_is_refused_in_the_words_of_s3() {
    let api = Api::start().await;
    let date = "x-amz-object-lock-retain-until-date";
    let not_iso = "The retain until date must be provided in ISO 8601 format";
    for (uri, name, text) in [
        ("/bucket/k", date, not_iso),
        (
            "/bucket/k",
            "x-amz-bypass-governance-retention",
            "Invalid value for x-amz-bypass",
        ),
        (
            "/other",
            "x-amz-bucket-object-lock-enabled",
            "Invalid value for x-amz-bucket",
        ),
    ] {
        let answer = api.put(uri, &[(name, "soon")], "").await;
        answer.has(400, "<Code>InvalidArgument</Code>");
        answer.has(400, text);
    }
    let headers = [("x-amz-bypass-governance-retention", "True")];
    assert_eq!(api.put("/bucket/k", &headers, "").await.status, 200);
}
