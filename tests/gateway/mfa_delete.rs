//! MFA Delete: which requests need a code, whose, and what a code is good for.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::Response;
use md5::Digest as _;
use md5::Md5;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::iam::User;
use proto::identity::Secret;
use proto::mfa::MfaDevice;
use proto::mfa::MfaFile;
use proto::session::SessionKey;
use proto::time::Clock as _;
use proto::time::ManualClock;
use proto::time::SystemClock;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::backend::Action;
use tests::backend::Fault;
use tests::clients::Access;
use tests::expect::expect_no_value;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

mod codes;
mod configuring;

const BUCKET: &str = "vault";
const ROOT_SERIAL: &str = "arn:aws:iam::000000000000:mfa/root-account-mfa-device";
const MISSING: &str = "Mfa Authentication must be used for this request";

/// A gateway with a bucket, whose owner's root user and an administrator have a device each.
struct Vault {
    world: World,
    clock: Arc<ManualClock>,
    root: MfaDevice,
    admin: Access,
    admins: MfaDevice,
    iam: Arc<Iam>,
    _folder: tempfile::TempDir,
}

/// An administrator, and the root user with another access key than the world's.
fn principals(admin: &Access, root: &MfaDevice, admins: &MfaDevice) -> Principals {
    let user = |name: &str, id: &str, secret: &str, device: &MfaDevice| {
        let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:{name}");
        let mut user = User::new(arn.parse().unwrap(), id, Secret::new(secret));
        user.mfa.push(device.clone());
        user
    };
    Principals::of_users([
        user(
            "user/admin",
            &admin.access_key_id,
            &admin.secret_access_key,
            admins,
        ),
        user(
            "root",
            "ROOTEXAMPLEACCESSKEY",
            "root-secret-canary-77",
            root,
        ),
    ])
}

impl Vault {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let device = |serial: &str, secret: &str| MfaDevice::new(serial, &Secret::new(secret));
        let root = device(ROOT_SERIAL, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ").unwrap();
        let admin_serial = format!("arn:aws:iam::{MAIN_ACCOUNT}:mfa/admin");
        let admins = device(&admin_serial, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP").unwrap();
        let admin = Access::new("ADMINEXAMPLEACCESSKE", "admin-secret-canary-5ec0ffee");
        let users = principals(&admin, &root, &admins);
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let iam = Arc::new(Iam::in_memory(users, SessionKey::random().unwrap(), memory));
        let setup = World::setup()
            .clock(Arc::clone(&clock))
            .iam(Arc::clone(&iam));
        let world = setup.start().await;
        let vault = Self {
            world,
            clock,
            root,
            admin,
            admins,
            iam,
            _folder: folder,
        };
        let created = vault.send(Draft::new(Method::PUT, BUCKET, "")).await;
        assert_eq!(created.status(), 200);
        vault
    }

    /// The same with MFA Delete on, in a new step.
    async fn locked() -> Self {
        let vault = Self::start().await;
        let on = vault.send(vault.with_code(versioning("Enabled", Some("Enabled"))));
        assert_eq!(on.await.status(), 200);
        vault.next_step();
        vault
    }

    fn next_step(&self) {
        self.clock.advance(Duration::from_secs(30));
    }

    /// The header of root's device, with the code of now.
    fn token(&self) -> String {
        format!("{ROOT_SERIAL} {}", self.root.code(self.clock.now()))
    }

    /// A token of root's device with a code that it does not show.
    fn wrong_token(&self) -> String {
        let shown: Vec<String> = [-30, 0, 30]
            .iter()
            .map(|seconds| {
                let at = self.clock.now().unix_seconds() + seconds;
                self.root
                    .code(proto::time::Timestamp::from_unix_seconds(at))
            })
            .collect();
        let other = (0..).map(|code| format!("{code:06}"));
        let code = other
            .into_iter()
            .find(|code| !shown.contains(code))
            .unwrap();
        format!("{ROOT_SERIAL} {code}")
    }

    fn with_code(&self, draft: Draft) -> Draft {
        draft.header("x-amz-mfa", &self.token())
    }

    async fn send(&self, draft: Draft) -> Response<Bytes> {
        self.world.send(draft).await
    }

    async fn send_as(&self, access: &Access, draft: Draft) -> Response<Bytes> {
        let signed = draft.sign(access, self.clock.now(), &self.world.host());
        signed.send(&self.world.target()).await.unwrap()
    }

    /// Writes a version; its id.
    async fn put(&self, key: &str) -> String {
        let put = Draft::new(Method::PUT, BUCKET, key).body("text");
        let answer = self.send(put).await;
        let id = answer.headers().get("x-amz-version-id").unwrap();
        id.to_str().unwrap().to_owned()
    }

    fn versions(&self, key: &str) -> usize {
        self.world.backend.versions(BUCKET, key).len()
    }

    async fn state(&self) -> String {
        let get = Draft::new(Method::GET, BUCKET, "").query("versioning", "");
        let answer = self.send(get).await;
        assert_eq!(answer.status(), 200);
        String::from_utf8_lossy(answer.body()).into_owned()
    }
}

fn versioning(status: &str, mfa_delete: Option<&str>) -> Draft {
    let mfa_delete = mfa_delete.map(|state| format!("<MfaDelete>{state}</MfaDelete>"));
    let body = format!(
        "<VersioningConfiguration><Status>{status}</Status>{}</VersioningConfiguration>",
        mfa_delete.unwrap_or_default()
    );
    let draft = Draft::new(Method::PUT, BUCKET, "").query("versioning", "");
    draft.body(body)
}

fn delete(key: &str, version: Option<&str>) -> Draft {
    let draft = Draft::new(Method::DELETE, BUCKET, key);
    match version {
        Some(version) => draft.query("versionId", version),
        None => draft,
    }
}

fn delete_all(objects: &[(&str, Option<&str>)]) -> Draft {
    let mut body = "<Delete>".to_owned();
    for (key, version) in objects {
        let version = version.map(|id| format!("<VersionId>{id}</VersionId>"));
        let version = version.unwrap_or_default();
        body += &format!("<Object><Key>{key}</Key>{version}</Object>");
    }
    body += "</Delete>";
    let md5 = STANDARD.encode(Md5::digest(&body));
    let draft = Draft::new(Method::POST, BUCKET, "").query("delete", "");
    draft.header("content-md5", &md5).body(body)
}

#[track_caller]
fn expect(answer: &Response<Bytes>, code: &str, status: u16, message: &str) {
    expect_s3_error(answer, code, status);
    let body = String::from_utf8_lossy(answer.body());
    assert!(body.contains(&format!("<Message>{message}")), "{body}");
}

#[tokio::test]
async fn a_version_is_deleted_with_a_code_only_and_a_marker_is_made_without() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let refused = vault.send(delete("k", Some(&id))).await;
    expect(&refused, "AccessDenied", 403, MISSING);
    assert_eq!(vault.versions("k"), 1);

    let marked = vault.send(delete("k", None)).await;
    assert_eq!(marked.status(), 204);
    assert_eq!(marked.headers()["x-amz-delete-marker"], "true");
    let marker = marked.headers()["x-amz-version-id"]
        .to_str()
        .unwrap()
        .to_owned();
    for id in [&id, &marker] {
        let refused = vault.send(delete("k", Some(id))).await;
        expect(&refused, "AccessDenied", 403, MISSING);
    }
    assert_eq!(vault.versions("k"), 2);

    let deleted = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    assert_eq!(deleted.status(), 204);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn the_version_null_needs_a_code_as_any_other() {
    let vault = Vault::start().await;
    let put = Draft::new(Method::PUT, BUCKET, "k").body("before versions");
    assert_eq!(vault.send(put).await.status(), 200);
    let on = vault.with_code(versioning("Enabled", Some("Enabled")));
    assert_eq!(vault.send(on).await.status(), 200);
    let refused = vault.send(delete("k", Some("null"))).await;
    expect(&refused, "AccessDenied", 403, MISSING);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn one_version_among_the_keys_of_a_request_needs_a_code_for_all_of_it() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    vault.put("plain").await;
    let mixed = || delete_all(&[("plain", None), ("k", Some(&id))]);
    expect(&vault.send(mixed()).await, "AccessDenied", 403, MISSING);
    assert_eq!((vault.versions("plain"), vault.versions("k")), (1, 1));

    let plain = vault.send(delete_all(&[("plain", None)])).await;
    assert_eq!(plain.status(), 200);
    assert_eq!(vault.versions("plain"), 2);
}

#[tokio::test]
async fn the_root_user_of_another_account_is_not_the_bucket_owner_whatever_a_policy_allows() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*",
        "Action": "s3:*", "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}"#
    );
    let put = Draft::new(Method::PUT, BUCKET, "").query("policy", "");
    assert_eq!(vault.send(put.body(policy)).await.status(), 204);
    let alt = &vault.world.alt;
    let refused = vault
        .send_as(alt, vault.with_code(delete("k", Some(&id))))
        .await;
    let message = "This operation may only be performed by the bucket owner";
    expect(&refused, "AccessDenied", 403, message);
    let refused = vault.send_as(alt, delete("k", Some(&id))).await;
    expect(&refused, "AccessDenied", 403, MISSING);
    let draft = vault.with_code(delete("k", Some(&id)));
    let anonymous = draft.anonymous(&vault.world.host());
    let refused = anonymous.send(&vault.world.target()).await.unwrap();
    expect_s3_error(&refused, "AccessDenied", 403);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn a_policy_that_denies_a_deletion_decides_before_a_code_is_looked_at() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Deny", "Principal": "*",
        "Action": "s3:DeleteObjectVersion", "Resource": "arn:aws:s3:::{BUCKET}/*"}}]}}"#
    );
    let put = Draft::new(Method::PUT, BUCKET, "").query("policy", "");
    assert_eq!(vault.send(put.body(policy)).await.status(), 204);
    let refused = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    expect(&refused, "AccessDenied", 403, "User: ");
    let lifted = Draft::new(Method::DELETE, BUCKET, "").query("policy", "");
    assert_eq!(vault.send(lifted).await.status(), 204);
    // The code was not used up.
    let deleted = vault.send(vault.with_code(delete("k", Some(&id)))).await;
    assert_eq!(deleted.status(), 204);
}

#[tokio::test]
async fn what_another_gateway_switched_on_is_demanded_at_once() {
    let vault = Vault::start().await;
    assert_eq!(vault.send(versioning("Enabled", None)).await.status(), 200);
    let id = vault.put("k").await;
    let other = vault.world.another_gateway().await;
    let address = other.s3_addr.unwrap();
    let target = Target { address, tls: None };
    let send = |draft: Draft| {
        let signed = draft.sign(&vault.world.main, vault.clock.now(), &address.to_string());
        let target = target.clone();
        async move { signed.send(&target).await.unwrap() }
    };
    // The second gateway has the record cached, with MFA Delete off.
    assert_eq!(
        send(Draft::new(Method::GET, BUCKET, "k")).await.status(),
        200
    );
    let on = vault.with_code(versioning("Enabled", Some("Enabled")));
    assert_eq!(vault.send(on).await.status(), 200);
    let refused = send(delete("k", Some(&id))).await;
    expect(&refused, "AccessDenied", 403, MISSING);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn a_state_that_cannot_be_read_lets_no_version_go() {
    let vault = Vault::locked().await;
    let id = vault.put("k").await;
    let refuse = Action::Refuse(503, "ServiceUnavailable");
    vault
        .world
        .backend
        .inject(Fault::on_path(Method::GET, "/buckets/vault/record", refuse));
    let refused = vault.send(delete("k", Some(&id))).await;
    expect_s3_error(&refused, "ServiceUnavailable", 503);
    assert_eq!(vault.versions("k"), 1);
}

#[tokio::test]
async fn a_form_makes_another_version_and_needs_no_code() {
    let vault = Vault::locked().await;
    vault.put("k").await;
    let form = Form::new(BUCKET, "k", "other");
    let post = form.sign(&vault.world.main, vault.clock.now(), &vault.world.host());
    let posted = post.send(&vault.world.target()).await.unwrap();
    assert_eq!(posted.status(), 204);
    assert_eq!(vault.versions("k"), 2);
}

#[tokio::test]
async fn the_header_is_ignored_by_other_operations_and_reaches_no_backend() {
    let vault = Vault::locked().await;
    let token = vault.token();
    for draft in [
        Draft::new(Method::PUT, BUCKET, "k").body("text"),
        Draft::new(Method::GET, BUCKET, "k"),
        Draft::new(Method::GET, BUCKET, "").query("versioning", ""),
        Draft::new(Method::GET, BUCKET, "").query("acl", ""),
    ] {
        let answer = vault.send(draft.header("x-amz-mfa", &token)).await;
        assert_eq!(answer.status(), 200);
    }
    let wrong = vault.send(Draft::new(Method::GET, BUCKET, "k").header("x-amz-mfa", "x"));
    assert_eq!(wrong.await.status(), 200);
    let id = vault.put("k").await;
    // It is still good.
    let deleted = vault
        .send(delete("k", Some(&id)).header("x-amz-mfa", &token))
        .await;
    assert_eq!(deleted.status(), 204);
    let code = token.rsplit(' ').next().unwrap();
    for request in vault.world.backend.requests() {
        assert!(!request.headers.contains_key("x-amz-mfa"), "{request:?}");
    }
    expect_no_value(&vault.world.backend, token.as_bytes());
    assert_eq!(code.len(), 6);
}
