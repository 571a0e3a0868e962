//! Session tokens that are forged, changed, foreign, doubled or beside the wrong credentials.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::Response;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::mfa::MfaFile;
use proto::session::Session;
use proto::session::SessionKey;
use proto::time::Timestamp;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::expect::expect_s3_error;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

use crate::gate::BUCKET;

const TOKEN: &str = "x-amz-security-token";

/// A gateway that has the key of sessions.
struct Fixture {
    world: World,
    iam: Arc<Iam>,
    _folder: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let user = format!(
            "[[user]]\nname = 'ana'\naccess_key_id = 'KEYOFANA'\nsecret_access_key = 'secret'\n\
             account = '{MAIN_ACCOUNT}'\n"
        );
        let principals = Principals::parse(&user).unwrap();
        let iam = Arc::new(Iam::in_memory(
            principals,
            SessionKey::random().unwrap(),
            memory,
        ));
        let world = World::setup().iam(Arc::clone(&iam)).start().await;
        world.create_bucket(BUCKET).await;
        world.backend.forget();
        Self {
            world,
            iam,
            _folder: folder,
        }
    }

    fn session(&self, key: &SessionKey) -> Access {
        let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/ana");
        let now = self.now();
        let session = Session {
            principal: arn.parse().unwrap(),
            source: arn.parse().unwrap(),
            user_id: "AIDAEXAMPLE".to_owned(),
            issued: now,
            expires: now.plus(Duration::from_secs(3_600)),
            mfa: false,
            policy: None,
            source_identity: None,
            tags: BTreeMap::new(),
            transitive_tags: Vec::new(),
        };
        Access::of_session(&key.issue(&session).unwrap())
    }

    fn ana(&self) -> Access {
        self.session(self.iam.sessions())
    }

    fn now(&self) -> Timestamp {
        self.world.now()
    }

    /// The same write, signed in every way that has a place for a token.
    fn signed(&self, access: &Access, token: &str) -> Vec<Signed> {
        let (now, host) = (self.now(), self.world.host());
        let put = || Draft::new(Method::PUT, BUCKET, "k").body("text");
        let hour = Duration::from_secs(3_600);
        let form = Form::new(BUCKET, "k", "text").field(TOKEN, token);
        vec![
            put().header(TOKEN, token).sign(access, now, &host),
            put()
                .query("X-Amz-Security-Token", token)
                .presign(access, now, &host, hour),
            put()
                .header(TOKEN, token)
                .sign_version_2(access, now, &host),
            form.sign(access, now, &host),
            form.request(&form.fields_of_version_2(access, now), &host),
        ]
    }

    async fn send(&self, signed: &Signed) -> Response<Bytes> {
        signed.send(&self.world.target()).await.unwrap()
    }

    async fn refuses(&self, signed: &Signed, code: &str, status: u16) {
        let answer = self.send(signed).await;
        expect_s3_error(&answer, code, status);
        let body = String::from_utf8_lossy(answer.body());
        assert!(!body.contains("sealgatesession"), "{body}");
        assert!(self.world.backend.requests_in(BUCKET).is_empty());
    }
}

#[tokio::test]
async fn a_token_that_is_forged_changed_cut_or_of_another_key_is_refused_everywhere() {
    let fixture = Fixture::start().await;
    let ana = fixture.ana();
    let token = ana.session_token.clone().unwrap();
    let other_key = SessionKey::random().unwrap();
    let foreign = fixture.session(&other_key);
    let changed = format!("{}{}", &token[..token.len() - 5], "AAAAA");
    let mut forgeries = vec![
        changed,
        token[..token.len() / 2].to_owned(),
        format!("{token}A"),
        "FwoGZXIvYXdzEA".to_owned(),
        "x".repeat(7_000),
    ];
    forgeries.push(foreign.session_token.clone().unwrap());
    for forged in &forgeries {
        for signed in fixture.signed(&ana, forged) {
            fixture.refuses(&signed, "InvalidToken", 400).await;
        }
    }
    for signed in fixture.signed(&foreign, foreign.session_token.as_deref().unwrap()) {
        fixture.refuses(&signed, "InvalidToken", 400).await;
    }
}

#[tokio::test]
async fn a_token_is_good_for_its_own_access_key_only() {
    let fixture = Fixture::start().await;
    let (ana, other) = (fixture.ana(), fixture.ana());
    let token = ana.session_token.clone().unwrap();
    let long_term = Access::new("KEYOFANA", "secret");
    for access in [&other, &long_term, &fixture.world.main] {
        for signed in fixture.signed(access, &token) {
            fixture.refuses(&signed, "InvalidToken", 400).await;
        }
    }
}

#[tokio::test]
async fn a_token_alone_signs_nothing() {
    let fixture = Fixture::start().await;
    let ana = fixture.ana();
    let token = ana.session_token.clone().unwrap();
    let thief = Access {
        secret_access_key: "guessed".to_owned(),
        ..ana
    };
    for signed in fixture.signed(&thief, &token) {
        fixture.refuses(&signed, "SignatureDoesNotMatch", 403).await;
    }
    // Neither does one without any signature.
    let put = Draft::new(Method::PUT, BUCKET, "k").header(TOKEN, &token);
    let anonymous = put.body("text").anonymous(&fixture.world.host());
    fixture.refuses(&anonymous, "AccessDenied", 403).await;
}

#[tokio::test]
async fn a_token_that_is_doubled_or_not_signed_is_refused() {
    let fixture = Fixture::start().await;
    let ana = fixture.ana();
    let token = ana.session_token.clone().unwrap();
    let (now, host) = (fixture.now(), fixture.world.host());
    let hour = Duration::from_secs(3_600);
    let put = || Draft::new(Method::PUT, BUCKET, "k").body("text");

    let in_query = put().query("X-Amz-Security-Token", &token);
    let both = in_query
        .header(TOKEN, &token)
        .presign(&ana, now, &host, hour);
    fixture.refuses(&both, "InvalidToken", 400).await;

    let mut twice = put().header(TOKEN, &token).sign(&ana, now, &host);
    let value = twice.headers[TOKEN].clone();
    twice.headers.append(TOKEN, value);
    fixture.refuses(&twice, "InvalidArgument", 400).await;

    // Added after signing.
    let mut late = put().presign(&ana, now, &host, hour);
    late.query += &format!("&X-Amz-Security-Token={token}");
    fixture.refuses(&late, "SignatureDoesNotMatch", 403).await;
    let mut late = put().sign(&ana, now, &host);
    late.headers.insert(TOKEN, token.parse().unwrap());
    fixture.refuses(&late, "AccessDenied", 403).await;
}
