//! `sealgate load`: calls a KMS, or writes and reads objects of S3, at a rate that does not depend on answers, and
//! shows what the KMS's quotas did to it. `deploy/LOAD.md` is its page.
//!
//! | module | its one job |
//! |---|---|
//! | `output` | where results go |
//! | `text` | what is printed |
//! | `results` | the figures, from what was counted |
//! | `counts` | what KMS and gateway counted over a run |
//! | `meters` | what the KMS counted in each second |
//! | `operations`, `objects` | which requests are made |
//! | `world` | the services that are called |
//! | `scenario` | what a run does, by flags or a file |
//! | `generator` | the open loop |
//! | `recorder` | what clients count |
//! | `connections`, `call` | requests on the wire |
//! | `endpoint` | where requests may go |

mod call;
mod connections;
mod counts;
mod endpoint;
mod generator;
mod meters;
mod objects;
mod operations;
mod output;
mod recorder;
mod results;
mod scenario;
mod text;
mod world;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use proto::time::Clock as _;
use proto::time::SystemClock;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cli::load::Arrival;
use crate::cli::load::Load;
use crate::cli::load::Stage;
use crate::load::call::Call;
use crate::load::counts::Mark;
use crate::load::generator::Work;
use crate::load::meters::Start;
use crate::load::output::Destinations;
use crate::load::recorder::Totals;
use crate::load::results::Measured;
use crate::load::scenario::Scenario;
use crate::load::scenario::Service;
use crate::load::text::Progress;
use crate::load::world::World;
use crate::process;
use crate::report::results::Comparison;
use crate::report::results::Results;
use crate::schedule::Schedule;

/// Runs the load that the flags describe, and prints its results. The status is 0, or 99 if a threshold
/// does not hold, 2 if the run is not valid, 130 if it was interrupted.
///
/// # Errors
///
/// When the run cannot begin, or its results cannot be written.
pub async fn run(flags: &Load) -> anyhow::Result<ExitCode> {
    let scenario = Scenario::new(flags)?;
    let destinations = Destinations::open(&scenario.output)?;
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let mut results = run_once(&scenario, &stop).await?;
    for change in &scenario.run.compare {
        if stop.is_cancelled() {
            break;
        }
        let compared = run_once(&scenario.with(change)?, &stop).await?;
        results.comparisons.push(Comparison {
            change: change.to_string(),
            results: compared,
        });
    }
    destinations.write(&results)?;
    Ok(ExitCode::from(status(&results, stop.is_cancelled())))
}

/// Makes the load once, on services of its own or on those that run.
async fn run_once(scenario: &Scenario, stop: &CancellationToken) -> anyhow::Result<Results> {
    let world = World::open(scenario).await?;
    let mut prepared = Prepared::default();
    let measured = prepare_and_measure(&world, scenario, &mut prepared, stop).await;
    // Also after a failure: services that go on must not collect what runs left.
    if !world.is_own() {
        operations::delete_keys(&prepared.keys, &world).await;
        objects::remove(&prepared.removals, &world).await;
    }
    world.close().await;
    Ok(Results::new(&measured?, &scenario.run.threshold)?)
}

/// Prepares a run, and makes it. What was created so far is in `prepared` also when it fails.
async fn prepare_and_measure(
    world: &World,
    scenario: &Scenario,
    prepared: &mut Prepared,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    prepared.fill(scenario, world).await?;
    world.enforce_quotas(&scenario.run)?;
    let streams = std::mem::take(&mut prepared.streams);
    measure(world, scenario, streams, stop).await
}

/// What a run sends, and what remains of it.
#[derive(Default)]
struct Prepared {
    /// Names and what is sent.
    streams: Vec<(String, generator::Stream)>,
    /// KMS keys that were created.
    keys: Vec<String>,
    /// Requests that remove buckets and objects.
    removals: Vec<Call>,
}

impl Prepared {
    async fn fill(&mut self, scenario: &Scenario, world: &World) -> anyhow::Result<()> {
        for stream in &scenario.streams {
            match &stream.service {
                Service::Kms(flags) => {
                    let keys = &mut self.keys;
                    let calls = operations::prepare(world, &flags.op, flags.keys, keys).await?;
                    let calls = (calls, Vec::new());
                    self.add(scenario, stream, stream.name.clone(), calls, 1.0);
                }
                Service::S3(flags) => {
                    let made = objects::prepare(world, flags, &mut self.removals).await?;
                    let of_put = flags.put / (flags.put + flags.get);
                    let name = |kind: &str| match scenario.target {
                        "s3" => kind.to_owned(),
                        _ => format!("{} {kind}", stream.name),
                    };
                    let both = [
                        ("put", (made.puts, made.warmup_puts), of_put),
                        ("get", (made.gets, made.warmup_gets), 1.0 - of_put),
                    ];
                    for (kind, calls, share) in both.into_iter().filter(|it| it.2 > 0.0) {
                        self.add(scenario, stream, name(kind), calls, share);
                    }
                }
            }
        }
        Ok(())
    }

    /// Adds what is sent for a stream, which is that share of its requests.
    fn add(
        &mut self,
        scenario: &Scenario,
        stream: &scenario::Stream,
        name: String,
        (calls, warmup_calls): (Vec<(Call, u32)>, Vec<Call>),
        share: f64,
    ) {
        let stages = stream.stages.iter().map(|stage| Stage {
            from_per_s: stage.from_per_s * share,
            to_per_s: stage.to_per_s * share,
            duration_s: stage.duration_s,
        });
        let stages: Vec<_> = stages.collect();
        let first = stages.first().map_or(0.0, |stage| stage.from_per_s);
        // Enough for connections and caches; more would use up what is measured.
        let rate = (first / 10.0).max(10.0);
        let warmup = vec![Stage {
            from_per_s: rate,
            to_per_s: rate,
            duration_s: scenario.run.warmup.as_secs_f64(),
        }];
        // Streams that are alike must not send at the same moments.
        let seed = scenario.run.seed.wrapping_add(self.streams.len() as u64);
        let stream = generator::Stream {
            calls,
            warmup_calls,
            schedule: Schedule::new(stages, stream.traffic.arrival, seed),
            warmup: Schedule::new(warmup, Arrival::Constant, seed),
            retry: stream.traffic.retry,
            clients: stream.traffic.clients,
        };
        self.streams.push((name, stream));
    }
}

/// What the generator does.
fn work(scenario: &Scenario, streams: Vec<generator::Stream>) -> Work {
    Work {
        streams,
        warmup_for: scenario.run.warmup,
        duration: scenario.duration(),
        connections: scenario.run.connections,
        seed: scenario.run.seed,
    }
}

/// Makes the load, and counts.
async fn measure(
    world: &World,
    scenario: &Scenario,
    streams: Vec<(String, generator::Stream)>,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let (names, streams) = streams.into_iter().unzip();
    let work = work(scenario, streams);
    let start = Start::align(world, work.warmup_for + STARTS_WITHIN).await?;
    let started_at = SystemClock.now().plus(start.at - Instant::now());
    let (finished, mut seconds) = mpsc::unbounded_channel();
    let (done, mut totals) = oneshot::channel::<anyhow::Result<Totals>>();
    let generator_stop = stop.child_token();
    let stopped = generator_stop.clone();
    let thread = std::thread::Builder::new().name("generator".to_owned());
    thread.spawn(move || {
        // Nobody waits for it after an end by force.
        let _ = done.send(generator::run(work, start.at, finished, &stopped));
    })?;
    let mark = mark(world, scenario, start.at).await;
    if mark.is_err() {
        // What it sends must not outlive what is removed after it.
        generator_stop.cancel();
        let _ = (&mut totals).await;
    }
    let mark = mark?;
    let mut progress = Progress::new(scenario.output.quiet);
    let (mut clients, mut meters, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let watch = start.watch(world, |t, of_second| {
        while let Ok(second) = seconds.try_recv() {
            clients.push(second);
        }
        let Some(of_second) = of_second else {
            unread.push(t);
            return;
        };
        if let Some(client) = usize::try_from(t).ok().and_then(|t| clients.get(t)) {
            progress.second(t, client, &of_second);
        }
        meters.extend(of_second);
    });
    // The meters of the last second are read in the next one.
    let ended = async {
        let totals = (&mut totals).await;
        tokio::time::sleep(LAST_METERS).await;
        totals
    };
    let totals = tokio::select! {
        totals = ended => totals,
        () = watch => anyhow::bail!("the meters ended"),
    };
    let totals = totals.context("the generator ended early")??;
    while let Ok(second) = seconds.try_recv() {
        clients.push(second);
    }
    progress.end();
    let counts = match mark {
        Some(mark) => Some(mark.counts(world).await?),
        None => None,
    };
    Ok(Measured {
        started_at,
        scenario: scenario.facts(),
        streams: names,
        duration_s: scenario.duration().as_secs_f64(),
        clients,
        meters,
        unread,
        totals,
        counts,
    })
}

/// Where the counts of a run begin, if it has objects: after warming up, and before the start.
async fn mark(world: &World, scenario: &Scenario, start: Instant) -> anyhow::Result<Option<Mark>> {
    if !scenario.has_objects() {
        return Ok(None);
    }
    let at = start
        .checked_sub(generator::WARMUP_PAUSE / 2)
        .unwrap_or(start);
    let mark = Mark::set(world, at).await?;
    anyhow::ensure!(
        Instant::now() <= start,
        "the counts could not begin before the run, because this machine is too busy: run it again"
    );
    Ok(Some(mark))
}

/// The exit status. 99 is what k6 returns when a threshold fails.
fn status(results: &Results, interrupted: bool) -> u8 {
    if interrupted {
        return 130;
    }
    if results.invalidity().is_some() {
        return 2;
    }
    match results.thresholds.iter().all(|it| it.ok) {
        true => 0,
        false => 99,
    }
}

/// How long the generator's thread may take to begin.
const STARTS_WITHIN: Duration = Duration::from_millis(200);

/// How long after the end the meters of the last second are read at the latest.
const LAST_METERS: Duration = Duration::from_millis(1_600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn a_run_that_is_not_valid_is_no_verdict_on_its_thresholds() {
        let mut results = sample::of_objects();
        assert_eq!(status(&results, false), 99, "a threshold fails");
        assert_eq!(status(&results, true), 130);
        results.thresholds.retain(|it| it.ok);
        assert_eq!(status(&results, false), 0);
        results.generator.seconds_without_meters = 1;
        assert_eq!(status(&results, false), 2);
        results.generator.seconds_without_meters = 0;
        results.generator.valid = false;
        assert_eq!(status(&results, false), 2);
    }
}
