//! Access points: S3 Control's operations, the ways to name one, and who may do what through one.

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use http::Response;
use proto::iam::Iam;
use proto::iam::Principals;
use proto::mfa::MfaFile;
use proto::session::SessionKey;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Signed;
use tests::world::World;

mod addresses;
mod blocks;
mod control;
mod copies;
mod life;
mod rights;

pub const BUCKET: &str = "data";
pub const NAME: &str = "my-ap";
pub const REGION: &str = "us-east-1";

/// A gateway with a bucket, and users of two accounts.
pub struct Points {
    pub world: World,
    /// A user of the bucket's account without any policy.
    pub nobody: Access,
    /// One who may do everything by its identity policy.
    pub admin: Access,
    /// A user of another account without any policy.
    pub outsider: Access,
    /// One of another account who may do everything by its identity policy.
    pub trusted: Access,
    /// One of another account whose identity policy lets it read through the access point, and nothing else.
    pub visitor: Access,
    /// One of the bucket's account who may read objects that are tagged `class=open` from this machine, and none below
    /// `secret/`.
    pub reader: Access,
    /// One of the bucket's account who may look at the access point, and do nothing else.
    pub keeper: Access,
    _folder: tempfile::TempDir,
}

impl Points {
    pub async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut gateway::config::Config) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(MfaFile::new(&folder.path().join("mfa.json")));
        let all =
            r#"["""{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}"""]"#;
        let user = |name: &str, account: &str, policies: &str| {
            let id = name.to_uppercase();
            format!(
                "[[user]]\nname = '{name}'\naccess_key_id = 'KEYOF{id}'\n\
                 secret_access_key = 'secret-of-{name}'\naccount = '{account}'\n\
                 policies = {policies}\n"
            )
        };
        let visits = format!(r#"["""{}"""]"#, policy(&readers_of(NAME)));
        let reads = format!(
            r#"["""{{"Statement": [
                {{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
                  "Condition": {{"StringEquals": {{"s3:ExistingObjectTag/class": "open"}},
                                "IpAddress": {{"aws:SourceIp": "127.0.0.0/8"}}}}}},
                {{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::{BUCKET}/secret/*"}}]}}"""]"#
        );
        let keeps = format!(
            r#"["""{{"Statement": [{{"Effect": "Allow", "Action": "s3:GetAccessPoint",
                "Resource": "{}"}}]}}"""]"#,
            point_arn(NAME)
        );
        let file = [
            user("nobody", MAIN_ACCOUNT, "[]"),
            user("admin", MAIN_ACCOUNT, all),
            user("outsider", ALT_ACCOUNT, "[]"),
            user("trusted", ALT_ACCOUNT, all),
            user("visitor", ALT_ACCOUNT, &visits),
            user("reader", MAIN_ACCOUNT, &reads),
            user("keeper", MAIN_ACCOUNT, &keeps),
        ]
        .concat();
        let principals = Principals::parse(&file).unwrap();
        let iam = Iam::in_memory(principals, SessionKey::random().unwrap(), memory);
        let setup = World::setup().gateway(change).iam(Arc::new(iam));
        let world = setup.start().await;
        world.create_bucket(BUCKET).await;
        let access = |name: &str| {
            let id = format!("KEYOF{}", name.to_uppercase());
            Access::new(&id, &format!("secret-of-{name}"))
        };
        Self {
            world,
            nobody: access("nobody"),
            admin: access("admin"),
            outsider: access("outsider"),
            trusted: access("trusted"),
            visitor: access("visitor"),
            reader: access("reader"),
            keeper: access("keeper"),
            _folder: folder,
        }
    }

    /// Sends as the main account, by the path.
    pub async fn send(&self, draft: Draft) -> Answer {
        self.send_as(&self.world.main, draft).await
    }

    /// Sends by the path.
    pub async fn send_as(&self, access: &Access, draft: Draft) -> Answer {
        let host = self.world.host();
        self.send_to(access, &host, draft).await
    }

    /// Sends to a host of this name.
    pub async fn send_to(&self, access: &Access, host: &str, draft: Draft) -> Answer {
        self.send_signed(&draft.sign(access, self.world.now(), host))
            .await
    }

    pub async fn send_signed(&self, signed: &Signed) -> Answer {
        Answer::new(signed.send(&self.world.target()).await.unwrap())
    }

    /// A host under the gateway's own name.
    pub fn host(&self, label: &str) -> String {
        let host = self.world.host();
        let (_, port) = host.rsplit_once(':').unwrap();
        format!("{label}.localhost:{port}")
    }

    /// The host of an access point of the main account.
    pub fn host_of(&self, name: &str) -> String {
        self.host(&format!("{name}-{MAIN_ACCOUNT}"))
    }

    /// Creates the access point; its alias.
    pub async fn create(&self, name: &str, bucket: &str) -> String {
        let answer = self.send(creation(name, bucket, "")).await;
        assert_eq!(answer.outcome(), (200, ""), "{}", answer.text);
        answer.element("Alias").to_owned()
    }

    pub async fn put_point_policy(&self, name: &str, statements: &str) {
        let answer = self.send(point_policy(name, statements)).await;
        assert_eq!(answer.outcome(), (200, ""), "{}", answer.text);
    }

    pub async fn put_bucket_policy(&self, statements: &str) {
        let put = Draft::new(Method::PUT, BUCKET, "").query("policy", "");
        let answer = self.send(put.body(policy(statements))).await;
        assert_eq!(answer.outcome(), (204, ""), "{}", answer.text);
    }

    /// Lets the bucket's access control lists count, public ones too.
    pub async fn let_lists_count(&self) {
        let controls = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                        </OwnershipControls>";
        let put = Draft::new(Method::PUT, BUCKET, "").query("ownershipControls", "");
        assert_eq!(self.send(put.body(controls)).await.status, 200);
    }

    /// Puts an object, by the bucket.
    pub async fn put(&self, key: &str, body: &'static str) {
        let put = Draft::new(Method::PUT, BUCKET, key).body(body);
        assert_eq!(self.send(put).await.status, 200);
    }

    /// The status of a GET through the access point, by its host.
    pub async fn get_through(&self, access: &Access, key: &str) -> u16 {
        let get = Draft::raw(Method::GET, &format!("/{key}"));
        self.send_to(access, &self.host_of(NAME), get).await.status
    }

    /// The status of a GET by the bucket.
    pub async fn get_directly(&self, access: &Access, key: &str) -> u16 {
        self.send_as(access, Draft::new(Method::GET, BUCKET, key))
            .await
            .status
    }
}

/// An answer, and what is often looked for in it.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
    pub response: Response<Bytes>,
}

impl Answer {
    pub fn new(response: Response<Bytes>) -> Self {
        Self {
            status: response.status().as_u16(),
            text: String::from_utf8_lossy(response.body()).into_owned(),
            response,
        }
    }

    /// The text of the first element of this name.
    pub fn element(&self, name: &str) -> &str {
        let (_, rest) = self
            .text
            .split_once(&format!("<{name}>"))
            .unwrap_or_default();
        rest.split_once("</").unwrap_or_default().0
    }

    /// Status and code of an error.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }
}

/// A request to S3 Control by the main account.
pub fn control(method: Method, path: &str) -> Draft {
    control_of(MAIN_ACCOUNT, method, path)
}

/// A request to S3 Control about this account.
pub fn control_of(account: &str, method: Method, path: &str) -> Draft {
    Draft::raw(method, &format!("/v20180820/{path}")).header("x-amz-account-id", account)
}

/// CreateAccessPoint with further elements.
pub fn creation(name: &str, bucket: &str, more: &str) -> Draft {
    control(Method::PUT, &format!("accesspoint/{name}")).body(creation_document(bucket, more))
}

/// The document of CreateAccessPoint.
pub fn creation_document(bucket: &str, more: &str) -> String {
    format!(
        "<CreateAccessPointRequest xmlns='http://awss3control.amazonaws.com/doc/2018-08-20/'>\
         <Bucket>{bucket}</Bucket>{more}</CreateAccessPointRequest>"
    )
}

/// PutAccessPointPolicy.
pub fn point_policy(name: &str, statements: &str) -> Draft {
    let text = policy(statements)
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    control(Method::PUT, &format!("accesspoint/{name}/policy")).body(format!(
        "<PutAccessPointPolicyRequest><Policy>{text}</Policy></PutAccessPointPolicyRequest>"
    ))
}

pub fn policy(statements: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)
}

/// A statement that allows reading the objects of an access point to a user or account.
pub fn readers(name: &str, principal: &str) -> String {
    format!(
        r#"{{"Effect": "Allow", "Principal": {{"AWS": "{principal}"}}, "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{name}/object/*"}}"#
    )
}

/// A statement of an identity policy that allows reading the objects of an access point.
fn readers_of(name: &str) -> String {
    format!(
        r#"{{"Effect": "Allow", "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{name}/object/*"}}"#
    )
}

/// The ARN of an access point of the main account.
pub fn point_arn(name: &str) -> String {
    format!("arn:aws:s3:{REGION}:{MAIN_ACCOUNT}:accesspoint/{name}")
}

/// The ARN of a user.
pub fn user_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:user/{name}")
}

/// The statement by which a bucket leaves the decision to the access points of its account.
pub fn delegation() -> String {
    format!(
        r#"{{"Effect": "Allow", "Principal": "*", "Action": "*",
            "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"],
            "Condition": {{"StringEquals": {{"s3:DataAccessPointAccount": "{MAIN_ACCOUNT}"}}}}}}"#
    )
}
