//! A gateway of two accounts before a backend that records, and buckets for one request each.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use gateway::authenticate::User;
use http::Method;
use http::Response;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Versioning;
use tests::clients;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::signed::Target;
use tests::world::World;

use crate::buckets::Buckets;
use crate::buckets::KEY;
use crate::buckets::Request;
use crate::outcome::Outcome;
use crate::policy::document;
use crate::policy::statement;
use crate::reference::On;
use crate::reference::Operation;

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

impl Fixture {
    pub async fn start() -> Self {
        let owner = Access::new("OWNEREXAMPLEACCESSKE", "owner-secret-canary-6f11c0de");
        let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/owner");
        let user = User {
            access_key_id: owner.access_key_id.clone(),
            secret_access_key: owner.secret_access_key.clone().into(),
            account: MAIN_ACCOUNT.parse().unwrap(),
            principal_arn: Some(arn.parse().unwrap()),
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
            let create = Draft::new(Method::PUT, name, "");
            self.prepare(&self.world.main, create).await;
            backend.set_versioning(name, Versioning::Enabled);
        }
        if operation.uri.contains("{Key+}") || operation.uri.contains("?delete") {
            let (version, etag) = self.put_object(&bucket).await;
            buckets.values.insert("version", version);
            buckets.values.insert("object_etag", etag);
        }
        if operation.has_header("x-amz-copy-source") {
            let (version, _) = self.put_object(&source).await;
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

    /// Puts an object twice; returns the id of its current version, and its ETag.
    async fn put_object(&self, bucket: &str) -> (String, String) {
        let put = || Draft::new(Method::PUT, bucket, KEY).header("x-amz-tagging", "class=open");
        self.prepare(&self.world.main, put().body("old")).await;
        let put = self.prepare(&self.world.main, put().body("new")).await;
        let text = |name: &str| put.headers()[name].to_str().unwrap().to_owned();
        (text("x-amz-version-id"), text("etag"))
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
        Outcome::new(response, &self.world.backend.requests(), subresource)
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

/// A bucket of the owner's account.
const OWNERS: &str = "owners-own";
/// A bucket of the other account.
const OTHERS: &str = "others-own";
