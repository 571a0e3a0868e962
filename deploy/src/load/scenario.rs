//! What a run does: streams of requests at once, by flags or by a file.

mod file;

use std::collections::BTreeMap;
use std::time::Duration;

use kms::quota::Adjustment;

use crate::cli::change::Change;
use crate::cli::load::KmsCalls;
use crate::cli::load::Load;
use crate::cli::load::LoadKms;
use crate::cli::load::LoadS3;
use crate::cli::load::LoadService;
use crate::cli::load::Output;
use crate::cli::load::Run;
use crate::cli::load::S3Objects;
use crate::cli::load::Stage;
use crate::cli::load::Traffic;
use crate::cli::mode::Mode;

/// Everything that decides what a run does.
#[derive(Clone)]
pub(super) struct Scenario {
    /// `kms`, `s3`, or `scenario` if it comes from a file.
    pub(super) target: &'static str,
    /// The file, as it was named.
    pub(super) file: String,
    /// Where requests go, and what is expected.
    pub(super) run: Run,
    /// Where results go.
    pub(super) output: Output,
    /// What is sent at once.
    pub(super) streams: Vec<Stream>,
}

/// Requests of one kind.
#[derive(Clone)]
pub(super) struct Stream {
    /// Its name in results.
    pub(super) name: String,
    /// What is requested.
    pub(super) service: Service,
    /// How clients act.
    pub(super) traffic: Traffic,
    /// When requests are due.
    pub(super) stages: Vec<Stage>,
}

/// What is requested.
#[derive(Clone)]
pub(super) enum Service {
    /// Calls of the KMS.
    Kms(KmsCalls),
    /// Objects.
    S3(S3Objects),
}

impl Scenario {
    /// The scenario of the flags, or of their file.
    ///
    /// # Errors
    ///
    /// When the file is wrong, or nothing is to be sent.
    pub(super) fn new(flags: &Load) -> anyhow::Result<Self> {
        let scenario = match (&flags.service, &flags.scenario) {
            (Some(LoadService::Kms(flags)), _) => Self::of_kms(flags),
            (Some(LoadService::S3(flags)), _) => Self::of_s3(flags),
            (None, Some(file)) => file::read(file, &flags.output)?,
            (None, None) => anyhow::bail!(
                "nothing to send: name `load kms`, `load s3` or `load --scenario FILE`"
            ),
        };
        scenario.check()?;
        Ok(scenario)
    }

    fn of_kms(flags: &LoadKms) -> Self {
        let stages = stages(flags.calls.rate, &flags.traffic);
        let service = Service::Kms(flags.calls.clone());
        let stream = Stream::new("kms", service, &flags.traffic, stages);
        Self::of_stream("kms", &flags.run, &flags.output, stream)
    }

    fn of_s3(flags: &LoadS3) -> Self {
        let stages = stages(flags.objects.put + flags.objects.get, &flags.traffic);
        let service = Service::S3(flags.objects.clone());
        let stream = Stream::new("s3", service, &flags.traffic, stages);
        Self::of_stream("s3", &flags.run, &flags.output, stream)
    }

    fn of_stream(target: &'static str, run: &Run, output: &Output, stream: Stream) -> Self {
        Self {
            target,
            file: String::new(),
            run: run.clone(),
            output: output.clone(),
            streams: vec![stream],
        }
    }

    /// Refuses what would send nothing, or could not be compared.
    fn check(&self) -> anyhow::Result<()> {
        for stream in &self.streams {
            if let Service::S3(objects) = &stream.service {
                anyhow::ensure!(
                    objects.put + objects.get > 0.0,
                    "{}: nothing is written or read: set --put or --get, the rates of both",
                    stream.name
                );
                anyhow::ensure!(
                    objects.requesters == 1 || self.run.endpoint.is_none(),
                    "{}: --requesters is for an own Sealgate: that of --endpoint has users of its own",
                    stream.name
                );
            }
        }
        let is_s3 = |stream: &Stream| matches!(stream.service, Service::S3(_));
        let of_s3 = self.streams.iter().filter(|stream| is_s3(stream)).count();
        anyhow::ensure!(
            self.run.endpoint.is_none() || of_s3 == 0 || of_s3 == self.streams.len(),
            "--endpoint is one service: streams of both need an own Sealgate"
        );
        for change in &self.run.compare {
            self.with(change)?;
        }
        Ok(())
    }

    /// Whether objects are written or read.
    #[must_use]
    pub(super) fn has_objects(&self) -> bool {
        let mut streams = self.streams.iter();
        streams.any(|stream| matches!(stream.service, Service::S3(_)))
    }

    /// Most users that requests come from.
    #[must_use]
    pub(super) fn requesters(&self) -> u32 {
        let requesters = self.streams.iter().map(|stream| match &stream.service {
            Service::Kms(_) => 1,
            Service::S3(objects) => objects.requesters,
        });
        requesters.max().unwrap_or(1)
    }

    /// How long requests are due.
    #[must_use]
    pub(super) fn duration(&self) -> Duration {
        let long = |stream: &Stream| stream.stages.iter().map(|it| it.duration_s).sum();
        let longest = self.streams.iter().map(long).fold(0.0, f64::max);
        Duration::from_secs_f64(longest)
    }

    /// The same with one change.
    ///
    /// # Errors
    ///
    /// When there is nothing that it could change.
    pub(super) fn with(&self, change: &Change) -> anyhow::Result<Self> {
        let mut changed = self.clone();
        changed.run.compare.clear();
        match change {
            Change::BucketKey => {
                let mut count = 0;
                for stream in &mut changed.streams {
                    if let Service::S3(objects) = &mut stream.service
                        && matches!(objects.mode, Mode::SseKms | Mode::Dsse)
                    {
                        objects.mode = Mode::BucketKey;
                        count += 1;
                    }
                }
                anyhow::ensure!(
                    count > 0,
                    "--compare bucket-key changes nothing: no objects are of SSE-KMS without Bucket Keys"
                );
            }
            Change::Quota(factor) => {
                anyhow::ensure!(
                    self.run.endpoint.is_none(),
                    "--compare {change} needs an own KMS: that of --endpoint keeps its quotas"
                );
                let scale = changed.run.quota_scale.unwrap_or(1.0);
                changed.run.quota_scale = Some(scale * factor);
                for quota in &mut changed.run.quota {
                    quota.rate *= factor;
                }
            }
            Change::Retry(policy) => {
                for stream in &mut changed.streams {
                    stream.traffic.retry = *policy;
                }
            }
        }
        Ok(changed)
    }

    /// The flags that decide the figures, by their names; those of a stream of a file with its name before.
    #[must_use]
    pub(super) fn facts(&self) -> BTreeMap<String, String> {
        let run = &self.run;
        let quotas = run.quota.iter();
        let quotas = quotas.map(|it: &Adjustment| format!("{}={}", it.class.name(), it.rate));
        let scale = run.quota_scale.map(|scale| scale.to_string());
        let shape = run.shape.map(|shape| format!("{shape:?}").to_lowercase());
        let text = |url: &Option<String>| url.clone().unwrap_or_default();
        let flag = |is_set: bool| if is_set { "true" } else { "" }.to_owned();
        let mut facts: BTreeMap<String, String> = [
            ("target", self.target.to_owned()),
            ("scenario", self.file.clone()),
            ("seed", run.seed.to_string()),
            ("region", run.region.to_string()),
            ("quota", quotas.collect::<Vec<_>>().join(",")),
            ("quota_scale", scale.unwrap_or_default()),
            ("shape", shape.unwrap_or_default()),
            ("endpoint", text(&run.endpoint)),
            ("admin_endpoint", text(&run.admin_endpoint)),
            ("gateway_admin_endpoint", text(&run.gateway_admin_endpoint)),
            ("allow_remote", flag(run.allow_remote)),
            ("warmup", format!("{}s", run.warmup.as_secs())),
            ("connections", run.connections.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        for stream in &self.streams {
            let before = match self.target {
                "scenario" => format!("{}.", stream.name),
                _ => String::new(),
            };
            let named = stream.facts().into_iter();
            facts.extend(named.map(|(name, value)| (format!("{before}{name}"), value)));
        }
        facts
    }
}

impl Stream {
    fn new(name: &str, service: Service, traffic: &Traffic, stages: Vec<Stage>) -> Self {
        Self {
            name: name.to_owned(),
            service,
            traffic: traffic.clone(),
            stages,
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        let list = |items: Vec<String>| items.join(",");
        let traffic = &self.traffic;
        let (last, ramps) = match self.stages.split_last() {
            Some((last, ramps)) if last.from_per_s.total_cmp(&last.to_per_s).is_eq() => {
                (Some(last.duration_s), ramps)
            }
            _ => (None, self.stages.as_slice()),
        };
        let ramps = ramps
            .iter()
            .map(|it| format!("{}:{}:{}s", it.from_per_s, it.to_per_s, it.duration_s));
        let mut facts = vec![
            ("for", last.map_or(String::new(), |last| format!("{last}s"))),
            ("ramp", list(ramps.collect())),
            ("clients", traffic.clients.to_string()),
            ("retry", traffic.retry.to_string()),
            ("arrival", format!("{:?}", traffic.arrival).to_lowercase()),
        ];
        let weighted = |name: &dyn std::fmt::Display, weight: &u32| format!("{name}={weight}");
        match &self.service {
            Service::Kms(calls) => {
                let operations = calls.op.iter().map(|(name, it)| weighted(name, it));
                facts.push(("rate", calls.rate.to_string()));
                facts.push(("op", list(operations.collect())));
                facts.push(("keys", calls.keys.to_string()));
            }
            Service::S3(objects) => {
                let sizes = objects.size.iter().map(|(size, it)| weighted(size, it));
                facts.push(("put", objects.put.to_string()));
                facts.push(("get", objects.get.to_string()));
                facts.push(("size", list(sizes.collect())));
                facts.push(("mode", objects.mode.name().to_owned()));
                facts.push(("buckets", objects.buckets.to_string()));
                facts.push(("requesters", objects.requesters.to_string()));
            }
        }
        facts
    }
}

/// The ramps, and then the constant rate.
fn stages(rate: f64, traffic: &Traffic) -> Vec<Stage> {
    let mut stages = traffic.ramp.clone();
    stages.push(Stage {
        from_per_s: rate,
        to_per_s: rate,
        duration_s: traffic.duration.as_secs_f64(),
    });
    stages
}

#[cfg(test)]
mod tests;
