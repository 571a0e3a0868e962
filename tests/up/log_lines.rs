//! Lines of the log, as operators search them.

use aws_sdk_s3::operation::RequestId as _;

use crate::Up;

/// The line that a refusal leaves in the log, whose request has this id, and the first line of all.
async fn refused(variables: &[(&str, &str)]) -> (String, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_with(folder.path(), &["--ephemeral"], variables);
    up.s3().create_bucket().bucket("demo").send().await.unwrap();
    let read = up.s3_as_alt().get_object().bucket("demo").key("a\"\n");
    let error = read.send().await.unwrap_err();
    let request_id = error.request_id().unwrap().to_owned();
    up.end();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let first = log.lines().next().unwrap().to_owned();
    let mut lines = log.lines();
    let line = lines.find(|line| line.contains("gateway::authorize::access"));
    (line.unwrap().to_owned(), request_id, first)
}

#[tokio::test]
async fn a_line_of_a_request_has_a_span_that_names_it_and_no_other_line_has_one() {
    let (line, request_id, first) = refused(&[("SEALGATE_LOG", "json")]).await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let expected = serde_json::json!({
        "name": "request",
        "request_id": request_id,
        "bucket": "demo",
        "key": "\"a\\\"\\n\"",
    });
    assert_eq!(line["span"], expected);
    assert_eq!(line["spans"], serde_json::json!([expected]));
    let first: serde_json::Value = serde_json::from_str(&first).unwrap();
    assert_eq!(first.get("span"), None);
}

#[tokio::test]
async fn the_span_stands_before_the_module_in_a_line_of_text() {
    let (line, request_id, first) = refused(&[]).await;
    let span = format!(
        "INFO request{{request_id=\"{request_id}\" bucket=\"demo\" key=\"a\\\"\\n\"}}: gateway::authorize::access: "
    );
    assert!(line.contains(&span), "{line}");
    assert!(!first.contains("request{"), "{first}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_sixteen_requests_at_once_name_each_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let up = Up::start_with(folder.path(), &["--ephemeral"], &[("SEALGATE_LOG", "json")]);
    up.s3().create_bucket().bucket("demo").send().await.unwrap();
    let reads = (0..160).map(|number| {
        let read = up.s3_as_alt().get_object().bucket("demo");
        let read = read.key(format!("key-{}", number % 16)).send();
        tokio::spawn(async move { read.await.unwrap_err().request_id().unwrap().to_owned() })
    });
    let mut expected = Vec::new();
    for (number, read) in reads.collect::<Vec<_>>().into_iter().enumerate() {
        expected.push((read.await.unwrap(), format!("\"key-{}\"", number % 16)));
    }
    up.end();
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let lines = log
        .lines()
        .filter(|line| line.contains("gateway::authorize::access"));
    let mut named: Vec<_> = lines
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line["span"][name].as_str().unwrap().to_owned();
            (text("request_id"), text("key"))
        })
        .collect();
    expected.sort();
    named.sort();
    assert_eq!(named, expected);
}
