//! A gateway of two accounts before a backend that records, and buckets for one request each.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use gateway::authenticate::User;
use http::Method;
use http::Response;
use md5::Digest as _;
use md5::Md5;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Recorded;
use tests::backend::Versioning;
use tests::clients;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::signed::Target;
use tests::world::World;

use crate::reference::Needs;
use crate::reference::On;
use crate::reference::Operation;
use crate::reference::Variation;

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// A user of the account that owns the bucket, not its root user: that one no policy can keep from
    /// mending a policy.
    Owner,
    /// A user of another account.
    Other,
}

/// KMS, gateway and backend.
pub struct Fixture {
    pub world: World,
    owner: Access,
    /// A key of the owner's account, and one of the other's.
    kms_keys: [String; 2],
    buckets: AtomicU32,
}

/// The buckets of one request, and the values that its parts may name.
pub struct Buckets {
    pub bucket: String,
    pub source: String,
    values: BTreeMap<&'static str, String>,
}

/// A request for an operation.
pub struct Request<'a> {
    operation: &'a Operation,
    pub draft: Draft,
    tls: bool,
}

/// An answer, and what the backend received for it.
pub struct Outcome {
    pub response: Response<Bytes>,
    /// All but what the gateway looks up to decide.
    pub received: Vec<String>,
}

impl Fixture {
    pub async fn start() -> Self {
        let owner = Access::new("OWNEREXAMPLEACCESSKE", "owner-secret-canary-6f11c0de");
        let user = User {
            access_key_id: owner.access_key_id.clone(),
            secret_access_key: owner.secret_access_key.clone().into(),
            account: MAIN_ACCOUNT.to_owned(),
            principal_arn: Some(format!("arn:aws:iam::{MAIN_ACCOUNT}:user/owner")),
        };
        let setup = World::setup().gateway(|config| config.users.push(user));
        let world = setup.start().await;
        let mut kms_keys = [String::new(), String::new()];
        for (key, access) in kms_keys.iter_mut().zip([&world.main, &world.alt]) {
            let kms = clients::kms(&world.kms.endpoint, access);
            let metadata = kms.create_key().send().await.unwrap().key_metadata;
            *key = metadata.unwrap().arn.unwrap();
        }
        let fixture = Self {
            world,
            owner,
            kms_keys,
            buckets: AtomicU32::new(0),
        };
        for (access, bucket) in [(&fixture.world.main, OWNERS), (&fixture.world.alt, OTHERS)] {
            let create = Draft::new(Method::PUT, bucket, "");
            fixture.prepare(access, create).await;
        }
        fixture
    }

    /// The buckets that a request of an operation needs: one with versions, for an operation on an object
    /// an object of two versions in it and, if it names one, an upload with a part; for a copy another with
    /// its source.
    pub async fn buckets(&self, operation: &Operation, caller: Caller) -> Buckets {
        let number = self.buckets.fetch_add(1, Ordering::Relaxed);
        let (own, account, kms_key) = match caller {
            Caller::Owner => (OWNERS, MAIN_ACCOUNT, &self.kms_keys[0]),
            Caller::Other => (OTHERS, ALT_ACCOUNT, &self.kms_keys[1]),
        };
        let mut buckets = Buckets {
            bucket: format!("bucket-{number}"),
            source: format!("source-{number}"),
            values: BTreeMap::from([
                ("own", own.to_owned()),
                ("account", account.to_owned()),
                ("kms_key", kms_key.clone()),
            ]),
        };
        let (bucket, source) = (buckets.bucket.clone(), buckets.source.clone());
        buckets.values.insert("bucket", bucket.clone());
        buckets.values.insert("source", source.clone());
        let backend = &self.world.backend;
        for name in [&bucket, &source] {
            backend.create_bucket(name);
            backend.set_versioning(name, Versioning::Enabled);
        }
        if operation.uri.contains("{Key+}") {
            let version = self.put_object(&bucket).await;
            buckets.values.insert("version", version);
        }
        if operation.has_header("x-amz-copy-source") {
            let version = self.put_object(&source).await;
            buckets.values.insert("source_version", version);
        }
        if operation
            .required_query
            .iter()
            .any(|name| name == "uploadId")
        {
            self.add_upload(&mut buckets).await;
        }
        buckets
    }

    /// Puts an object twice; returns the id of its current version.
    async fn put_object(&self, bucket: &str) -> String {
        let put = || Draft::new(Method::PUT, bucket, KEY).header("x-amz-tagging", "class=open");
        self.prepare(&self.world.main, put().body("old")).await;
        let put = self.prepare(&self.world.main, put().body("new")).await;
        put.headers()["x-amz-version-id"]
            .to_str()
            .unwrap()
            .to_owned()
    }

    /// Starts an upload and sends its first part.
    async fn add_upload(&self, buckets: &mut Buckets) {
        let main = &self.world.main;
        let create = Draft::new(Method::POST, &buckets.bucket, KEY).query("uploads", "");
        let created = self.prepare(main, create).await;
        let created = String::from_utf8(created.into_body().into()).unwrap();
        let upload = created.split("<UploadId>").nth(1).unwrap();
        let upload = upload.split('<').next().unwrap().to_owned();
        let part = Draft::new(Method::PUT, &buckets.bucket, KEY)
            .query("partNumber", "1")
            .query("uploadId", &upload)
            .body("a part");
        let part = self.prepare(main, part).await;
        let etag = part.headers()["etag"].to_str().unwrap().to_owned();
        buckets.values.insert("upload", upload);
        buckets.values.insert("etag", etag);
    }

    /// Puts policies on both buckets: everything is allowed to the other account, and `denied` to nobody
    /// on one of them.
    pub async fn put_policies(&self, buckets: &Buckets, denied: Option<(&str, On)>) {
        for (bucket, on) in [(&buckets.bucket, On::Bucket), (&buckets.source, On::Source)] {
            if on == On::Source && !buckets.values.contains_key("source_version") {
                continue;
            }
            let action = denied.filter(|(_, at)| *at == on).map(|(action, _)| action);
            let deny = action.map(|action| statement("Deny", "\"*\"", action, bucket, ""));
            self.put_policy(bucket, deny).await;
        }
    }

    /// Puts a policy on a bucket: everything is allowed to the other account, and what `more` says.
    pub async fn put_policy(&self, bucket: &str, more: Option<String>) {
        let principal = format!(r#"{{"AWS": "{ALT_ACCOUNT}"}}"#);
        let mut statements = vec![statement("Allow", &principal, "*", bucket, "")];
        statements.extend(more);
        let put = Draft::new(Method::PUT, bucket, "").query("policy", "");
        let put = put.body(document(&statements));
        self.prepare(&self.world.main, put).await;
    }

    /// Sends a request for an operation as `caller`.
    pub async fn send(&self, caller: Caller, request: Request<'_>) -> Outcome {
        let target = self.target(request.tls);
        let signed = self.sign(caller, request.draft, &target);
        self.send_signed(&signed, &target, request.operation.subresource())
            .await
    }

    /// Sends any request over plain HTTP.
    pub async fn send_draft(&self, caller: Caller, draft: Draft) -> Outcome {
        let target = self.target(false);
        let signed = self.sign(caller, draft, &target);
        self.send_signed(&signed, &target, "").await
    }

    /// Sends a signed request; `subresource` is what it asks the backend for, if it may.
    pub async fn send_signed(
        &self,
        signed: &Signed,
        target: &Target,
        subresource: &str,
    ) -> Outcome {
        self.world.backend.forget();
        let response = signed.send(target).await.unwrap();
        let requests = self.world.backend.requests();
        let received = requests.iter().filter(|it| !is_lookup(it, subresource));
        let line = |it: &Recorded| format!("{} {}?{}", it.method, it.path, it.query);
        Outcome {
            response,
            received: received.map(line).collect(),
        }
    }

    /// Signs in the header.
    pub fn sign(&self, caller: Caller, draft: Draft, target: &Target) -> Signed {
        let host = target.address.to_string();
        draft.sign(self.access(caller), self.world.now(), &host)
    }

    /// Signs in the query.
    pub fn presign(&self, caller: Caller, draft: Draft, target: &Target) -> Signed {
        let host = target.address.to_string();
        let five_minutes = Duration::from_secs(300);
        draft.presign(self.access(caller), self.world.now(), &host, five_minutes)
    }

    /// One of the gateway's listeners.
    pub fn target(&self, tls: bool) -> Target {
        if tls {
            self.world.tls_target()
        } else {
            self.world.target()
        }
    }

    /// A caller's credentials.
    pub fn access(&self, caller: Caller) -> &Access {
        match caller {
            Caller::Owner => &self.owner,
            Caller::Other => &self.world.alt,
        }
    }

    /// Sends what must succeed.
    pub async fn prepare(&self, access: &Access, draft: Draft) -> Response<Bytes> {
        let what = format!("{draft:?}");
        let world = &self.world;
        let signed = draft.sign(access, world.now(), &world.host());
        let response = signed.send(&world.target()).await.unwrap();
        let status = response.status();
        assert!(
            status.is_success(),
            "{status} {:?} of {what}",
            response.body()
        );
        response
    }
}

impl Outcome {
    /// The body of the answer.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.response.body()).into_owned()
    }

    /// Status, S3's code, and what the backend received.
    pub fn describe(&self) -> String {
        let text = self.text();
        let code = text.split("<Code>").nth(1);
        let code = code.and_then(|rest| rest.split('<').next());
        let (status, code) = (self.status(), code.unwrap_or("no code"));
        format!("{status} {code}, the backend received {:?}", self.received)
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Whether the request was refused so, and the backend received nothing of it.
    pub fn is_refused(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status()) && self.received.is_empty()
    }
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
        if operation.checksum {
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

/// A statement about a bucket and everything in it; `condition` is its operators.
pub fn statement(
    effect: &str,
    principal: &str,
    action: &str,
    bucket: &str,
    condition: &str,
) -> String {
    let condition = match condition {
        "" => String::new(),
        operators => format!(r#", "Condition": {operators}"#),
    };
    format!(
        r#"{{"Effect": "{effect}", "Principal": {principal}, "Action": "s3:{action}",
        "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]{condition}}}"#
    )
}

/// A policy of these statements.
pub fn document(statements: &[String]) -> String {
    let statements = statements.join(", ");
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}

/// Whether the gateway sends a request to decide about an operation, not to do it.
///
/// It reads its own state (owners, policies, uploads). It looks whether a bucket exists before it denies
/// another account's caller: `NoSuchBucket` is no secret. It reads a public access block that the backend
/// has. It looks which tags the object has that a policy names, or that a copy takes along, and whether a
/// bucket has versions where a request names one.
fn is_lookup(request: &Recorded, subresource: &str) -> bool {
    let parts = request.path.trim_matches('/').split('/').count();
    let is_for = |name: &str| {
        let mut names = request.query.split('&').map(|it| it.trim_end_matches('='));
        name != subresource && names.any(|it| it == name)
    };
    match request.method {
        Method::HEAD => parts == 1 || request.path.starts_with("/source-"),
        Method::GET if request.path.starts_with("/sealgate-state/") => true,
        Method::GET => ["publicAccessBlock", "tagging", "versioning"]
            .into_iter()
            .any(is_for),
        _ => false,
    }
}

/// The key that every bucket has.
pub const KEY: &str = "key";
/// A bucket of the owner's account.
const OWNERS: &str = "owners-own";
/// A bucket of the other account.
const OTHERS: &str = "others-own";
