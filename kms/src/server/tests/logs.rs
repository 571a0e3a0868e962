//! What the log shows of credentials, at its most talkative.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tracing::Dispatch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::JSON;
use super::SECRET;
use super::grpc;
use super::random;
use super::send;
use super::serve;
use super::signed_request;
use super::token;
use crate::config::Signatures;

/// A log that can be read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_credential_of_either_protocol_is_logged_at_any_level() {
    let subscriber = || tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE);
    // Beside a single subscriber, tracing takes the word of the thread that comes to a line first, for good; a
    // thread of another test has no subscriber.
    let _another = Dispatch::new(subscriber().with_writer(io::sink).finish());
    let log = Log::default();
    let subscriber = subscriber().with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let running = serve(Signatures::Checked).await;
    let target = [("x-amz-target", &b"TrentService.GenerateRandom"[..])];
    let body = r#"{"NumberOfBytes":16}"#;
    let request = signed_request(running.address, "kms", JSON, &target, body);
    let authorization = request.headers()["authorization"].to_str().unwrap();
    let (_, signature) = authorization.split_once("Signature=").unwrap();
    let signature = signature.to_owned();
    assert_eq!(send(request).await.status(), 200);
    let mut wrong = signed_request(running.address, "kms", JSON, &target, body);
    let guess = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE, Signature=canary-signature";
    wrong
        .headers_mut()
        .insert("authorization", guess.parse().unwrap());
    assert_eq!(send(wrong).await.status(), 400);

    let mut client = grpc(running.address).await;
    let mut request = random(Some(SECRET));
    let via = "s3.us-east-1.amazonaws.com".parse().unwrap();
    request.metadata_mut().insert("sealgate-via-service", via);
    client.generate_random(request).await.unwrap();
    client
        .generate_random(random(Some(&token())))
        .await
        .unwrap();
    let forged = token().replace("sealgate1.", "sealgate1.canary.");
    let refused = client.generate_random(random(Some(&forged))).await;
    refused.unwrap_err();
    let refused = client.generate_random(random(Some("canary-token"))).await;
    refused.unwrap_err();

    let text = log.text();
    assert!(
        text.contains("h2::"),
        "the log has HTTP/2's lines: {text:.500}"
    );
    assert!(text.contains("hyper"), "the log has HTTP/1's lines");
    for credential in [
        SECRET,
        &token(),
        &signature,
        "canary",
        "AWS4-HMAC-SHA256",
        "Bearer",
    ] {
        let line = text.lines().find(|line| line.contains(credential));
        assert_eq!(line, None, "{credential}");
    }
}
