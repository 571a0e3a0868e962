//! Answers of a backend that lies, and answers of the gateway that a client tries to write itself.

use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::form::Form;
use tests::signed::Draft;

use crate::framing::talk_to;
use crate::gate::BUCKET;
use crate::gate::Gate;
use crate::gate::put;
use crate::gate::put_as;

#[tokio::test]
async fn an_answer_of_the_backend_that_cannot_be_is_not_passed_on() {
    let gate = Gate::open().await;
    let body = "hello".repeat(10_000);
    gate.accepts(&gate.sign(put("key", body.clone()))).await;
    let elsewhere = "http://127.0.0.1:9/stolen".to_owned();
    for action in [
        Action::SetStatus(301),
        Action::SetStatus(302),
        Action::SetStatus(307),
        Action::SetStatus(308),
        Action::SetStatus(204),
        Action::SetStatus(304),
        Action::SetStatus(203),
        Action::CutTo(10),
        Action::LieAboutLength(10),
        Action::LieAboutLength(10_000_000),
        Action::Append(vec![b'x'; 40_000]),
        Action::Replace(b"<html>not an object</html>".to_vec()),
    ] {
        let what = format!("{action:?}");
        gate.backend
            .inject(Fault::on_path(Method::GET, "/key", action));
        let location = Action::SetHeader("location", elsewhere.clone());
        gate.backend
            .inject(Fault::on_path(Method::HEAD, "/key", location));
        let get = gate.sign(put_as(Method::GET, "key", ""));
        if let Ok(answer) = get.send(&gate.target).await {
            let status = answer.status().as_u16();
            assert!(status >= 500 || status == 304, "{what}: {status}");
            assert!(answer.headers().get("location").is_none(), "{what}");
            assert!(!answer.body().starts_with(b"<html>"), "{what}");
        }
        gate.backend.heal();
    }
    let get = gate.sign(put_as(Method::GET, "key", ""));
    assert_eq!(*gate.accepts(&get).await.body(), body);
}

#[tokio::test]
async fn cookies_and_redirects_of_the_backend_stay_behind() {
    let gate = Gate::open().await;
    gate.accepts(&gate.sign(put("key", "hello"))).await;
    for (name, value) in [
        ("set-cookie", "session=stolen"),
        ("location", "http://127.0.0.1:9/elsewhere"),
        ("strict-transport-security", "max-age=1"),
        ("access-control-allow-origin", "*"),
        ("x-amz-meta-sealgate-more", "leaked"),
        ("x-backend-secret", "leaked"),
    ] {
        gate.backend
            .inject(Fault::always(Action::SetHeader(name, value.to_owned())));
        for draft in [
            put_as(Method::GET, "key", ""),
            put_as(Method::HEAD, "key", ""),
            put("other", "hello"),
            Draft::new(Method::GET, BUCKET, ""),
            Draft::new(Method::GET, BUCKET, "key").query("tagging", ""),
        ] {
            let answer = gate.accepts(&gate.sign(draft)).await;
            let shown = answer.headers().get(name);
            let hidden = shown.is_none_or(|shown| shown != value);
            assert!(hidden || name.starts_with("x-amz-meta-"), "{name}");
        }
        gate.backend.heal();
    }
}

#[tokio::test]
async fn no_client_writes_lines_of_its_own_into_an_answer() {
    let gate = Gate::open().await;
    gate.accepts(&gate.sign(put("key", "hello"))).await;
    gate.backend.forget();
    let injected = "a\r\nset-cookie: stolen";
    for name in [
        "response-content-type",
        "response-content-disposition",
        "response-cache-control",
        "response-expires",
    ] {
        for value in [injected, "a\nb: c", "a\0b"] {
            let get = put_as(Method::GET, "key", "").query(name, value);
            let answer = gate.send(&gate.presign(get)).await;
            assert_eq!(answer.status(), 400, "{name}: {value:?}");
            assert!(answer.headers().get("set-cookie").is_none());
        }
    }
    let in_query = Draft::new(Method::PUT, BUCKET, "k").query("x-amz-meta-a", injected);
    gate.refuses(&gate.presign(in_query), "InvalidArgument", 400)
        .await;
    for field in ["x-amz-meta-a", "Content-Type", "Cache-Control", "acl"] {
        let form = Form::new(BUCKET, "k", "hello").field(field, injected);
        let request = form.sign(&gate.access, gate.now(), &gate.host);
        gate.refuses(&request, "InvalidArgument", 400).await;
    }
}

#[tokio::test]
async fn names_with_line_breaks_are_escaped_wherever_they_are_shown() {
    let gate = Gate::open().await;
    let key = "a\r\nset-cookie: stolen";
    let fields = put("unused", "").anonymous("host").headers;
    let mut form = Form::new(BUCKET, key, "hello").field(
        "success_action_redirect",
        "http://other.example/\r\nset-cookie: stolen",
    );
    for (name, value) in fields
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("x-amz-"))
    {
        form = form.field(name.as_str(), value.to_str().unwrap());
    }
    let answer = gate
        .accepts(&form.sign(&gate.access, gate.now(), &gate.host))
        .await;
    assert_eq!(
        answer.status(),
        204,
        "no redirect to an address that is none"
    );
    assert!(answer.headers().get("set-cookie").is_none());
    let location = answer.headers()["location"].to_str().unwrap();
    assert!(
        location.ends_with("/a%0D%0Aset-cookie%3A%20stolen"),
        "{location}"
    );
    assert_eq!(gate.backend.keys(BUCKET), [key]);
    let missing = Draft::new(Method::GET, BUCKET, "none\r\n<Code>Fake</Code>");
    let answer = gate.send(&gate.sign(missing)).await;
    assert_eq!(answer.status(), 404);
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    assert!(!text.contains("<Code>Fake"), "{text}");
}

#[tokio::test]
async fn http_2_is_not_spoken_so_nothing_of_it_can_be_abused() {
    let gate = Gate::open().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    let mut bytes = [&preface[..], &settings].concat();
    for _ in 0..1_000 {
        bytes.extend(reset);
    }
    let answer = talk_to(gate.target.address, &bytes).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
        "{answer}"
    );
    assert!(gate.backend_requests().is_empty());
    gate.accepts(&gate.sign(put("key", "hello"))).await;
}

#[tokio::test]
async fn metadata_that_the_backend_has_no_room_for_is_refused_and_no_envelope_is_lost() {
    let gate = Gate::open().await;
    let fits = put("key", "hello").header("x-amz-meta-a", &"v".repeat(2_047));
    gate.accepts(&gate.sign(fits)).await;
    let get = gate.sign(put_as(Method::GET, "key", ""));
    assert_eq!(gate.accepts(&get).await.body(), "hello");
    let more = put("other", "hello").header("x-amz-meta-ab", &"v".repeat(2_047));
    let refused = gate.send(&gate.sign(more)).await;
    assert_eq!(refused.status(), 400);
    // A backend with a smaller limit than S3 has.
    let full = Action::Refuse(400, "MetadataTooLarge");
    gate.backend
        .inject(Fault::on_path(Method::PUT, "/other", full));
    let draft = put("other", "hello").header("x-amz-meta-a", "1");
    let refused = gate.send(&gate.sign(draft)).await;
    let text = String::from_utf8(refused.body().to_vec()).unwrap();
    assert!(text.contains("<Code>MetadataTooLarge</Code>"), "{text}");
    assert_eq!(gate.backend.keys(BUCKET), ["key"]);
}

#[tokio::test]
async fn how_a_body_travelled_is_not_what_it_is() {
    let gate = Gate::open().await;
    for (sent, kept) in [
        ("aws-chunked", ""),
        ("aws-chunked,gzip", "gzip"),
        ("gzip", "gzip"),
        ("br, gzip", "br, gzip"),
    ] {
        let draft = put("key", "\u{1f}\u{8b}not really gzip").header("content-encoding", sent);
        gate.accepts(&gate.sign(draft)).await;
        let got = gate
            .accepts(&gate.sign(put_as(Method::GET, "key", "")))
            .await;
        let shown = got.headers().get("content-encoding");
        let shown = shown.map_or("", |value| value.to_str().unwrap());
        assert_eq!(shown.replace(' ', ""), kept.replace(' ', ""), "{sent}");
        // Nothing is ever unpacked.
        assert_eq!(got.body(), "\u{1f}\u{8b}not really gzip");
    }
}
