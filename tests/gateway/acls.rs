//! Object Ownership and access control lists: what is taken, what it permits, and to whom objects belong.

use bytes::Bytes;
use gateway::bucket::ownership::ObjectOwnership;
use http::Method;
use http::Response;
use proto::identity::AccountId;
use sealgate::credentials::ALT_ACCOUNT;
use sealgate::credentials::MAIN_ACCOUNT;
use tests::expect::expect_s3_error;
use tests::signed::Draft;
use tests::world::World;

mod attacks;
mod buckets;
mod objects;
mod ownership;
mod writers;

const BUCKET: &str = "lists";

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    /// A user of the account that owns the buckets.
    Main,
    /// A user of another account.
    Alt,
    /// Nobody in particular.
    Anonymous,
}

/// A gateway with a bucket.
struct Lists {
    world: World,
}

impl Lists {
    /// A bucket of these ownership controls, with public access not blocked.
    async fn start(ownership: ObjectOwnership) -> Self {
        let setup =
            World::setup().gateway(move |config| config.object_ownership.new_buckets = ownership);
        let world = setup.start().await;
        let lists = Self { world };
        let create = Draft::new(Method::PUT, BUCKET, "");
        lists.does(Sender::Main, create).await;
        lists
    }

    async fn of_object_writers() -> Self {
        Self::start(ObjectOwnership::ObjectWriter).await
    }

    async fn send(&self, sender: Sender, draft: Draft) -> Response<Bytes> {
        let (host, now) = (self.world.host(), self.world.now());
        let signed = match sender {
            Sender::Main => draft.sign(&self.world.main, now, &host),
            Sender::Alt => draft.sign(&self.world.alt, now, &host),
            Sender::Anonymous => draft.anonymous(&host),
        };
        signed.send(&self.world.target()).await.unwrap()
    }

    /// Sends what must be done; returns the body of the answer.
    #[track_caller]
    fn does(&self, sender: Sender, draft: Draft) -> impl Future<Output = String> {
        let caller = std::panic::Location::caller();
        async move {
            let answer = self.send(sender, draft).await;
            let body = String::from_utf8_lossy(answer.body()).into_owned();
            assert!(answer.status().is_success(), "{caller}: {body}");
            body
        }
    }

    async fn is_refused(&self, sender: Sender, draft: Draft, code: &str, status: u16) {
        expect_s3_error(&self.send(sender, draft).await, code, status);
    }

    async fn status(&self, sender: Sender, draft: Draft) -> u16 {
        self.send(sender, draft).await.status().as_u16()
    }

    /// How many requests about lists of objects the state bucket received.
    fn list_requests(&self) -> usize {
        let requests = self.world.backend.requests();
        let is_list = |path: &str| path.starts_with("/sealgate-state/") && path.contains("/acls/");
        requests.iter().filter(|it| is_list(&it.path)).count()
    }
}

fn get(key: &str) -> Draft {
    Draft::new(Method::GET, BUCKET, key)
}

fn put(key: &str) -> Draft {
    Draft::new(Method::PUT, BUCKET, key).body("an object")
}

fn delete(key: &str) -> Draft {
    Draft::new(Method::DELETE, BUCKET, key)
}

/// The list of a bucket, without a key, or of an object.
fn get_acl(key: &str) -> Draft {
    get(key).query("acl", "")
}

fn put_acl(key: &str) -> Draft {
    Draft::new(Method::PUT, BUCKET, key).query("acl", "")
}

fn canned(draft: Draft, name: &str) -> Draft {
    draft.header("x-amz-acl", name)
}

fn id(account: &str) -> String {
    account.parse::<AccountId>().unwrap().canonical_user_id()
}

fn main_id() -> String {
    id(MAIN_ACCOUNT)
}

fn alt_id() -> String {
    id(ALT_ACCOUNT)
}

/// A list with this owner and these grants: type and text of the grantee, and the permission.
fn document(owner: &str, grants: &[(&str, &str, &str)]) -> String {
    let grants: String = grants
        .iter()
        .map(|(kind, grantee, permission)| {
            let element = match *kind {
                "Group" => "URI",
                "AmazonCustomerByEmail" => "EmailAddress",
                _ => "ID",
            };
            format!(
                "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
                 <{element}>{grantee}</{element}></Grantee><Permission>{permission}</Permission></Grant>"
            )
        })
        .collect();
    format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList>{grants}</AccessControlList>\
         </AccessControlPolicy>"
    )
}

fn controls(ownership: &str) -> Draft {
    let document = format!(
        "<OwnershipControls><Rule><ObjectOwnership>{ownership}</ObjectOwnership></Rule></OwnershipControls>"
    );
    Draft::new(Method::PUT, BUCKET, "")
        .query("ownershipControls", "")
        .body(document)
}

/// A block of public access with these settings on.
fn block(settings: &[&str]) -> Draft {
    let settings: String = settings
        .iter()
        .map(|it| format!("<{it}>true</{it}>"))
        .collect();
    let document =
        format!("<PublicAccessBlockConfiguration>{settings}</PublicAccessBlockConfiguration>");
    Draft::new(Method::PUT, BUCKET, "")
        .query("publicAccessBlock", "")
        .body(document)
}
