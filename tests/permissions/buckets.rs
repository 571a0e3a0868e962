//! The buckets of one request, and the request.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Digest as _;
use md5::Md5;
use tests::signed::Draft;

use crate::reference::Needs;
use crate::reference::Operation;
use crate::reference::Variation;

/// The buckets of one request, and the values that its parts may name.
pub struct Buckets {
    pub bucket: String,
    pub source: String,
    pub values: BTreeMap<&'static str, String>,
}

/// A request for an operation.
pub struct Request<'a> {
    pub operation: &'a Operation,
    pub draft: Draft,
    pub tls: bool,
}

impl Buckets {
    /// A request for an operation: its least, and what the variations add.
    pub fn request<'a>(
        &self,
        operation: &'a Operation,
        needs: &Needs,
        with: &[&Variation],
    ) -> Request<'a> {
        Request {
            operation,
            draft: self.draft(operation, needs, with),
            tls: needs.tls,
        }
    }

    fn draft(&self, operation: &Operation, needs: &Needs, with: &[&Variation]) -> Draft {
        let method = operation.method.parse().unwrap();
        let (path, query) = operation
            .uri
            .split_once('?')
            .unwrap_or((&operation.uri, ""));
        let mut draft = match path {
            "/{Bucket}" => Draft::new(method, &self.bucket, ""),
            "/{Bucket}/{Key+}" => Draft::new(method, &self.bucket, KEY),
            path => Draft::raw(method, path),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            draft = draft.query(name, value);
        }
        for name in &operation.required_query {
            draft = draft.query(name, &self.fill(query_value(name)));
        }
        for (name, value) in with.iter().flat_map(|with| &with.query) {
            draft = draft.query(name, &self.fill(value));
        }

        let mut headers = BTreeMap::new();
        for name in &operation.required_headers {
            headers.insert(name, String::new());
        }
        let added = with.iter().flat_map(|with| &with.headers);
        for (name, value) in needs.headers.iter().chain(added) {
            headers.insert(name, self.fill(value));
        }
        for (name, value) in headers {
            draft = draft.header(name, &value);
        }
        let body = with.iter().find_map(|with| with.body.as_ref());
        let body = self.fill(body.unwrap_or(&needs.body));
        // S3 stores nothing under a lock without a digest.
        let is_lock = |name: &String| name.starts_with("x-amz-object-lock-");
        let locks = with.iter().any(|with| with.headers.keys().any(is_lock));
        if operation.checksum || locks {
            draft = draft.header("content-md5", &digest(&body));
        }
        draft.body(body)
    }

    /// A text with the values of its names.
    pub fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }
}

/// The value of `Content-MD5` for a body.
pub fn digest(body: &str) -> String {
    STANDARD.encode(Md5::digest(body))
}

/// The value of a query parameter that every request of an operation has.
fn query_value(name: &str) -> &'static str {
    match name {
        "uploadId" => "{upload}",
        "partNumber" => "1",
        "id" => "an-id",
        "annotationName" => "a-note",
        _ => panic!("no value for the query parameter {name}"),
    }
}

/// The key that every bucket has.
pub const KEY: &str = "key";
