//! `sealgate load`: calls a KMS at a rate that does not depend on its answers, and shows what its
//! quotas did to it. `deploy/LOAD.md` is its page.
//!
//! | module | its one job |
//! |---|---|
//! | `report`, `advice` | the page in HTML |
//! | `text` | what is printed |
//! | `results` | the figures, as JSON has them |
//! | `meters` | what the KMS counted in each second |
//! | `operations` | which requests are made |
//! | `world` | the KMS that is called |
//! | `generator` | the open loop |
//! | `recorder` | what clients count |
//! | `connections`, `call` | requests on the wire |
//! | `endpoint` | where requests may go |

mod advice;
mod call;
mod connections;
mod endpoint;
mod generator;
mod meters;
mod operations;
mod recorder;
mod report;
mod results;
mod text;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::announce;
use crate::cli::load::Arrival;
use crate::cli::load::Load;
use crate::cli::load::LoadKms;
use crate::cli::load::LoadService;
use crate::cli::load::Stage;
use crate::load::generator::Work;
use crate::load::meters::Start;
use crate::load::operations::Prepared;
use crate::load::recorder::Totals;
use crate::load::results::Measured;
use crate::load::results::Results;
use crate::load::text::Progress;
use crate::load::world::World;
use crate::process;
use crate::schedule::Schedule;

/// Runs the load that the flags describe, and prints its results. The status is 0, or 99 if a threshold
/// does not hold, 2 if the run is not valid, 130 if it was interrupted.
///
/// # Errors
///
/// When the run cannot begin, or its results cannot be written.
pub async fn run(flags: &Load) -> anyhow::Result<ExitCode> {
    let LoadService::Kms(flags) = &flags.service;
    let stop = CancellationToken::new();
    process::stop_on_signals(stop.clone())?;
    let world = World::open(flags).await?;
    let prepared = operations::prepare(&world, &flags.op, flags.keys).await?;
    world.enforce_quotas(flags)?;
    let keys = prepared.keys.clone();
    let measured = measure(&world, flags, prepared, &stop).await;
    if !world.is_own() {
        Prepared::delete_keys(&keys, &world).await;
    }
    world.close().await;
    let results = Results::new(&measured?, &flags.threshold);
    if let Some(file) = &flags.html {
        let context = || format!("writing {}", file.display());
        std::fs::write(file, report::page(&results)?).with_context(context)?;
    }
    print(&results, flags.json.as_deref())?;
    Ok(ExitCode::from(status(&results, stop.is_cancelled())))
}

/// Makes the load, and counts.
async fn measure(
    world: &World,
    flags: &LoadKms,
    prepared: Prepared,
    stop: &CancellationToken,
) -> anyhow::Result<Measured> {
    let work = work(world, flags, prepared);
    let duration_s = work.duration.as_secs_f64();
    let start = Start::align(world, work.warmup_for + STARTS_WITHIN).await?;
    let (finished, mut seconds) = mpsc::unbounded_channel();
    let (done, mut totals) = oneshot::channel::<anyhow::Result<Totals>>();
    let stopped = stop.clone();
    let thread = std::thread::Builder::new().name("generator".to_owned());
    thread.spawn(move || {
        // Nobody waits for it after an end by force.
        let _ = done.send(generator::run(work, start.at, finished, &stopped));
    })?;
    let mut progress = Progress::new(flags.quiet);
    let (mut clients, mut meters) = (Vec::new(), Vec::new());
    let watch = start.watch(world, |of_second| {
        while let Ok(second) = seconds.try_recv() {
            clients.push(second);
        }
        let t = of_second.first().map(|meter| meter.t);
        let client = t.and_then(|t| clients.get(usize::try_from(t).ok()?));
        if let (Some(t), Some(client)) = (t, client) {
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
    Ok(Measured {
        scenario: scenario(flags),
        duration_s,
        clients,
        meters,
        totals,
    })
}

fn work(world: &World, flags: &LoadKms, prepared: Prepared) -> Work {
    let constant = |rate: f64, duration: Duration| Stage {
        from_per_s: rate,
        to_per_s: rate,
        duration_s: duration.as_secs_f64(),
    };
    let mut stages = flags.ramp.clone();
    stages.push(constant(flags.rate, flags.duration));
    let duration_s: f64 = stages.iter().map(|stage| stage.duration_s).sum();
    let first = stages.first().map_or(0.0, |stage| stage.from_per_s);
    // Enough for connections and caches; more would use up what is measured.
    let warmup = vec![constant((first / 10.0).max(10.0), flags.warmup)];
    Work {
        calls: prepared.calls,
        signer: world.signer(),
        schedule: Schedule::new(stages, flags.arrival, flags.seed),
        warmup: Schedule::new(warmup, Arrival::Constant, flags.seed),
        warmup_for: flags.warmup,
        duration: Duration::from_secs_f64(duration_s),
        retry: flags.retry,
        clients: flags.clients,
        connections: flags.connections,
        seed: flags.seed,
    }
}

/// The flags that decide the figures.
fn scenario(flags: &LoadKms) -> BTreeMap<&'static str, String> {
    let list = |items: Vec<String>| items.join(",");
    let operations = flags
        .op
        .iter()
        .map(|(name, weight)| format!("{name}={weight}"));
    let ramps = flags.ramp.iter().map(|stage| {
        let Stage {
            from_per_s,
            to_per_s,
            duration_s,
        } = stage;
        format!("{from_per_s}:{to_per_s}:{duration_s}s")
    });
    let quotas = flags.quota.iter();
    let quotas = quotas.map(|quota| format!("{}={}", quota.class.name(), quota.rate));
    let scale = flags.quota_scale.map(|scale| scale.to_string());
    let endpoint = flags.endpoint.clone();
    BTreeMap::from([
        ("target", "kms".to_owned()),
        ("rate", flags.rate.to_string()),
        ("for", format!("{}s", flags.duration.as_secs_f64())),
        ("ramp", list(ramps.collect())),
        ("op", list(operations.collect())),
        ("keys", flags.keys.to_string()),
        ("clients", flags.clients.to_string()),
        ("retry", flags.retry.to_string()),
        ("arrival", format!("{:?}", flags.arrival).to_lowercase()),
        ("seed", flags.seed.to_string()),
        ("region", flags.region.to_string()),
        ("quota", list(quotas.collect())),
        ("quota_scale", scale.unwrap_or_default()),
        ("endpoint", endpoint.unwrap_or_default()),
    ])
}

fn print(results: &Results, json: Option<&Path>) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(results)?;
    match json {
        Some(file) if file == Path::new("-") => {
            announce::print_line(&text);
            return Ok(());
        }
        Some(file) => {
            let context = || format!("writing {}", file.display());
            std::fs::write(file, text).with_context(context)?;
        }
        None => {}
    }
    announce::print_line(&text::summary(results));
    Ok(())
}

/// The exit status. 99 is what k6 returns when a threshold fails.
fn status(results: &Results, interrupted: bool) -> u8 {
    if interrupted {
        return 130;
    }
    if !results.generator.valid || results.generator.seconds_without_meters > 0 {
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
