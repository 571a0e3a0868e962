//! The gateway's credentials at the backend, replaced while it runs.

use std::path::PathBuf;

use futures_util::future::join_all;
use gateway::config::BackendCredentials;
use gateway::config::Config;
use http::Method;
use proto::identity::Secret;
use tests::backend::ACCESS_KEY_ID;
use tests::backend::Action;
use tests::backend::Fault;
use tests::backend::Gate;
use tests::backend::SECRET_ACCESS_KEY;
use tests::signed::Draft;
use tests::world::World;
use tokio::sync::watch;

/// An access key id and its secret.
type Pair = (&'static str, &'static str);

const FIRST: Pair = (ACCESS_KEY_ID, SECRET_ACCESS_KEY);
const SECOND: Pair = ("SECONDBACKENDKEY", "second-backend-secret-canary");
const THIRD: Pair = ("THIRDBACKENDKEY", "third-backend-secret-canary");

/// The files of the backend's credentials.
struct Files(tempfile::TempDir);

impl Files {
    fn new(pair: Pair) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write(pair);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, (id, secret): Pair) {
        std::fs::write(self.path("id"), format!("{id}\n")).unwrap();
        std::fs::write(self.path("secret"), format!("{secret}\n")).unwrap();
    }

    fn credentials(&self) -> BackendCredentials {
        BackendCredentials {
            access_key_id_file: Some(self.path("id")),
            secret_access_key_file: Some(self.path("secret")),
            ..BackendCredentials::default()
        }
    }
}

fn in_configuration((id, secret): Pair) -> BackendCredentials {
    BackendCredentials::new(id, Secret::new(secret))
}

/// A world whose gateway has these credentials, which are [`FIRST`], with its configuration and a bucket `demo`. The
/// backend checks signatures, and accepts [`FIRST`].
async fn world(credentials: BackendCredentials) -> (World, Config) {
    let (tell, told) = std::sync::mpsc::channel();
    let world = World::setup().gateway(move |config| {
        config.backend_credentials = credentials;
        tell.send(config.clone()).unwrap();
    });
    let world = world.start().await;
    world.backend.accept(&[FIRST]);
    world.create_bucket("demo").await;
    (world, told.recv().unwrap())
}

/// What became of a request that is sent on to the backend.
async fn status(world: &World) -> u16 {
    let request = Draft::new(Method::GET, "demo", "").query("list-type", "2");
    world.send(request).await.status().as_u16()
}

/// Whether the metric says that something cannot be used.
fn is_outdated(world: &World) -> bool {
    let metrics = world.metrics.render();
    let mut lines = metrics.lines();
    let value = lines.find_map(|line| line.strip_prefix("sealgate_config_reload_failed "));
    match value {
        Some("0") => false,
        Some("1") => true,
        other => panic!("{other:?}"),
    }
}

/// Writes an object of its own and reads it, again and again until it is enough; counts how often it did both.
async fn write_and_read(
    world: &World,
    number: usize,
    rounds: watch::Sender<u64>,
    enough: watch::Receiver<bool>,
) {
    let key = format!("object-{number}");
    while !*enough.borrow() {
        let body = format!("{number} {}", *rounds.borrow());
        let put = Draft::new(Method::PUT, "demo", &key).body(body.clone());
        let answer = world.send(put).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.body());
        let answer = world.send(Draft::new(Method::GET, "demo", &key)).await;
        assert_eq!(answer.status(), 200, "{:?}", answer.body());
        assert_eq!(answer.body(), body.as_bytes());
        rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// Waits until everyone has ended what was going on, and has written and read something since.
async fn everyone_went_on(rounds: &mut [watch::Receiver<u64>]) {
    let each = rounds.iter_mut().map(async |rounds| {
        let wanted = *rounds.borrow() + 2;
        let reached = rounds.wait_for(|rounds| *rounds >= wanted);
        reached.await.map(|_| ()).unwrap();
    });
    join_all(each).await;
}

#[tokio::test]
async fn credentials_of_the_backend_change_under_load_and_no_request_is_refused() {
    let files = Files::new(FIRST);
    let (world, config) = world(files.credentials()).await;
    let (stop, enough) = watch::channel(false);
    let (senders, mut rounds): (Vec<_>, Vec<_>) = (0..8).map(|_| watch::channel(0)).unzip();
    let workers = senders.into_iter().enumerate();
    let workers = workers.map(|(number, rounds)| {
        let enough = enough.clone();
        write_and_read(&world, number, rounds, enough)
    });
    let change = async {
        for (before, after) in [(FIRST, SECOND), (SECOND, THIRD), (THIRD, FIRST)] {
            everyone_went_on(&mut rounds).await;
            world.backend.accept(&[before, after]);
            files.write(after);
            world.gateway.reload(&config).unwrap();
            everyone_went_on(&mut rounds).await;
            world.backend.accept(&[after]);
            everyone_went_on(&mut rounds).await;
        }
        stop.send(true).unwrap();
    };
    tokio::join!(join_all(workers), change);
    world.gateway.readiness().await.unwrap();
    let signed_by = |(id, _): Pair| {
        let requests = world.backend.requests_in("demo").into_iter();
        let is_its = |id: &str, header: &str| header.contains(&format!("Credential={id}/"));
        requests
            .filter(|request| is_its(id, request.header("authorization")))
            .count()
    };
    assert!(
        [FIRST, SECOND, THIRD]
            .map(signed_by)
            .iter()
            .all(|count| *count > 16)
    );
}

#[tokio::test]
async fn a_request_that_is_sent_goes_on_with_the_credentials_that_it_was_signed_with() {
    let files = Files::new(FIRST);
    let (world, config) = world(files.credentials()).await;
    world.backend.accept(&[FIRST, SECOND]);
    let (arrived, go_on) = (Gate::default(), Gate::default());
    let pause = Action::PauseBefore(arrived.clone(), go_on.clone());
    world
        .backend
        .inject(Fault::on_path(Method::PUT, "/demo/k", pause));
    let put = world.send(Draft::new(Method::PUT, "demo", "k").body("of the first"));
    let change = async {
        arrived.reached().await;
        files.write(SECOND);
        world.gateway.reload(&config).unwrap();
        assert_eq!(status(&world).await, 200);
        go_on.reach();
    };
    let (answer, ()) = tokio::join!(put, change);
    assert_eq!(answer.status(), 200);
    let requests = world.backend.requests_in("demo");
    let signed_by = |method: &Method| {
        let mut requests = requests.iter().rev();
        let last = requests.find(|request| request.method == method).unwrap();
        let credential = last.header("authorization").split("Credential=").nth(1);
        credential.unwrap().split('/').next().unwrap().to_owned()
    };
    assert_eq!(signed_by(&Method::PUT), FIRST.0);
    assert_eq!(signed_by(&Method::GET), SECOND.0);
}

#[tokio::test]
async fn an_empty_file_of_credentials_leaves_the_earlier_ones_in_use_until_it_is_mended() {
    let files = Files::new(FIRST);
    let (world, config) = world(files.credentials()).await;
    assert!(!is_outdated(&world));
    for broken in ["", " \n", "two\nsecrets"] {
        std::fs::write(files.path("id"), SECOND.0).unwrap();
        std::fs::write(files.path("secret"), broken).unwrap();
        let refusal = world.gateway.reload(&config).unwrap_err().to_string();
        let expected = format!(
            "credentials for the backend: secret_access_key_file: {}: ",
            files.path("secret").display()
        );
        assert!(refusal.starts_with(&expected), "{refusal}");
        assert!(!refusal.contains("secrets"), "{refusal}");
        assert!(is_outdated(&world));
        assert_eq!(status(&world).await, 200);
    }
    std::fs::remove_file(files.path("secret")).unwrap();
    world.gateway.reload(&config).unwrap_err();
    assert_eq!(status(&world).await, 200);

    files.write(SECOND);
    world.gateway.reload(&config).unwrap();
    assert!(!is_outdated(&world));
    world.backend.accept(&[SECOND]);
    assert_eq!(status(&world).await, 200);
}

#[tokio::test]
async fn what_the_backend_refuses_for_outdated_credentials_is_unavailable_until_these_are_renewed()
{
    let files = Files::new(FIRST);
    let (world, config) = world(files.credentials()).await;
    let put = Draft::new(Method::PUT, "demo", "k").body("before");
    assert_eq!(world.send(put).await.status(), 200);
    // Another key, or another secret of the same.
    for (accepted, code) in [
        (SECOND, "InvalidAccessKeyId"),
        ((FIRST.0, "another"), "SignatureDoesNotMatch"),
    ] {
        world.backend.accept(&[accepted]);
        assert_eq!(status(&world).await, 503);
        let put = Draft::new(Method::PUT, "demo", "k").body("refused");
        let answer = world.send(put).await;
        let text = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), 503, "{text}");
        assert!(
            text.contains("ServiceUnavailable") && !text.contains(code),
            "{text}"
        );
        let reason = world.gateway.readiness().await.unwrap_err();
        assert!(reason.contains("credentials"), "{reason}");
    }
    files.write(SECOND);
    world.backend.accept(&[SECOND]);
    world.gateway.reload(&config).unwrap();
    let answer = world.send(Draft::new(Method::GET, "demo", "k")).await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_ref()),
        (200, &b"before"[..])
    );
}

#[tokio::test]
async fn credentials_of_the_backend_in_the_configuration_change_when_it_is_read_again() {
    let (world, mut config) = world(in_configuration(FIRST)).await;
    world.backend.accept(&[FIRST, SECOND]);
    config.backend_credentials = in_configuration(SECOND);
    world.gateway.reload(&config).unwrap();
    world.backend.accept(&[SECOND]);
    assert_eq!(status(&world).await, 200);

    // Where a gateway reads them is decided at its start.
    let files = Files::new(FIRST);
    config.backend_credentials = files.credentials();
    let refusal = world.gateway.reload(&config).unwrap_err().to_string();
    let expected = "backend_credentials.access_key_id_file: another file is read after a restart";
    assert_eq!(refusal, expected);
    assert!(is_outdated(&world));
    assert_eq!(status(&world).await, 200);
    config.backend_credentials = in_configuration(SECOND);
    world.gateway.reload(&config).unwrap();
    assert!(!is_outdated(&world));
}
