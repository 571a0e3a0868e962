//! The record of a bucket, changed by several gateways and several accounts at the same moment.
//!
//! Each case of a race is made by holding a request at the backend, not by chance; beside them a few
//! run many times at once.

use gateway::server::Running;
use http::Method;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::clients::Access;
use tests::signed::Draft;
use tests::signed::Target;
use tests::world::World;

const RECORD: &str = "buckets/bkt/record";
const DENY: &str = r#"{"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject",
    "Resource": "arn:aws:s3:::bkt/*"}]}"#;

/// Two gateways before one backend.
struct Two {
    world: World,
    other: Running,
}

impl Two {
    async fn start(fresh_ms: u64) -> Self {
        let setup = World::setup().gateway(move |config| config.state.fresh_ms = fresh_ms);
        let world = setup.start().await;
        let other = world.another_gateway().await;
        Self { world, other }
    }

    fn targets(&self) -> [Target; 2] {
        let address = self.other.s3_addr.unwrap();
        [self.world.target(), Target { address, tls: None }]
    }

    /// Sends through one of the two; status and code of the answer.
    async fn send(&self, through: usize, access: &Access, draft: Draft) -> (u16, String) {
        let target = &self.targets()[through];
        let host = target.address.to_string();
        let signed = draft.sign(access, self.world.now(), &host);
        let answer = signed.send(target).await.unwrap();
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        let code = text
            .split_once("<Code>")
            .and_then(|it| it.1.split_once('<'));
        let code = code.map_or("", |(code, _)| code);
        (answer.status().as_u16(), code.to_owned())
    }

    async fn main(&self, through: usize, draft: Draft) -> (u16, String) {
        self.send(through, &self.world.main, draft).await
    }

    async fn alt(&self, through: usize, draft: Draft) -> (u16, String) {
        self.send(through, &self.world.alt, draft).await
    }

    /// Holds the next such request at the backend once it acted; what to wait for, and how to go on.
    fn pause_after(&self, method: Method, path: &'static str) -> (Gate, Gate) {
        let (reached, go_on) = (Gate::default(), Gate::default());
        let action = Action::PauseAfter(reached.clone(), go_on.clone());
        let on = move |it: &tests::backend::Recorded| it.method == method && it.path == path;
        self.world.backend.inject(Fault::on(on, action).times(1));
        (reached, go_on)
    }
}

fn create() -> Draft {
    Draft::new(Method::PUT, "bkt", "")
}

fn delete() -> Draft {
    Draft::new(Method::DELETE, "bkt", "")
}

fn put_policy() -> Draft {
    create().query("policy", "").body(DENY)
}

fn get_policy() -> Draft {
    Draft::new(Method::GET, "bkt", "").query("policy", "")
}

fn put() -> Draft {
    Draft::new(Method::PUT, "bkt", "k").body("body")
}

fn get() -> Draft {
    Draft::new(Method::GET, "bkt", "k")
}

fn ok(status: u16) -> (u16, String) {
    (status, String::new())
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn creating_a_bucket_twice_removes_nothing_that_was_put_in_between() {
    let two = Two::start(0).await;
    let (reached, go_on) = two.pause_after(Method::PUT, "/bkt");
    let first = two.main(0, create());
    let meanwhile = async {
        reached.reached().await;
        assert_eq!(two.main(1, create()).await, ok(200));
        assert_eq!(two.main(1, put_policy()).await, ok(204));
        go_on.reach();
    };
    let (first, ()) = futures_util::future::join(first, meanwhile).await;
    assert_eq!(first, ok(200));
    assert_eq!(two.main(0, create()).await, ok(200));
    for through in [0, 1] {
        assert_eq!(two.main(through, get_policy()).await, ok(200));
    }
}

#[tokio::test]
async fn a_deletion_that_ends_late_leaves_the_bucket_that_came_after_it_alone() {
    let two = Two::start(0).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    let (reached, go_on) = two.pause_after(Method::DELETE, "/bkt");
    let deletion = two.main(0, delete());
    let meanwhile = async {
        reached.reached().await;
        // Meanwhile it is there for nobody, and its name is not free yet.
        assert_eq!(two.main(1, get()).await, refused(404, "NoSuchBucket"));
        assert_eq!(two.alt(1, create()).await, refused(409, "OperationAborted"));
        assert_eq!(two.main(1, create()).await, ok(200));
        assert_eq!(two.main(1, put_policy()).await, ok(204));
        go_on.reach();
    };
    let (deletion, ()) = futures_util::future::join(deletion, meanwhile).await;
    assert_eq!(deletion, ok(204));
    for through in [0, 1] {
        assert_eq!(two.main(through, get_policy()).await, ok(200));
        assert_eq!(two.alt(through, put()).await, refused(403, "AccessDenied"));
    }
}

#[tokio::test]
async fn another_accounts_bucket_is_its_own_through_every_gateway_from_its_first_moment() {
    let two = Two::start(60_000).await;
    assert_eq!(two.main(0, get()).await, refused(404, "NoSuchBucket"));
    assert_eq!(two.alt(1, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, refused(403, "AccessDenied"));
    assert_eq!(two.alt(0, put()).await, ok(200));
    assert_eq!(two.main(0, get()).await, refused(403, "AccessDenied"));
}

#[tokio::test]
async fn of_accounts_that_create_one_bucket_at_once_the_one_that_is_told_so_owns_it() {
    let two = Two::start(0).await;
    for round in 0..10 {
        let name = format!("race-{round}");
        let create = || Draft::new(Method::PUT, &name, "");
        let (accesses, two) = ([&two.world.main, &two.world.alt], &two);
        let racing = (0..8).map(|at| two.send(at / 4, accesses[at % 2], create()));
        let outcomes = futures_util::future::join_all(racing).await;
        let put = || Draft::new(Method::PUT, &name, "k").body("x");
        let mut owners = 0;
        for (side, access) in accesses.into_iter().enumerate() {
            let mut own = outcomes.iter().skip(side).step_by(2);
            let won = own.any(|outcome| outcome.0 == 200);
            let expected = if won { 200 } else { 403 };
            for through in [0, 1] {
                assert_eq!(
                    two.send(through, access, put()).await.0,
                    expected,
                    "{outcomes:?}"
                );
            }
            owners += usize::from(won);
        }
        assert_eq!(owners, 1, "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_policy_that_is_read_while_it_is_put_never_wins() {
    let two = Two::start(60_000).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, ok(200));
    // The other gateway reads the record without the policy, and hears of it late.
    let (reached, go_on) = two.pause_after(Method::GET, "/sealgate-state/buckets/bkt/record");
    let early = two.main(1, get());
    let meanwhile = async {
        reached.reached().await;
        assert_eq!(two.main(1, put_policy()).await, ok(204));
        go_on.reach();
    };
    futures_util::future::join(early, meanwhile).await;
    assert_eq!(two.main(1, get()).await, refused(403, "AccessDenied"));
}

#[tokio::test]
async fn changes_of_several_configurations_at_once_lose_none() {
    let two = Two::start(0).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    let cors = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
        <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>";
    let encryption = "<ServerSideEncryptionConfiguration><Rule>\
        <ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
        </ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>";
    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
        </PublicAccessBlockConfiguration>";
    let documents = [
        ("policy", DENY),
        ("cors", cors),
        ("encryption", encryption),
        ("publicAccessBlock", block),
    ];
    for _ in 0..5 {
        let put = |(at, (name, body)): (usize, &(&str, &'static str))| {
            two.main(at % 2, create().query(name, "").body(*body))
        };
        let puts = documents.iter().enumerate().map(put);
        for outcome in futures_util::future::join_all(puts).await {
            assert!(outcome.0 < 300, "{outcome:?}");
        }
        for (name, _) in documents {
            let get = || Draft::new(Method::GET, "bkt", "").query(name, "");
            assert_eq!(two.main(0, get()).await, ok(200), "{name}");
            let delete = delete().query(name, "");
            assert_eq!(two.main(1, delete).await, ok(204), "{name}");
        }
    }
}

#[tokio::test]
async fn a_change_that_others_are_always_ahead_of_is_aborted() {
    let two = Two::start(0).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    let lost = Action::RefuseAfterBody(412, "PreconditionFailed");
    let fault = Fault::on_path(Method::PUT, RECORD, lost);
    two.world.backend.inject(fault);
    let outcome = two.main(0, put_policy()).await;
    assert_eq!(outcome, refused(409, "OperationAborted"));
}

#[tokio::test]
async fn a_record_that_was_put_back_or_removed_at_the_backend_is_noticed() {
    let two = Two::start(0).await;
    let backend = &two.world.backend;
    assert_eq!(two.main(0, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, ok(200));
    let before = backend.object("sealgate-state", RECORD).unwrap();
    assert_eq!(two.main(0, put_policy()).await, ok(204));
    assert_eq!(two.main(0, get()).await, refused(403, "AccessDenied"));
    backend.plant("sealgate-state", RECORD, before);
    assert_eq!(two.main(0, get()).await.0, 503);
    let gone = Action::Refuse(404, "NoSuchKey");
    backend.inject(Fault::on_path(Method::GET, RECORD, gone));
    assert_eq!(two.main(0, get()).await.0, 503);
}

#[tokio::test]
async fn a_deletion_that_broke_off_is_ended_by_the_next_one() {
    let two = Two::start(0).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, ok(200));
    let refuse = Action::Refuse(500, "InternalError");
    let fault = Fault::on(|it| it.method == Method::GET && it.path == "/bkt", refuse);
    two.world.backend.inject(fault);
    assert_eq!(two.main(0, delete()).await.0, 500);
    two.world.backend.heal();
    assert_eq!(two.main(1, get()).await, refused(404, "NoSuchBucket"));
    // It is not empty, so it is there again.
    assert_eq!(two.main(1, delete()).await, refused(409, "BucketNotEmpty"));
    assert_eq!(two.main(0, get()).await, ok(200));
}

#[tokio::test]
async fn a_bucket_with_anything_in_it_is_not_deleted_whatever_the_backend_would_do() {
    let two = Two::start(0).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, ok(200));
    two.world.backend.forget();
    assert_eq!(two.main(0, delete()).await, refused(409, "BucketNotEmpty"));
    let seen = two.world.backend.requests_in("bkt");
    assert!(seen.iter().all(|seen| seen.method != Method::DELETE));
}

#[tokio::test]
async fn a_bucket_created_again_through_another_gateway_lists_the_etags_that_head_shows() {
    let two = Two::start(60_000).await;
    assert_eq!(two.main(0, create()).await, ok(200));
    assert_eq!(two.main(0, put()).await, ok(200));
    let remove = Draft::new(Method::DELETE, "bkt", "k");
    assert_eq!(two.main(0, remove).await, ok(204));
    assert_eq!(two.main(1, delete()).await, ok(204));
    assert_eq!(two.main(1, create()).await, ok(200));
    // The first gateway still has the former bucket cached.
    assert_eq!(two.main(0, put()).await, ok(200));
    for target in two.targets() {
        let host = target.address.to_string();
        let sign = |draft: Draft| draft.sign(&two.world.main, two.world.now(), &host);
        let head = sign(Draft::new(Method::HEAD, "bkt", "k"));
        let head = head.send(&target).await.unwrap();
        let etag = head.headers()["etag"].to_str().unwrap().trim_matches('"');
        let listed = sign(Draft::new(Method::GET, "bkt", ""));
        let listed = listed.send(&target).await.unwrap();
        assert!(String::from_utf8_lossy(listed.body()).contains(etag));
    }
}
