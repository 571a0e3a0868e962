//! Pages of reports, whatever lies in their folder.

use std::os::unix::fs::symlink;
use std::path::Path;

use http::StatusCode;
use serde_json::Value;
use serde_json::json;

use super::Shown;
use crate::console::form;
use crate::report::folder::Folder;
use crate::report::results::Results;
use crate::report::sample;

/// A console with the reports of a data folder.
async fn shown(data: &Path) -> Shown {
    let shown = Shown::start(None, None).await;
    shown.console.show_reports(Folder::of(data));
    shown
}

/// Puts a file into the folder of reports.
fn write(data: &Path, file: &str, bytes: &[u8]) {
    let folder = data.join("reports");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(file), bytes).unwrap();
}

/// Results that parse, whose texts are all that one.
fn hostile(text: &str) -> Vec<u8> {
    fn replace(value: &mut Value, text: &str) {
        match value {
            Value::String(old) => text.clone_into(old),
            Value::Array(values) => values.iter_mut().for_each(|value| replace(value, text)),
            Value::Object(members) => members.values_mut().for_each(|value| replace(value, text)),
            _ => {}
        }
    }
    let mut results: Value = serde_json::from_str(sample::TEXT).unwrap();
    let kept = ["/schema", "/started_at", "/histogram"];
    let restored = kept.map(|pointer| (pointer, results.pointer(pointer).unwrap().clone()));
    replace(&mut results, text);
    results["errors"] = json!({ text: 5 });
    results["kms"]["by_operation"] = json!({ text: 5 });
    for place in ["", "/comparisons/0/results"] {
        for (pointer, value) in &restored {
            *results.pointer_mut(&format!("{place}{pointer}")).unwrap() = value.clone();
        }
    }
    results.to_string().into_bytes()
}

#[tokio::test]
async fn a_report_is_listed_with_its_figures_and_shown_with_its_charts_and_files() {
    let data = tempfile::tempdir().unwrap();
    let shown = shown(data.path()).await;
    let list = shown.get("/console/reports").await.text;
    assert!(list.contains("There is no report."), "{list}");
    let folder = Folder::of(data.path());
    let now = proto::time::Timestamp::from_unix_seconds(1_800_000_000);
    let name = folder.keep(&sample::of_objects(), now).unwrap();
    let list = shown.get("/console/reports").await.text;
    for text in [
        "2026-11-28 15:44:03",
        "sealgate load s3 ",
        "http://127.0.0.1:9070",
        "40 of 45",
        "25.0 %",
        "1 of 2 failed",
        "1 to 1 of 1",
    ] {
        assert!(list.contains(text), "{text}: {list}");
    }
    let link = list.split("href=\"/console/report?name=").nth(1).unwrap();
    let link = link.split('"').next().unwrap();
    let page = shown.get(&format!("/console/report?name={link}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    assert!(page.text.len() <= 30 << 10, "{} bytes", page.text.len());
    for text in [
        "The load met",
        "<svg",
        "with bucket-key",
        "L-6E3AF000",
        "aria-current=\"page\"",
    ] {
        assert!(page.text.contains(text), "{text}: {}", page.text);
    }
    // The policy blocks them.
    assert!(!page.text.contains(" style=") && !page.text.contains("<style"));
    let json = shown
        .get(&format!("/console/report.json?name={link}"))
        .await;
    let place = json.headers["content-disposition"].to_str().unwrap();
    assert_eq!(place, format!("attachment; filename=\"{name}.json\""));
    let results: Results = serde_json::from_str(&json.text).unwrap();
    assert_eq!(results.summary.served, 40);
    let html = shown
        .get(&format!("/console/report.html?name={link}"))
        .await;
    assert!(
        html.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains(".html")
    );
    assert!(html.text.contains("Every second"));
}

#[tokio::test]
async fn whatever_lies_in_the_folder_a_page_is_answered_and_has_no_markup_of_it() {
    let data = tempfile::tempdir().unwrap();
    let shown = shown(data.path()).await;
    let markup = "</pre></td><script>alert(1)</script><img src=x onerror=alert(2)>\"'";
    write(data.path(), "markup.json", &hostile(markup));
    write(data.path(), "shell.json", &hostile("x; rm -r ~ `id` $(id)"));
    write(
        data.path(),
        "broken.json",
        format!("{{\"{markup}\": 1}}").as_bytes(),
    );
    write(data.path(), "type.json", format!("\"{markup}\"").as_bytes());
    let huge = sample::TEXT.replace("\"served\": 40", "\"served\": 18446744073709551615");
    write(data.path(), "huge.json", huge.as_bytes());
    let folder = data.path().join("reports");
    let large = std::fs::File::create(folder.join("large.json")).unwrap();
    large.set_len(100 << 20).unwrap();
    symlink("/etc/passwd", folder.join("link.json")).unwrap();
    let list = shown.get("/console/reports").await;
    assert_eq!(list.status, StatusCode::OK);
    assert!(list.text.contains("1 to 7 of 7"), "{}", list.text);
    let mut pages = vec![list.text];
    for (name, expected) in [
        ("markup", StatusCode::OK),
        ("shell", StatusCode::OK),
        ("broken", StatusCode::UNPROCESSABLE_ENTITY),
        ("type", StatusCode::UNPROCESSABLE_ENTITY),
        ("huge", StatusCode::UNPROCESSABLE_ENTITY),
        ("large", StatusCode::UNPROCESSABLE_ENTITY),
        ("link", StatusCode::UNPROCESSABLE_ENTITY),
        ("none", StatusCode::NOT_FOUND),
        ("../run", StatusCode::NOT_FOUND),
        (markup, StatusCode::NOT_FOUND),
    ] {
        for kind in ["", ".html", ".json"] {
            let path = format!("/console/report{kind}?name={}", form::encoded(name));
            let page = shown.get(&path).await;
            assert_eq!(page.status, expected, "{path}: {}", page.text);
            assert!(!page.text.contains("root:"), "{path}: {}", page.text);
            // JSON is stored, and no page.
            if kind != ".json" || expected != StatusCode::OK {
                pages.push(page.text);
            }
        }
    }
    for page in pages {
        for forbidden in ["<script>", "<img", "</pre></td>"] {
            assert!(!page.contains(forbidden), "{forbidden}: {page}");
        }
    }
    let shell = shown.get("/console/report?name=shell").await.text;
    assert!(
        shell.contains("sealgate load &#39;x; rm -r ~")
            || shell.contains("sealgate load 'x; rm -r ~"),
        "{shell}"
    );
}

#[tokio::test]
async fn a_folder_that_is_a_link_is_not_followed() {
    let (data, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(other.path().join("a.json"), sample::TEXT).unwrap();
    symlink(other.path(), data.path().join("reports")).unwrap();
    let page = shown(data.path()).await.get("/console/reports").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("symbolic link"), "{}", page.text);
}

#[tokio::test]
async fn a_service_alone_names_why_it_has_no_reports() {
    let shown = Shown::start(None, None).await;
    let page = shown.get("/console/reports").await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.text.contains("this service runs alone"),
        "{}",
        page.text
    );
    assert!(
        page.text.contains("href=\"/console/reports\""),
        "it is in the navigation"
    );
    let report = shown.get("/console/report?name=a").await;
    assert_eq!(report.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn with_a_token_no_report_is_shown_before_the_login() {
    let data = tempfile::tempdir().unwrap();
    write(data.path(), "a.json", sample::TEXT.as_bytes());
    let shown = Shown::start(Some("the-whole-token!"), None).await;
    shown.console.show_reports(Folder::of(data.path()));
    for path in [
        "/console/reports",
        "/console/report?name=a",
        "/console/report.json?name=a",
    ] {
        let page = shown.get(path).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{path}");
        assert!(!page.text.contains("sealgate.load"), "{path}");
    }
    let cookie = shown.log_in("the-whole-token!").await;
    let request = http::Request::get("/console/report?name=a").header("cookie", cookie);
    assert_eq!(shown.send(request, "").await.status, StatusCode::OK);
}
