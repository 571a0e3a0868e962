//! The API of a store in memory, called as the gateway of the same process calls it.

use std::sync::Arc;

use gateway::backend::ListedEntries;
use gateway::backend::TakesEntries;
use gateway::protocol::xml::Element;
use http::Extensions;
use http::HeaderMap;
use http::Method;
use http::Request;
use http::StatusCode;
use http_body_util::BodyExt as _;
use proto::time::ManualClock;
use proto::time::Timestamp;
use s3s::Body;
use s3s::service::S3Service;

use crate::embedded::disk::Disk;
use crate::embedded::literal;
use crate::embedded::service::InProcess;
use crate::embedded::service::Service;
use crate::embedded::store::Store;
use crate::embedded::tests::disk::Image;
use crate::embedded::tests::disk::TestDisk;

/// The API of a store.
pub(super) struct Api(S3Service);

/// What it answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    pub(super) body: String,
}

impl Api {
    /// The API of a store on 1970-01-11, with a bucket named `bucket`.
    pub(super) async fn start() -> Self {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(10 * 86_400));
        let disk: Arc<dyn Disk> = TestDisk::with(Image::default());
        let api = Self::of(Store::open(disk, Arc::new(clock)).unwrap());
        assert_eq!(api.put("/bucket", &[], "").await.status, 200);
        api
    }

    /// The API of a store.
    pub(super) fn of(store: Store) -> Self {
        let service = Service::new(store, "us-east-1".to_owned());
        Self(service.into_protocol().build())
    }

    pub(super) async fn send(
        &self,
        method: Method,
        uri: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        self.call(Self::request(method, uri, headers, body)).await.0
    }

    fn request(method: Method, uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "localhost")
            .header("content-length", body.len());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.to_owned())).unwrap();
        request.extensions_mut().insert(InProcess);
        literal::take_out(&mut request);
        request
    }

    async fn call(&self, request: Request<Body>) -> (Answer, Extensions) {
        let answer = self.0.call(request).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        };
        (answer, head.extensions)
    }

    /// A listing whose entries may come beside its document, and those that did.
    pub(super) async fn list(&self, uri: &str) -> (Answer, Vec<Element>) {
        let mut request = Self::request(Method::GET, uri, &[], "");
        request.extensions_mut().insert(TakesEntries);
        let (answer, mut extensions) = self.call(request).await;
        let entries = extensions.remove::<ListedEntries>();
        (answer, entries.map(|it| it.0).unwrap_or_default())
    }

    pub(super) async fn get(&self, uri: &str) -> Answer {
        self.send(Method::GET, uri, &[], "").await
    }

    pub(super) async fn put(&self, uri: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.send(Method::PUT, uri, headers, body).await
    }

    pub(super) async fn delete(&self, uri: &str) -> Answer {
        self.send(Method::DELETE, uri, &[], "").await
    }
}

impl Answer {
    #[track_caller]
    pub(super) fn has(&self, status: u16, part: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert!(self.body.contains(part), "{part} is not in {}", self.body);
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}
