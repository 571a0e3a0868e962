//! Glacier vaults: requests signed by hand as Glacier's clients sign them, and what the backend receives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Response;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::identity::PrincipalArn;
use proto::mfa::MfaFile;
use proto::session::Session;
use proto::session::SessionKey;
use proto::sigv4;
use proto::sigv4::CanonicalRequest;
use proto::sigv4::CredentialScope;
use proto::sigv4::PathEncoding;
use proto::sigv4::SignedHeaders;
use proto::sigv4::SigningKey;
use proto::time::Clock as _;
use proto::time::ManualClock;
use proto::time::SystemClock;
use sealgate::credentials::MAIN_ACCOUNT;
use serde_json::Value;
use sha2::Digest as _;
use sha2::Sha256;
use tests::clients::Access;
use tests::signed::Signed;
use tests::world::World;

mod access;
mod archives;
mod events;
mod jobs;
mod locks;
mod multipart;
mod signatures;
mod vault_records;

pub const MIB: usize = 1 << 20;
pub const DAY: Duration = Duration::from_secs(24 * 3_600);
/// The bucket that vaults are stored in.
pub const STATE: &str = "sealgate-state";

/// A gateway with vaults, and a clock that is moved by hand.
pub struct Glacier {
    pub world: World,
    pub clock: Arc<ManualClock>,
    iam: Arc<Iam>,
    _folder: tempfile::TempDir,
}

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Bytes,
    has_hash: bool,
}

impl Call {
    /// On this path behind the account.
    pub fn new(method: Method, path: &str) -> Self {
        Self::raw(method, &format!("/-/{path}"))
    }

    /// On this whole path.
    pub fn raw(method: Method, path: &str) -> Self {
        Self {
            method,
            path: path.to_owned(),
            query: Vec::new(),
            headers: vec![("x-amz-glacier-version".to_owned(), "2012-06-01".to_owned())],
            body: Bytes::new(),
            has_hash: false,
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub fn put(path: &str) -> Self {
        Self::new(Method::PUT, path)
    }

    pub fn post(path: &str) -> Self {
        Self::new(Method::POST, path)
    }

    pub fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a header; an empty value takes it away.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        if !value.is_empty() {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn json(mut self, document: &Value) -> Self {
        self.body = document.to_string().into();
        self
    }

    /// Sets bytes of an archive, and the headers with their hashes.
    pub fn content(self, bytes: impl Into<Bytes>) -> Self {
        let body: Bytes = bytes.into();
        let hash = tree_hash(&body);
        let call = self.header("x-amz-sha256-tree-hash", &hash);
        Self {
            body,
            has_hash: true,
            ..call
        }
    }

    /// Signs as Glacier's clients do.
    pub fn sign(&self, access: &Access, now: proto::time::Timestamp, host: &str) -> Signed {
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name: http::HeaderName = name.parse().unwrap();
            headers.append(name, HeaderValue::from_str(value).unwrap());
        };
        let hash = sigv4::sha256_hex(&self.body);
        add("host", host);
        add("x-amz-date", &now.basic());
        if self.has_hash {
            add("x-amz-content-sha256", &hash);
        }
        for (name, value) in &self.headers {
            add(name, value);
        }
        let pairs = self.query.iter();
        let pairs: Vec<_> = pairs.map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let names = headers.keys().map(http::HeaderName::as_str);
        let signed_headers = SignedHeaders::from_names(names);
        let lines: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let canonical = CanonicalRequest {
            method: self.method.as_str(),
            path: &self.path,
            path_encoding: PathEncoding::Twice,
            query: &pairs,
            headers: &lines,
            signed_headers: &signed_headers,
            payload_hash: &hash,
        };
        let scope = CredentialScope::new(now, &access.region, "glacier");
        let text = sigv4::string_to_sign(now, &scope, &canonical.sha256_hex());
        let signature = SigningKey::derive(&access.secret_access_key, &scope).sign(&text);
        let authorization = format!(
            "{} Credential={}/{scope}, SignedHeaders={}, Signature={signature}",
            sigv4::ALGORITHM,
            access.access_key_id,
            signed_headers.as_str()
        );
        headers.insert("authorization", authorization.parse().unwrap());
        Signed {
            method: self.method.clone(),
            path: self.path.clone(),
            query: sigv4::canonical_query(&pairs),
            headers,
            body: self.body.clone(),
        }
    }
}

impl Glacier {
    pub async fn start() -> Self {
        Self::start_with(0).await
    }

    /// One whose jobs take so many seconds.
    pub async fn start_with(job_seconds: u64) -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let principals = Principals::parse(&limited_user()).unwrap();
        let iam = Iam::in_memory(principals, SessionKey::random().unwrap(), memory);
        let iam = Arc::new(iam);
        let world = World::setup()
            .clock(Arc::clone(&clock))
            .iam(Arc::clone(&iam))
            .gateway(move |config| config.vaults.job_seconds = job_seconds)
            .start()
            .await;
        Self {
            world,
            clock,
            iam,
            _folder: folder,
        }
    }

    /// The same with a vault `v`.
    pub async fn with_vault() -> Self {
        let glacier = Self::start().await;
        glacier.expect(Call::put("vaults/v"), 201).await;
        glacier
    }

    /// Credentials of a session of the user with few rights, for an hour.
    pub fn session(&self, mfa: bool) -> Access {
        let user: PrincipalArn = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/few")
            .parse()
            .unwrap();
        let now = self.clock.now();
        let session = Session {
            principal: user.clone(),
            source: user,
            user_id: "AIDAEXAMPLE".to_owned(),
            issued: now,
            expires: now.plus(Duration::from_secs(3_600)),
            mfa,
            policy: None,
            source_identity: None,
            tags: BTreeMap::new(),
            transitive_tags: Vec::new(),
        };
        Access::of_session(&self.iam.sessions().issue(&session).unwrap())
    }

    pub async fn send_as(&self, access: &Access, call: Call) -> Response<Bytes> {
        let token = access.session_token.clone().unwrap_or_default();
        let call = call.header("x-amz-security-token", &token);
        let signed = call.sign(access, self.clock.now(), &self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    pub async fn send(&self, call: Call) -> Response<Bytes> {
        self.send_as(&self.world.main, call).await
    }

    /// Sends as the main user, and checks the status.
    pub async fn expect(&self, call: Call, status: u16) -> Response<Bytes> {
        let shown = format!("{} {}", call.method, call.path);
        let answer = self.send(call).await;
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert_eq!(answer.status(), status, "{shown}: {text}");
        answer
    }

    /// The same, for a document.
    pub async fn document(&self, call: Call) -> Value {
        let answer = self.expect(call, 200).await;
        serde_json::from_slice(answer.body()).unwrap()
    }

    /// Sends as the main user, and checks the error.
    pub async fn refuse(&self, call: Call, code: &str, status: u16) -> String {
        expect_error(&self.send(call).await, code, status)
    }

    /// Uploads an archive into the vault `v`; its id.
    pub async fn upload(&self, bytes: impl Into<Bytes>) -> String {
        let call = Call::post("vaults/v/archives").content(bytes);
        header(&self.expect(call, 201).await, "x-amz-archive-id")
    }

    /// The names in the state bucket that have this in them.
    pub fn stored(&self, part: &str) -> Vec<String> {
        let mut keys = self.world.backend.keys(STATE);
        keys.retain(|key| key.contains(part));
        keys
    }
}

/// Checks an answer that is an error of Glacier; its message.
#[track_caller]
pub fn expect_error(answer: &Response<Bytes>, code: &str, status: u16) -> String {
    let text = String::from_utf8_lossy(answer.body());
    assert_eq!(answer.status(), status, "{text}");
    let document: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(document["code"], code, "{text}");
    assert_eq!(
        document["type"],
        if status < 500 { "Client" } else { "Server" }
    );
    assert!(answer.headers().contains_key("x-amzn-requestid"));
    document["message"].as_str().unwrap().to_owned()
}

pub fn header(answer: &Response<Bytes>, name: &str) -> String {
    let value = answer.headers().get(name);
    let value = value.unwrap_or_else(|| panic!("no {name}: {:?}", answer.headers()));
    value.to_str().unwrap().to_owned()
}

/// The tree hash of bytes, computed as AWS's documentation does: level by level.
pub fn tree_hash(bytes: &[u8]) -> String {
    let mut level: Vec<Vec<u8>> = match bytes.is_empty() {
        true => vec![Sha256::digest(b"").to_vec()],
        false => bytes
            .chunks(MIB)
            .map(|it| Sha256::digest(it).to_vec())
            .collect(),
    };
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Sha256::digest([&left[..], right].concat()).to_vec(),
                [one] => one.clone(),
                _ => unreachable!(),
            })
            .collect();
    }
    hex::encode(&level[0])
}

/// A statement about the vault `v`, with these members beside it.
pub fn policy(statement: Value) -> Value {
    let mut statement = statement;
    let members = statement.as_object_mut().unwrap();
    let arn = format!("arn:aws:glacier:us-east-1:{MAIN_ACCOUNT}:vaults/v");
    members.entry("Principal").or_insert_with(|| "*".into());
    members.entry("Resource").or_insert_with(|| arn.into());
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [statement]});
    serde_json::json!({"Policy": policy.to_string()})
}

/// A user who may describe vaults, and delete archives that are a day old.
fn limited_user() -> String {
    let vaults = format!("arn:aws:glacier:us-east-1:{MAIN_ACCOUNT}:vaults/*");
    format!(
        "[[user]]\nname = 'few'\naccess_key_id = 'KEYOFfew'\nsecret_access_key = \
         'secret-canary-of-few'\naccount = '{MAIN_ACCOUNT}'\npolicies = [{{ Statement = [\
         {{ Effect = 'Allow', Action = 'glacier:Describe*', Resource = '{vaults}' }}, \
         {{ Effect = 'Allow', Action = 'glacier:DeleteArchive', Resource = '{vaults}', Condition = \
         {{ NumericGreaterThanEquals = {{ 'glacier:ArchiveAgeInDays' = '1' }} }} }}] }}]\n"
    )
}

pub fn few() -> Access {
    Access::new("KEYOFfew", "secret-canary-of-few")
}
