//! A function that is an HTTP server, and what it can do with the gateway.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Method;
use http::Request;
use http::Response;
use http_body_util::BodyExt as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use proto::time::Timestamp;
use serde_json::Value;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::signed::Target;
use tests::world::World;

use crate::access_points::Answer;

type Program = dyn Fn(Value, Gateway) -> BoxFuture<'static, Response<Full<Bytes>>> + Send + Sync;

/// A function.
pub struct FunctionServer {
    url: String,
    gateway: Arc<OnceLock<Gateway>>,
    events: Arc<Mutex<Vec<Value>>>,
}

/// The gateway, as a function reaches it.
#[derive(Clone)]
pub struct Gateway {
    target: Target,
    access: Access,
    now: Timestamp,
}

impl FunctionServer {
    /// Starts one that answers an event so.
    pub async fn start(
        program: impl Fn(Value, Gateway) -> BoxFuture<'static, Response<Full<Bytes>>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("http://{}/function", listener.local_addr().unwrap()),
            gateway: Arc::default(),
            events: Arc::default(),
        };
        let program: Arc<Program> = Arc::new(program);
        let (gateway, events) = (Arc::clone(&server.gateway), Arc::clone(&server.events));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (program, gateway, events) = (
                    Arc::clone(&program),
                    Arc::clone(&gateway),
                    Arc::clone(&events),
                );
                let service = service_fn(move |request: Request<Incoming>| {
                    let (program, gateway, events) = (
                        Arc::clone(&program),
                        Arc::clone(&gateway),
                        Arc::clone(&events),
                    );
                    async move {
                        let body = request.into_body().collect().await?.to_bytes();
                        let event: Value = serde_json::from_slice(&body).unwrap();
                        events.lock().unwrap().push(event.clone());
                        let gateway = gateway.get().unwrap().clone();
                        Ok::<_, hyper::Error>(program(event, gateway).await)
                    }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Lets it reach the gateway, with the rights of the main account.
    pub fn reaches(&self, world: &World) {
        let gateway = Gateway {
            target: world.target(),
            access: world.main.clone(),
            now: world.now(),
        };
        assert!(self.gateway.set(gateway).is_ok(), "it reaches one gateway");
    }

    /// The events that it received.
    pub fn events(&self) -> Vec<Value> {
        self.events.lock().unwrap().clone()
    }
}

impl Gateway {
    /// Reads by the presigned URL of an event.
    pub async fn read(&self, input: &str) -> Answer {
        Answer::new(reading(input).send(&self.target).await.unwrap())
    }

    /// WriteGetObjectResponse for an event.
    pub async fn write(&self, event: &Value, headers: &[(&str, &str)], body: String) -> Answer {
        self.write_as(&self.access, event, headers, body).await
    }

    /// The same, with a body that is not what was signed.
    pub async fn write_torn(&self, event: &Value) {
        let draft = answering(event, &[], "text".to_owned());
        let mut signed = draft.sign_for(
            &self.access,
            self.now,
            super::PUBLIC_HOST,
            "s3-object-lambda",
        );
        signed.body = "TEXT".into();
        let refused = Answer::new(signed.send(&self.target).await.unwrap());
        assert_eq!(refused.outcome(), (400, "XAmzContentSHA256Mismatch"));
    }

    pub async fn write_as(
        &self,
        access: &Access,
        event: &Value,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let draft = answering(event, headers, body);
        let signed = draft.sign_for(access, self.now, super::PUBLIC_HOST, "s3-object-lambda");
        Answer::new(signed.send(&self.target).await.unwrap())
    }
}

/// The request by a presigned URL.
pub fn reading(input: &str) -> Signed {
    let rest = input.strip_prefix("http://").unwrap();
    let (host, rest) = rest.split_once('/').unwrap();
    let (path, query) = rest.split_once('?').unwrap();
    let mut signed = Draft::raw(Method::GET, &format!("/{path}")).anonymous(host);
    signed.query = query.to_owned();
    signed
}

/// WriteGetObjectResponse for an event.
pub fn answering(event: &Value, headers: &[(&str, &str)], body: String) -> Draft {
    let context = &event["getObjectContext"];
    let mut draft = Draft::raw(Method::POST, "/WriteGetObjectResponse")
        .header(
            "x-amz-request-route",
            context["outputRoute"].as_str().unwrap(),
        )
        .header(
            "x-amz-request-token",
            context["outputToken"].as_str().unwrap(),
        )
        .body(body);
    for (name, value) in headers {
        draft = draft.header(name, value);
    }
    draft
}

/// The presigned URL of an event.
pub fn input_of(event: &Value) -> String {
    let contexts = [
        "getObjectContext",
        "headObjectContext",
        "listObjectsContext",
        "listObjectsV2Context",
    ];
    let context = contexts.iter().find_map(|name| event.get(*name)).unwrap();
    context["inputS3Url"].as_str().unwrap().to_owned()
}

/// What a function returns that has nothing to say.
pub fn nothing() -> Response<Full<Bytes>> {
    returning("null")
}

pub fn returning(result: &str) -> Response<Full<Bytes>> {
    Response::new(Full::new(Bytes::from(result.to_owned())))
}
