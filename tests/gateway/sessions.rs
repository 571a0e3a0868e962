//! Temporary credentials at the gateway: where a token may stand, what it is good for, and until when.

use std::collections::BTreeMap;
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
use proto::mfa::MfaFile;
use proto::session::Session;
use proto::session::SessionKey;
use proto::time::Clock as _;
use proto::time::ManualClock;
use proto::time::SystemClock;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::expect::expect_no_value;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

const BUCKET: &str = "bucket";
const HOUR: Duration = Duration::from_secs(3_600);

/// A gateway with users, a role and the key of sessions.
pub struct Fixture {
    pub world: World,
    pub clock: Arc<ManualClock>,
    pub iam: Arc<Iam>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    pub async fn start() -> Self {
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let principals = Principals::parse(&file()).unwrap();
        let iam = Iam::in_memory(principals, SessionKey::random().unwrap(), memory);
        let iam = Arc::new(iam);
        let setup = World::setup().clock(Arc::clone(&clock));
        let world = setup.iam(Arc::clone(&iam)).start().await;
        let fixture = Self {
            world,
            clock,
            iam,
            _folder: folder,
        };
        for (access, bucket) in [
            (&fixture.world.main, BUCKET),
            (&fixture.world.alt, "foreign"),
        ] {
            let created = fixture
                .send(access, Draft::new(Method::PUT, bucket, ""))
                .await;
            assert_eq!(created.status(), 200);
        }
        fixture
    }

    /// Credentials of a session of `source` for an hour, with what `change` makes of it.
    pub fn session(&self, source: &str, change: impl FnOnce(&mut Session)) -> Access {
        let source = format!("arn:aws:iam::{MAIN_ACCOUNT}:{source}");
        let now = self.clock.now();
        let mut session = Session {
            principal: source.parse().unwrap(),
            source: source.parse().unwrap(),
            user_id: "AIDAEXAMPLE".to_owned(),
            issued: now,
            expires: now.plus(HOUR),
            mfa: false,
            policy: None,
            source_identity: None,
            tags: BTreeMap::new(),
            transitive_tags: Vec::new(),
        };
        change(&mut session);
        Access::of_session(&self.iam.sessions().issue(&session).unwrap())
    }

    /// A session of the role, named so.
    pub fn role_session(&self, name: &str, change: impl FnOnce(&mut Session)) -> Access {
        let arn = format!("arn:aws:sts::{MAIN_ACCOUNT}:assumed-role/reader/{name}");
        self.session("role/reader", |session| {
            session.principal = arn.parse().unwrap();
            session.user_id = format!("AROAEXAMPLE:{name}");
            change(session);
        })
    }

    /// Signs in the header, with the token if there is one.
    pub fn sign(&self, access: &Access, draft: Draft) -> Signed {
        let draft = match &access.session_token {
            Some(token) => draft.header("x-amz-security-token", token),
            None => draft,
        };
        draft.sign(access, self.clock.now(), &self.world.host())
    }

    pub async fn send(&self, access: &Access, draft: Draft) -> Response<Bytes> {
        self.send_signed(&self.sign(access, draft)).await
    }

    pub async fn send_signed(&self, signed: &Signed) -> Response<Bytes> {
        signed.send(&self.world.target()).await.unwrap()
    }

    pub async fn put_policy(&self, bucket: &str, statements: &str) {
        let body = format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#);
        let put = Draft::new(Method::PUT, bucket, "")
            .query("policy", "")
            .body(body);
        let access = match bucket {
            BUCKET => &self.world.main,
            _ => &self.world.alt,
        };
        let answer = self.send(access, put).await;
        assert_eq!(answer.status(), 204, "{:?}", answer.body());
    }
}

/// The credentials file: a user with every right, one with few, and a role.
fn file() -> String {
    let user = |name: &str, more: &str| {
        format!(
            "[[user]]\nname = '{name}'\naccess_key_id = 'KEYOF{name}'\nsecret_access_key = \
             'secret-canary-of-{name}'\naccount = '{MAIN_ACCOUNT}'\n{more}\n"
        )
    };
    let limited = format!(
        "policies = [{{ Statement = [\
         {{ Effect = 'Allow', Action = ['s3:GetObject', 's3:PutObject'], Resource = 'arn:aws:s3:::*/k*' }}, \
         {{ Effect = 'Deny', Action = 's3:GetObject', Resource = 'arn:aws:s3:::{BUCKET}/k-secret' }}] }}]"
    );
    let role = format!(
        "[[role]]\nname = 'reader'\naccount = '{MAIN_ACCOUNT}'\n\
         trust_policy = {{ Statement = {{ Effect = 'Allow', Action = 'sts:AssumeRole', Principal = '*' }} }}\n\
         policies = [{{ Statement = [{{ Effect = 'Allow', Action = 's3:GetObject', Resource = '*' }}] }}]\n"
    );
    [
        user("ana", "tags = { team = 'blue' }"),
        user("few", &limited),
        user("boss", "root = true"),
        role,
    ]
    .concat()
}

fn few() -> Access {
    Access::new("KEYOFfew", "secret-canary-of-few")
}

fn put(key: &str) -> Draft {
    Draft::new(Method::PUT, BUCKET, key).body("text")
}

fn get(key: &str) -> Draft {
    Draft::new(Method::GET, BUCKET, key)
}

#[tokio::test]
async fn a_session_signs_in_headers_urls_and_forms_by_both_versions() {
    let fixture = Fixture::start().await;
    let ana = fixture.session("user/ana", |_| {});
    let token = ana.session_token.clone().unwrap();
    let (now, host) = (fixture.clock.now(), fixture.world.host());
    assert_eq!(fixture.send(&ana, put("k")).await.status(), 200);
    let with_header = |draft: Draft| draft.header("x-amz-security-token", &token);
    let with_query = |draft: Draft| draft.query("X-Amz-Security-Token", &token);
    let form = Form::new(BUCKET, "form", "text").field("x-amz-security-token", &token);
    for signed in [
        with_query(get("k")).presign(&ana, now, &host, HOUR),
        with_header(get("k")).sign_version_2(&ana, now, &host),
        form.sign(&ana, now, &host),
        form.request(&form.fields_of_version_2(&ana, now), &host),
    ] {
        let status = fixture.send_signed(&signed).await.status();
        assert!(status.is_success(), "{status} {signed:?}");
    }
    expect_no_value(&fixture.world.backend, token.as_bytes());
    for request in fixture.world.backend.requests() {
        assert!(!request.headers.contains_key("x-amz-security-token"));
    }
}

#[tokio::test]
async fn the_aws_sdk_for_rust_reads_and_writes_with_session_credentials() {
    let fixture = Fixture::start().await;
    let ana = fixture.session("user/ana", |session| session.mfa = true);
    let s3 = fixture.world.s3_as(&ana);
    let body = aws_sdk_s3::primitives::ByteStream::from_static(b"text");
    s3.put_object()
        .bucket(BUCKET)
        .key("k")
        .body(body)
        .send()
        .await
        .unwrap();
    let got = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .send()
        .await
        .unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"text");
    let for_an_hour = aws_sdk_s3::presigning::PresigningConfig::expires_in(HOUR).unwrap();
    let url = s3
        .get_object()
        .bucket(BUCKET)
        .key("k")
        .presigned(for_an_hour)
        .await
        .unwrap();
    assert!(url.uri().contains("X-Amz-Security-Token="));
}

#[tokio::test]
async fn a_session_that_ended_is_refused_and_so_is_a_url_that_lives_longer() {
    let fixture = Fixture::start().await;
    let ana = fixture.session("user/ana", |session| {
        session.expires = session.issued.plus(Duration::from_secs(900));
    });
    assert_eq!(fixture.send(&ana, put("k")).await.status(), 200);
    let token = ana.session_token.clone().unwrap();
    let (now, host) = (fixture.clock.now(), fixture.world.host());
    let week = Duration::from_secs(7 * 86_400);
    let url = get("k")
        .query("X-Amz-Security-Token", &token)
        .presign(&ana, now, &host, week);
    assert_eq!(fixture.send_signed(&url).await.status(), 200);
    fixture.clock.advance(Duration::from_secs(900));
    for answer in [
        fixture.send(&ana, get("k")).await,
        fixture.send_signed(&url).await,
    ] {
        expect_s3_error(&answer, "ExpiredToken", 400);
        let body = String::from_utf8_lossy(answer.body());
        assert!(
            body.contains("<Message>The provided token has expired.</Message>"),
            "{body}"
        );
        assert!(!body.contains(&token), "{body}");
    }
}

#[tokio::test]
async fn temporary_credentials_without_their_token_are_unknown() {
    let fixture = Fixture::start().await;
    let mut ana = fixture.session("user/ana", |_| {});
    ana.session_token = None;
    let refused = fixture.send(&ana, get("k")).await;
    expect_s3_error(&refused, "InvalidAccessKeyId", 403);
}

#[tokio::test]
async fn a_token_in_a_form_needs_a_condition_as_any_other_field() {
    let fixture = Fixture::start().await;
    let ana = fixture.session("user/ana", |_| {});
    let token = ana.session_token.clone().unwrap();
    let form = Form::new(BUCKET, "form", "text").uncovered("x-amz-security-token", &token);
    let signed = form.sign(&ana, fixture.clock.now(), &fixture.world.host());
    expect_s3_error(&fixture.send_signed(&signed).await, "AccessDenied", 403);
    assert!(fixture.world.backend.object(BUCKET, "form").is_none());
}

#[tokio::test]
async fn a_session_of_a_user_or_role_that_is_gone_is_refused() {
    let fixture = Fixture::start().await;
    for source in ["user/gone", "role/gone"] {
        let gone = fixture.session(source, |_| {});
        expect_s3_error(&fixture.send(&gone, get("k")).await, "InvalidToken", 400);
    }
}

#[tokio::test]
async fn a_session_with_a_token_of_a_device_is_told_that_both_exclude_each_other() {
    let fixture = Fixture::start().await;
    let boss = fixture.session("root", |session| session.mfa = true);
    let delete = Draft::new(Method::DELETE, BUCKET, "k").query("versionId", "null");
    let delete = delete.header("x-amz-mfa", "arn:aws:iam::000000000000:mfa/root 123456");
    let refused = fixture.send(&boss, delete).await;
    expect_s3_error(&refused, "InvalidRequest", 400);
    let body = String::from_utf8_lossy(refused.body());
    let message = "DevPay and Mfa are mutually exclusive authorization methods.";
    assert!(body.contains(message), "{body}");
}

#[tokio::test]
async fn a_user_with_policies_may_do_what_they_or_the_buckets_policy_allow() {
    let fixture = Fixture::start().await;
    for key in ["k", "k-secret", "other"] {
        assert_eq!(fixture.world.send(put(key)).await.status(), 200);
    }
    assert_eq!(fixture.send(&few(), get("k")).await.status(), 200);
    assert_eq!(fixture.send(&few(), put("k2")).await.status(), 200);
    for draft in [
        get("other"),
        get("k-secret"),
        Draft::new(Method::DELETE, BUCKET, "k"),
        Draft::new(Method::GET, BUCKET, "").query("list-type", "2"),
        Draft::new(Method::GET, BUCKET, "").query("acl", ""),
        Draft::new(Method::GET, "", ""),
        Draft::new(Method::PUT, "another", ""),
    ] {
        let refused = fixture.send(&few(), draft).await;
        expect_s3_error(&refused, "AccessDenied", 403);
        let body = String::from_utf8_lossy(refused.body());
        assert!(body.contains("identity-based policy"), "{body}");
    }
    assert!(
        !fixture
            .world
            .backend
            .requests()
            .iter()
            .any(|it| it.path == "/another")
    );

    let principal = format!(r#"{{"AWS": "arn:aws:iam::{MAIN_ACCOUNT}:user/few"}}"#);
    let allow = format!(
        r#"{{"Effect": "Allow", "Principal": {principal}, "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#
    );
    fixture.put_policy(BUCKET, &allow).await;
    assert_eq!(fixture.send(&few(), get("other")).await.status(), 200);
    // Its own denial outweighs.
    expect_s3_error(
        &fixture.send(&few(), get("k-secret")).await,
        "AccessDenied",
        403,
    );
}

#[tokio::test]
async fn a_deletion_of_many_keys_is_judged_for_each_by_the_callers_own_policies() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.world.send(put("k")).await.status(), 200);
    let body = "<Delete><Object><Key>k</Key></Object></Delete>";
    let draft = Draft::new(Method::POST, BUCKET, "").query("delete", "");
    let draft = draft
        .header("content-md5", &STANDARD.encode(Md5::digest(body)))
        .body(body);
    let answer = fixture.send(&few(), draft).await;
    let text = String::from_utf8_lossy(answer.body());
    assert!(text.contains("<Code>AccessDenied</Code>"), "{text}");
    assert!(fixture.world.backend.object(BUCKET, "k").is_some());
}

#[tokio::test]
async fn another_accounts_bucket_needs_its_policy_and_the_callers_own() {
    let fixture = Fixture::start().await;
    let foreign = |key: &str| Draft::new(Method::GET, "foreign", key);
    for key in ["k", "other"] {
        let put = Draft::new(Method::PUT, "foreign", key).body("text");
        assert_eq!(fixture.send(&fixture.world.alt, put).await.status(), 200);
    }
    expect_s3_error(
        &fixture.send(&few(), foreign("k")).await,
        "AccessDenied",
        403,
    );
    let allow = format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "{MAIN_ACCOUNT}"}}, "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::foreign/*"}}"#
    );
    fixture.put_policy("foreign", &allow).await;
    assert_eq!(fixture.send(&few(), foreign("k")).await.status(), 200);
    expect_s3_error(
        &fixture.send(&few(), foreign("other")).await,
        "AccessDenied",
        403,
    );
    assert_ne!(MAIN_ACCOUNT, ALT_ACCOUNT);
}

#[tokio::test]
async fn a_session_policy_cuts_and_never_widens() {
    let fixture = Fixture::start().await;
    for key in ["k", "other"] {
        assert_eq!(fixture.world.send(put(key)).await.status(), 200);
    }
    let policy = |action: &str, resource: &str| {
        Some(format!(
            r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Action": "{action}",
            "Resource": "arn:aws:s3:::{resource}"}}]}}"#
        ))
    };
    let cut = fixture.session("user/ana", |it| {
        it.policy = policy("s3:GetObject", "bucket/k")
    });
    assert_eq!(fixture.send(&cut, get("k")).await.status(), 200);
    for draft in [get("other"), put("k"), Draft::new(Method::GET, "", "")] {
        expect_s3_error(&fixture.send(&cut, draft).await, "AccessDenied", 403);
    }
    // The role may read; its session asks for everything.
    let all = policy("*", "*");
    let wide = fixture.role_session("monday", |session| session.policy = all);
    assert_eq!(fixture.send(&wide, get("k")).await.status(), 200);
    expect_s3_error(&fixture.send(&wide, put("k")).await, "AccessDenied", 403);
    // Nor does the bucket's policy open what the session's leaves closed.
    let allow = format!(
        r#"{{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#
    );
    fixture.put_policy(BUCKET, &allow).await;
    expect_s3_error(&fixture.send(&cut, put("k")).await, "AccessDenied", 403);
    // A root user's session with a policy cannot mend the bucket's, either.
    let root = fixture.session("root", |it| it.policy = policy("s3:GetObject", "bucket/k"));
    let mend = Draft::new(Method::DELETE, BUCKET, "").query("policy", "");
    expect_s3_error(&fixture.send(&root, mend).await, "AccessDenied", 403);
}

#[tokio::test]
async fn a_buckets_policy_names_a_role_and_so_its_sessions_or_one_of_them() {
    let fixture = Fixture::start().await;
    let monday = fixture.role_session("monday", |_| {});
    let tuesday = fixture.role_session("tuesday", |_| {});
    let role = format!("arn:aws:iam::{MAIN_ACCOUNT}:role/reader");
    let session = format!("arn:aws:sts::{MAIN_ACCOUNT}:assumed-role/reader/monday");
    for (principal, may) in [(role, [200, 200]), (session, [200, 403])] {
        let allow = format!(
            r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::{BUCKET}/*"}}"#
        );
        fixture.put_policy(BUCKET, &allow).await;
        for (access, status) in [&monday, &tuesday].into_iter().zip(may) {
            assert_eq!(
                fixture.send(access, put("k")).await.status(),
                status,
                "{principal}"
            );
        }
    }
}

#[tokio::test]
async fn conditions_see_the_session_its_user_and_its_second_factor() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.world.send(put("k")).await.status(), 200);
    let with_mfa = |session: &mut Session| session.mfa = true;
    let mfa = fixture.session("user/ana", with_mfa);
    let plain = fixture.session("user/ana", |_| {});
    let role = fixture.role_session("monday", |session| {
        session.tags = BTreeMap::from([("team".to_owned(), "red".to_owned())]);
    });
    let ana = Access::new("KEYOFana", "secret-canary-of-ana");
    fixture.clock.advance(Duration::from_secs(100));
    let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:role/reader");
    let arn = format!(r#""ArnEquals": {{"aws:PrincipalArn": "{arn}"}}"#);
    // Whom a denial on the condition refuses: ana's key, her sessions with and without MFA, the role's.
    for (condition, refused) in [
        (
            r#""Bool": {"aws:MultiFactorAuthPresent": "false"}"#,
            [false, false, true, true],
        ),
        (
            r#""BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}"#,
            [true, false, true, true],
        ),
        (
            r#""Null": {"aws:MultiFactorAuthAge": "true"}"#,
            [true, false, true, true],
        ),
        (
            r#""NumericGreaterThan": {"aws:MultiFactorAuthAge": "99"}"#,
            [false, true, false, false],
        ),
        (
            r#""NumericGreaterThan": {"aws:MultiFactorAuthAge": "100"}"#,
            [false; 4],
        ),
        (
            r#""DateLessThan": {"aws:TokenIssueTime": "2999-01-01T00:00:00Z"}"#,
            [false, true, true, true],
        ),
        (
            r#""StringEquals": {"aws:username": "ana"}"#,
            [true, true, true, false],
        ),
        (
            r#""StringLike": {"aws:userid": "AROAEXAMPLE:*"}"#,
            [false, false, false, true],
        ),
        (
            r#""StringEquals": {"aws:PrincipalType": "AssumedRole"}"#,
            [false, false, false, true],
        ),
        (
            r#""StringEquals": {"aws:PrincipalTag/team": "blue"}"#,
            [true, true, true, false],
        ),
        (
            r#""StringEquals": {"aws:PrincipalTag/team": "red"}"#,
            [false, false, false, true],
        ),
        (&arn, [false, false, false, true]),
    ] {
        let deny = format!(
            r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::{BUCKET}/*", "Condition": {{{condition}}}}}"#
        );
        fixture.put_policy(BUCKET, &deny).await;
        for (access, refused) in [&ana, &mfa, &plain, &role].into_iter().zip(refused) {
            let status = fixture.send(access, get("k")).await.status();
            assert_eq!(status, if refused { 403 } else { 200 }, "{condition}");
        }
    }
}

#[tokio::test]
async fn the_root_user_is_bound_by_denials_and_may_mend_the_policy() {
    let fixture = Fixture::start().await;
    assert_eq!(fixture.world.send(put("k")).await.status(), 200);
    let deny = format!(
        r#"{{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
        "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}"#
    );
    fixture.put_policy(BUCKET, &deny).await;
    let boss = Access::new("KEYOFboss", "secret-canary-of-boss");
    let ana = Access::new("KEYOFana", "secret-canary-of-ana");
    let policy = || Draft::new(Method::GET, BUCKET, "").query("policy", "");
    expect_s3_error(&fixture.send(&boss, get("k")).await, "AccessDenied", 403);
    expect_s3_error(&fixture.send(&ana, policy()).await, "AccessDenied", 403);
    assert_eq!(fixture.send(&boss, policy()).await.status(), 200);
    let mend = Draft::new(Method::DELETE, BUCKET, "").query("policy", "");
    assert_eq!(fixture.send(&boss, mend).await.status(), 204);
    assert_eq!(fixture.send(&boss, get("k")).await.status(), 200);
}
