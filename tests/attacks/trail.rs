//! What a trail has of requests that carry secrets: none of them, wherever they stand and however the request ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use md5::Digest as _;
use md5::Md5;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::mfa::VolatileMfa;
use proto::session::Session;
use proto::session::SessionKey;
use sealgate::credentials::MAIN_ACCOUNT;
use serde_json::Value;
use tests::clients::Access;
use tests::form::Form;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

const CUSTOMER_KEY: &[u8; 32] = b"customer-key-canary-32-bytes-lon";
const PLAINTEXT: &str = "plaintext-canary";
const METADATA: &str = "metadata-canary";
const CODE: &str = "mfa-serial-canary 123456";
const QUERY: &str = "query-canary";

fn users() -> Iam {
    let ana = format!(
        "[[user]]\nname = 'ana'\naccess_key_id = 'KEYOFANA'\nsecret_access_key = 'secret'\n\
         account = '{MAIN_ACCOUNT}'\n"
    );
    let principals = Principals::parse(&ana).unwrap();
    let memory = Arc::new(VolatileMfa::default());
    Iam::in_memory(principals, SessionKey::random().unwrap(), memory)
}

fn session(iam: &Iam, world: &World) -> Access {
    let arn = format!("arn:aws:iam::{MAIN_ACCOUNT}:user/ana");
    let now = world.now();
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
    Access::of_session(&iam.sessions().issue(&session).unwrap())
}

/// The same writes and reads, signed in each way that there is.
fn requests(access: &Access, token: &str, world: &World) -> Vec<Signed> {
    let (now, host, hour) = (world.now(), world.host(), Duration::from_secs(3_600));
    let key = STANDARD.encode(CUSTOMER_KEY);
    let digest = STANDARD.encode(Md5::digest(CUSTOMER_KEY));
    let with_key = |draft: Draft| {
        draft
            .header("x-amz-server-side-encryption-customer-algorithm", "AES256")
            .header("x-amz-server-side-encryption-customer-key", &key)
            .header("x-amz-server-side-encryption-customer-key-md5", &digest)
    };
    let put = || Draft::new(Method::PUT, "bkt", "k").body(PLAINTEXT);
    let get = || Draft::new(Method::GET, "bkt", "k");
    let in_header = |draft: Draft| draft.header("x-amz-security-token", token);
    let in_query = |draft: Draft| draft.query("X-Amz-Security-Token", token);
    let copy = || {
        Draft::new(Method::PUT, "bkt", "copy")
            .header("x-amz-copy-source", "/bkt/k")
            .header(
                "x-amz-copy-source-server-side-encryption-customer-algorithm",
                "AES256",
            )
            .header(
                "x-amz-copy-source-server-side-encryption-customer-key",
                &key,
            )
            .header(
                "x-amz-copy-source-server-side-encryption-customer-key-md5",
                &digest,
            )
    };
    let metadata = put()
        .header("x-amz-meta-a", METADATA)
        .header("x-amz-tagging", METADATA);
    vec![
        in_header(with_key(put())).sign(access, now, &host),
        in_header(with_key(get())).sign(access, now, &host),
        in_header(copy()).sign(access, now, &host),
        in_header(metadata).sign(access, now, &host),
        // The key is missing, or another, or in the query.
        in_header(get()).sign(access, now, &host),
        in_query(get().query("x-amz-server-side-encryption-customer-key", &key))
            .query("x-anything", QUERY)
            .presign(access, now, &host, hour),
        in_query(put()).presign(access, now, &host, hour),
        in_header(put()).sign_version_2(access, now, &host),
        in_header(Draft::new(Method::DELETE, "bkt", "k"))
            .header("x-amz-mfa", CODE)
            .query("versionId", "v")
            .sign(access, now, &host),
        in_query(get().query("x-amz-server-side-encryption-customer-key-md5", &digest))
            .presign(access, now, &host, hour),
        Form::new("bkt", "form", PLAINTEXT)
            .field("x-amz-security-token", token)
            .field("x-amz-meta-a", METADATA)
            .sign(access, now, &host),
        get().query("X-Amz-Signature", QUERY).anonymous(&host),
        Draft::new(Method::OPTIONS, "bkt", "k")
            .query("X-Amz-Signature", QUERY)
            .query("X-Amz-Security-Token", token)
            .header("origin", "https://example.com")
            .header("access-control-request-method", "GET")
            .anonymous(&host),
    ]
}

/// What a signed request shows of its signature.
fn signature(request: &Signed) -> Option<String> {
    let bytes = request.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let marks = ["Signature=", "X-Amz-Signature="];
    let found = marks.iter().find_map(|mark| text.split_once(mark));
    let end = |rest: &str| {
        rest.split(|c: char| !c.is_ascii_hexdigit())
            .next()
            .map(str::to_owned)
    };
    found
        .and_then(|(_, rest)| end(rest))
        .filter(|it| it.len() == 64)
}

#[tokio::test]
async fn no_event_holds_a_key_a_token_a_signature_a_code_or_bytes_of_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail.jsonl");
    let file = path.clone();
    let iam = Arc::new(users());
    let setup = World::setup().iam(Arc::clone(&iam)).gateway(move |config| {
        config.audit.file = Some(file);
        config.audit.data_events = true;
        config.objects.allow_insecure_sse = true;
        config.authenticate.sigv2 = true;
    });
    let world = setup.start().await;
    world.create_bucket("bkt").await;
    let access = session(&iam, &world);
    let token = access.session_token.clone().unwrap();
    let requests = requests(&access, &token, &world);
    for request in &requests {
        request.send(&world.target()).await.unwrap();
    }
    let secret = access.secret_access_key.clone();
    world.gateway.stop().await;

    let text = std::fs::read_to_string(&path).unwrap();
    let events: Vec<Value> = text
        .lines()
        .map(|it| serde_json::from_str(it).unwrap())
        .collect();
    let count = |name: &str| events.iter().filter(|it| it["eventName"] == name).count();
    assert!(count("PutObject") >= 3 && count("GetObject") >= 3, "{text}");
    assert_eq!(
        [
            count("CopyObject"),
            count("PostObject"),
            count("PreflightRequest")
        ],
        [1, 1, 1]
    );
    let digest = STANDARD.encode(Md5::digest(CUSTOMER_KEY));
    let mut secrets = vec![
        token[..64].to_owned(),
        secret,
        STANDARD.encode(CUSTOMER_KEY),
        digest,
        "canary".to_owned(),
        "AWS4-HMAC-SHA256 ".to_owned(),
        "Credential".to_owned(),
    ];
    let signatures: Vec<String> = requests.iter().filter_map(signature).collect();
    assert!(signatures.len() > 5);
    secrets.extend(signatures);
    for secret in secrets {
        let line = text.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret}");
    }
}
