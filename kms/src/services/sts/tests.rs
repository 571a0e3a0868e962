//! What STS issues, and to whom it refuses what.

use proto::audit::Config;
use proto::iam::Principals;
use proto::identity::Secret;
use proto::mfa::MfaDevice;
use proto::mfa::VolatileMfa;
use proto::session::SessionKey;
use proto::time::ManualClock;

use super::*;

mod assume_role;

const ANA: &str = "arn:aws:iam::111122223333:user/ana";
const DEVICE: &str = "arn:aws:iam::111122223333:mfa/ana";
const SEED: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const NOW: i64 = 1_767_323_045;

const FILE: &str = r#"
[[user]]
name = "ana"
access_key_id = "AKIDANA"
secret_access_key = "canary-secret"
account = "111122223333"
mfa = [{ serial = "arn:aws:iam::111122223333:mfa/ana", secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" }]

[[user]]
name = "limited"
access_key_id = "AKIDLIMITED"
secret_access_key = "canary-secret"
account = "111122223333"
policies = []

[[user]]
name = "owner"
access_key_id = "AKIDROOT"
secret_access_key = "canary-secret"
account = "111122223333"
root = true

[[user]]
name = "bob"
access_key_id = "AKIDBOB"
secret_access_key = "canary-secret"
account = "444455556666"

[[role]]
name = "reader"
account = "111122223333"
path = "/team/"
max_session_seconds = 7200
tags = { level = "1" }
trust_policy = '''{ "Statement": [
    { "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
      "Principal": { "AWS": "111122223333" } },
    { "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": { "AWS": "444455556666" },
      "Condition": { "StringEquals": { "sts:ExternalId": "deal-7" } } }] }'''

[[role]]
name = "guarded"
account = "111122223333"
trust_policy = '''{ "Statement": [{ "Effect": "Allow", "Action": "sts:AssumeRole",
    "Principal": { "AWS": "arn:aws:iam::111122223333:user/ana" },
    "Condition": { "Bool": { "aws:MultiFactorAuthPresent": "true" } } }] }'''

[[role]]
name = "second"
account = "111122223333"
max_session_seconds = 7200
trust_policy = '''{ "Statement": [{ "Effect": "Allow", "Action": ["sts:AssumeRole", "sts:TagSession"],
    "Principal": { "AWS": "arn:aws:iam::111122223333:role/team/reader" } }] }'''
"#;

/// STS, and the clock that sessions follow.
struct World {
    sts: Sts,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let principals = Principals::parse(FILE).unwrap();
        let key = SessionKey::random().unwrap();
        let clock = Arc::new(ManualClock::new(now()));
        let iam = Iam::in_memory(principals, key, Arc::new(VolatileMfa::default()));
        let audit = Audit::open(&Config::default()).unwrap();
        let (real, moved) = (Arc::clone(&clock), Arc::clone(&clock));
        Self {
            sts: Sts::new(Arc::new(iam), real, moved, Arc::new(audit)),
            clock,
        }
    }

    fn user(&self, access_key_id: &str) -> Caller {
        let principals = self.sts.iam.principals();
        let user = principals.user_of_key(access_key_id).unwrap();
        caller(Identity::of_user(user), access_key_id)
    }

    /// The caller that credentials of an answer are for.
    fn session(&self, answer: &str) -> Caller {
        let (id, token) = (text(answer, "AccessKeyId"), text(answer, "SessionToken"));
        let opened = self.sts.iam.open_session(token, id, self.clock.now());
        let (identity, secret) = opened.unwrap();
        assert_eq!(secret.expose(), text(answer, "SecretAccessKey"));
        caller(identity, id)
    }

    async fn call(&self, caller: &Caller, form: &str) -> Result<String, StsError> {
        let form = format!("Version=2011-06-15&Action={form}");
        let parameters = Parameters::parse(form.as_bytes())?;
        self.sts.respond(caller, &parameters).await
    }

    async fn refused(&self, caller: &Caller, form: &str) -> (u16, &'static str, String) {
        let error = self.call(caller, form).await.unwrap_err();
        (error.status, error.code, error.message)
    }

    /// The code that the device shows now.
    fn code(&self) -> String {
        let device = MfaDevice::new(DEVICE, &Secret::new(SEED)).unwrap();
        device.code(self.clock.now())
    }
}

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW)
}

fn caller(identity: Identity, access_key_id: &str) -> Caller {
    let root = Caller::fixture(identity.account.as_str(), "us-east-1");
    Caller {
        principal_arn: identity.arn.as_str().into(),
        identity: Some(Arc::new(identity)),
        access_key_id: Some(access_key_id.into()),
        ..root
    }
}

/// The text of an element, the first of its name.
fn text<'a>(xml: &'a str, element: &str) -> &'a str {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    let start = xml
        .find(&open)
        .unwrap_or_else(|| panic!("{element} in {xml}"))
        + open.len();
    &xml[start..start + xml[start..].find(&close).unwrap()]
}

#[tokio::test]
async fn a_caller_learns_who_it_is() {
    let world = World::new();
    let answer = world
        .call(&world.user("AKIDANA"), "GetCallerIdentity")
        .await;
    let answer = answer.unwrap();
    assert_eq!(text(&answer, "Arn"), ANA);
    assert_eq!(text(&answer, "Account"), "111122223333");
    assert!(text(&answer, "UserId").starts_with("AIDA"));
    assert!(
        answer.starts_with(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Arn>"
        ),
        "{answer}"
    );
    assert!(answer.contains("<ResponseMetadata><RequestId>"), "{answer}");
    let root = world
        .call(&world.user("AKIDROOT"), "GetCallerIdentity")
        .await;
    assert_eq!(text(&root.unwrap(), "UserId"), "111122223333");
}

#[tokio::test]
async fn a_session_of_a_user_lasts_twelve_hours_and_of_root_one() {
    let world = World::new();
    for (user, form, seconds) in [
        ("AKIDANA", "GetSessionToken", 43_200),
        ("AKIDANA", "GetSessionToken&DurationSeconds=900", 900),
        ("AKIDROOT", "GetSessionToken", 3_600),
        ("AKIDROOT", "GetSessionToken&DurationSeconds=36000", 3_600),
    ] {
        let answer = world.call(&world.user(user), form).await.unwrap();
        let expected = now().plus(std::time::Duration::from_secs(seconds));
        assert_eq!(text(&answer, "Expiration"), expected.iso8601(), "{form}");
        let session = world.session(&answer);
        let identity = session.identity.unwrap();
        assert_eq!(identity.arn, world.user(user).identity.unwrap().arn);
        assert!(!identity.session().unwrap().mfa);
    }
}

#[tokio::test]
async fn a_session_with_a_code_is_one_with_mfa_and_the_code_counts_once() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let form = format!(
        "GetSessionToken&SerialNumber={DEVICE}&TokenCode={}",
        world.code()
    );
    let answer = world.call(&ana, &form).await.unwrap();
    let session = world.session(&answer).identity.unwrap();
    assert!(session.session().unwrap().mfa);
    let denied = |text: &str| (403, "AccessDenied", text.to_owned());
    assert_eq!(
        world.refused(&ana, &form).await,
        denied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    );
    let unknown = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA \
                   serial number is valid and associated with this user.";
    for caller in [world.user("AKIDBOB"), world.user("AKIDLIMITED")] {
        assert_eq!(world.refused(&caller, &form).await, denied(unknown));
    }
    let alone = world
        .refused(&ana, "GetSessionToken&TokenCode=123456")
        .await;
    assert_eq!((alone.0, alone.1), (403, "AccessDenied"));
}

#[tokio::test]
async fn a_session_gets_no_session_of_its_own_rights() {
    let world = World::new();
    let answer = world.call(&world.user("AKIDANA"), "GetSessionToken").await;
    let session = world.session(&answer.unwrap());
    for (form, message) in [
        (
            "GetSessionToken",
            "Cannot call GetSessionToken with session credentials",
        ),
        (
            "GetFederationToken&Name=bob",
            "Cannot call GetFederationToken with session credentials",
        ),
    ] {
        let refused = world.refused(&session, form).await;
        assert_eq!(refused, (403, "AccessDenied", message.to_owned()));
    }
}

#[tokio::test]
async fn what_the_model_does_not_allow_is_named_with_aws_s_words() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    for (form, message) in [
        (
            "GetSessionToken&DurationSeconds=899",
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: \
             Member must have value greater than or equal to 900",
        ),
        (
            "GetSessionToken&DurationSeconds=129601",
            "1 validation error detected: Value '129601' at 'durationSeconds' failed to satisfy \
             constraint: Member must have value less than or equal to 129600",
        ),
        (
            "AssumeRole&RoleArn=arn:aws:iam::111122223333:role/team/reader&RoleSessionName=a",
            "1 validation error detected: Value 'a' at 'roleSessionName' failed to satisfy constraint: \
             Member must have length greater than or equal to 2",
        ),
        (
            "AssumeRole&RoleArn=arn:aws:iam::111122223333:role/team/reader",
            "2 validation errors detected: Value null at 'roleSessionName' failed to satisfy constraint: \
             Member must not be null",
        ),
        (
            "AssumeRole&RoleArn=arn:aws:iam::111122223333:user/ana&RoleSessionName=monday",
            "arn:aws:iam::111122223333:user/ana is invalid",
        ),
    ] {
        let refused = world.refused(&ana, form).await;
        assert_eq!((refused.0, refused.1), (400, "ValidationError"), "{form}");
        let expected = message.replace("2 validation errors", "1 validation error");
        assert_eq!(refused.2, expected, "{form}");
    }
}

#[tokio::test]
async fn operations_that_there_are_not_are_refused_by_name() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let unknown = world.refused(&ana, "DecodeAuthorizationMessage").await;
    assert_eq!((unknown.0, unknown.1), (400, "InvalidAction"));
    for action in ["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"] {
        let refused = world.refused(&ana, action).await;
        assert_eq!((refused.0, refused.1), (400, "InvalidIdentityToken"));
    }
    for form in ["Action=GetCallerIdentity", "Version=2011-06-15"] {
        let parameters = Parameters::parse(form.as_bytes()).unwrap();
        let error = world.sts.respond(&ana, &parameters).await.unwrap_err();
        assert_eq!(error.code, "InvalidAction", "{form}");
    }
    for form in ["Action=A&Action=B", "Action=%zz", "Action=%ff"] {
        assert!(Parameters::parse(form.as_bytes()).is_err(), "{form}");
    }
}

#[tokio::test]
async fn a_federated_user_has_the_part_of_its_user_s_rights_that_its_policy_names() {
    let world = World::new();
    let policy = "%7B%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3AGetObject\
                  %22%2C%22Resource%22%3A%22*%22%7D%5D%7D";
    let form = format!("GetFederationToken&Name=guest&Policy={policy}");
    let answer = world.call(&world.user("AKIDANA"), &form).await.unwrap();
    assert_eq!(text(&answer, "FederatedUserId"), "111122223333:guest");
    let identity = world.session(&answer).identity.unwrap();
    assert_eq!(
        identity.arn,
        "arn:aws:sts::111122223333:federated-user/guest"
    );
    let rights = identity.for_request(&proto::policy::Context::new());
    let decide = |action| rights.decide(action, "arn:aws:s3:::bucket/key");
    assert_eq!(decide("s3:GetObject"), proto::policy::Decision::Allow);
    assert_eq!(decide("s3:PutObject"), proto::policy::Decision::NoMatch);

    let refused = world.refused(&world.user("AKIDLIMITED"), &form).await;
    assert_eq!((refused.0, refused.1), (403, "AccessDenied"));
}

#[tokio::test]
async fn the_trail_has_each_call_without_secrets_tokens_and_codes() {
    let world = World::new();
    let ana = world.user("AKIDANA");
    let code = world.code();
    let form = format!("GetSessionToken&SerialNumber={DEVICE}&TokenCode={code}");
    let answer = world.call(&ana, &form).await.unwrap();
    let role = "arn:aws:iam::111122223333:role/team/reader";
    let form = format!("AssumeRole&RoleArn={role}&RoleSessionName=monday");
    world.call(&ana, &form).await.unwrap();
    world.refused(&ana, &form.replace("reader", "nobody")).await;

    let events = world.sts.audit.lookup(10, |_| true);
    let written: Vec<serde_json::Value> = events
        .iter()
        .map(|event| serde_json::to_value(&**event).unwrap())
        .collect();
    let names: Vec<_> = written.iter().map(|event| &event["eventName"]).collect();
    assert_eq!(names, ["AssumeRole", "AssumeRole", "GetSessionToken"]);
    assert_eq!(written[0]["errorCode"], "AccessDenied");
    assert_eq!(written[1]["eventSource"], "sts.amazonaws.com");
    assert_eq!(written[1]["requestParameters"]["roleArn"], role);
    assert_eq!(written[1]["resources"][0]["type"], "AWS::IAM::Role");
    let arn = &written[1]["responseElements"]["assumedRoleUser"]["arn"];
    assert_eq!(arn, "arn:aws:sts::111122223333:assumed-role/reader/monday");
    assert_eq!(written[2]["requestParameters"]["serialNumber"], DEVICE);
    let all = serde_json::to_string(&written).unwrap();
    let (token, secret) = (
        text(&answer, "SessionToken"),
        text(&answer, "SecretAccessKey"),
    );
    for hidden in [&*code, token, secret, "canary"] {
        assert!(!all.contains(hidden), "{hidden} in {all}");
    }
}
