//! `histories`: clients race each other for the same keys, the process is killed, and what they saw must
//! have happened in some order.
//!
//! A life of the process ends with `kill -9`, at the start of a random request. Then nothing of it can
//! take effect any more, so a life is checked by itself: it begins at a state in which the life before
//! may have left the key, and an operation whose outcome is unknown happened during the life or never.

mod body;
mod client;
mod record;
mod up;
mod uploads;

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use std::time::Instant;

use clap::Args;

use crate::dice::Dice;
use crate::histories::client::Client;
use crate::histories::record::Failure;
use crate::histories::record::Record;
use crate::histories::up::Up;
use crate::histories::uploads::Unanswered;

/// How long, and by which seed.
#[derive(Args)]
pub(crate) struct Histories {
    /// What the clients do, and when the process is killed.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Operations, all lives together.
    #[arg(long, default_value_t = 20_000)]
    operations: usize,
    /// How often the process is killed and started again.
    #[arg(long, default_value_t = 50)]
    kills: usize,
}

impl Histories {
    /// Runs it and prints what came of it; the number of failures.
    pub(crate) async fn run(&self, program: &Path) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let record = Arc::new(Record::default());
        let mut dice = Dice::new(self.seed);
        let mut unanswered = Vec::new();
        let mut starts = Vec::new();
        for life in 0..=self.kills {
            if dice.one_in(KILLED_AT_START) {
                let up = Up::begin(program, folder.path());
                tokio::time::sleep(Duration::from_micros(dice.roll(60_000) as u64)).await;
                up.kill();
            }
            let begin = Instant::now();
            let up = match Up::begin(program, folder.path()).ready() {
                Ok(up) => up,
                Err(log) => {
                    let text = format!("life {life}: it does not start:\n{log}");
                    record.fail(Failure::Unexpected, text);
                    break;
                }
            };
            starts.push(begin.elapsed());
            if life == 0 {
                let create = up.s3.create_bucket().bucket(BUCKET).send().await;
                create.expect("the first start is that of an empty folder");
            }
            let seed = self.seed.wrapping_mul(1_000_003).wrapping_add(life as u64);
            let operations = self.operations / (self.kills + 1) * (50 + dice.roll(101)) / 100;
            record.begin_life(operations);
            let opening = Client::new(&up, &record, 0, 0);
            opening.read_all().await;
            for complete in unanswered.drain(..) {
                opening.complete_again(complete).await;
            }
            unanswered = live(&record, up, seed, life == self.kills).await;
            record.check(life);
            if record.failures() > 0 {
                break;
            }
        }
        self.report(&record, &mut starts)
    }

    fn report(&self, record: &Record, starts: &mut [Duration]) -> usize {
        starts.sort_unstable();
        let at = |part: usize| starts.get(part).map_or(0, Duration::as_millis);
        let failures = record.failures();
        println!(
            "histories: seed {}, {} kills, {}; starts {} ms (median) to {} ms",
            self.seed,
            starts.len().saturating_sub(1),
            record.figures(),
            at(starts.len() / 2),
            at(starts.len().saturating_sub(1)),
        );
        if failures > 0 {
            println!("{}", record.report());
        }
        failures
    }
}

/// One life: the clients do its operations, then the process is killed. In the last life they end first.
/// The Completes that were never answered.
async fn live(record: &Arc<Record>, up: Up, seed: u64, is_last: bool) -> Vec<Unanswered> {
    let unanswered = Arc::new(Mutex::new(Vec::new()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(&up, record, seed, number);
            let unanswered = Arc::clone(&unanswered);
            tokio::spawn(async move { client.work(is_last, &unanswered).await })
        })
        .collect();
    let enough = tokio::time::timeout(STALLED, record.until_enough());
    if enough.await.is_err() {
        let text = "the clients do not get on".to_owned();
        record.fail(Failure::Unexpected, text);
    }
    if is_last {
        for client in clients {
            client.await.unwrap();
        }
        Client::new(&up, record, 0, 0).read_all().await;
        record.end_life();
        up.kill();
    } else {
        record.end_life();
        up.kill();
        for client in clients {
            client.await.unwrap();
        }
    }
    Arc::try_unwrap(unanswered)
        .map(|unanswered| unanswered.into_inner().unwrap())
        .unwrap_or_default()
}

const BUCKET: &str = "histories";

/// Clients at once.
const CLIENTS: usize = 16;

/// Keys that they race for.
const KEYS: usize = 32;

/// Longer than any life takes.
const STALLED: Duration = Duration::from_secs(300);

/// One start in so many is killed, too.
const KILLED_AT_START: usize = 6;

/// The name of a key.
fn key_name(key: usize) -> String {
    format!("key{key:02}")
}
