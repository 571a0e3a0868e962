//! Scenario files: TOML whose fields are the flags, and tables `[[stream]]`.

use std::path::Path;

use anyhow::Context as _;
use clap::Parser;
use serde::Deserialize;
use toml::Table;
use toml::Value;

use crate::cli::fields;
use crate::cli::load::FileFields;
use crate::cli::load::KmsStream;
use crate::cli::load::Output;
use crate::cli::load::S3Stream;
use crate::cli::load::Stage;
use crate::cli::load::Traffic;
use crate::load::scenario::Scenario;
use crate::load::scenario::Service;
use crate::load::scenario::Stream;

/// Reads a scenario. Where results go by the command line has precedence.
///
/// # Errors
///
/// When the file cannot be read, or a field is unknown, missing or wrong: with its name.
pub(super) fn read(file: &Path, output: &Output) -> anyhow::Result<Scenario> {
    let context = || format!("in {}", file.display());
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let mut scenario = parse(&text).with_context(context)?;
    scenario.file = file.display().to_string();
    let given = &mut scenario.output;
    given.json = output.json.clone().or_else(|| given.json.take());
    given.html = output.html.clone().or_else(|| given.html.take());
    given.data = output.data.clone().or_else(|| given.data.take());
    given.keep |= output.keep;
    given.quiet |= output.quiet;
    Ok(scenario)
}

/// The scenario of a text.
pub(super) fn parse(text: &str) -> anyhow::Result<Scenario> {
    let mut table = fields::table(text)?;
    let streams = match table.remove(STREAM) {
        Some(Value::Array(streams)) if !streams.is_empty() => streams,
        _ => anyhow::bail!("there is no table [[{STREAM}]]: it has what is sent"),
    };
    let FileFields { run, output } = fields::read(&table, &[STREAM])?;
    let streams = streams.into_iter().enumerate().map(|(number, stream)| {
        let place = format!("[[{STREAM}]] number {}", number + 1);
        let Value::Table(stream) = stream else {
            anyhow::bail!("{place} is no table");
        };
        read_stream(stream, number + 1).context(place)
    });
    let streams = streams.collect::<anyhow::Result<Vec<_>>>()?;
    for (number, stream) in streams.iter().enumerate() {
        let mut earlier = streams.iter().take(number);
        anyhow::ensure!(
            earlier.all(|it| it.name != stream.name),
            "two streams have the name `{}`",
            stream.name
        );
    }
    Ok(Scenario {
        target: "scenario",
        file: String::new(),
        run,
        output,
        streams,
    })
}

/// A stream, by its fields.
fn read_stream(mut table: Table, number: usize) -> anyhow::Result<Stream> {
    let name = match table.remove(NAME) {
        None => format!("stream{number}"),
        Some(Value::String(name)) if is_name(&name) => name,
        Some(_) => anyhow::bail!("`{NAME}` is not of letters, digits, `-` and `_`"),
    };
    let service = table.remove(SERVICE);
    let service = service.as_ref().and_then(Value::as_str);
    let stages = table.remove(STAGES);
    let own = [NAME, SERVICE, STAGES];
    let (service, rate, traffic) = match service {
        Some("kms") => {
            let KmsStream { calls, traffic } = fields::read(&table, &own)?;
            let rate = calls.rate;
            (Service::Kms(calls), rate, traffic)
        }
        Some("s3") => {
            let S3Stream { objects, traffic } = fields::read(&table, &own)?;
            let rate = objects.put + objects.get;
            (Service::S3(objects), rate, traffic)
        }
        _ => anyhow::bail!("`{SERVICE}` is missing, or neither \"kms\" nor \"s3\""),
    };
    let stages = match stages {
        None => super::stages(rate, &traffic),
        Some(stages) => read_stages(stages, &table)?,
    };
    Ok(Stream::new(&name, service, &traffic, stages))
}

fn is_name(name: &str) -> bool {
    let is_within = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=40).contains(&name.len()) && name.bytes().all(is_within)
}

/// A stage: a constant rate, or one that changes evenly.
#[derive(Deserialize)]
struct StageFields {
    rate: f64,
    to: Option<f64>,
    #[serde(rename = "for")]
    duration: String,
}

fn read_stages(stages: Value, table: &Table) -> anyhow::Result<Vec<Stage>> {
    for other in ["for", "ramp"] {
        anyhow::ensure!(
            !table.contains_key(other),
            "`{other}` and `{STAGES}` exclude each other: stages have times of their own"
        );
    }
    let Value::Array(stages) = stages else {
        anyhow::bail!(
            "`{STAGES}` is no list of tables such as {{ rate = 0, to = 100, for = \"10s\" }}"
        );
    };
    anyhow::ensure!(!stages.is_empty(), "`{STAGES}` is empty");
    let stage = |(number, stage): (usize, Value)| -> anyhow::Result<Stage> {
        let place = || format!("stage {}", number + 1);
        let of_stage = stage.as_table().with_context(place)?;
        for field in of_stage.keys() {
            fields::known(field, &["rate", "to", "for"].map(str::to_owned)).with_context(place)?;
        }
        let StageFields { rate, to, duration } = stage.try_into().with_context(place)?;
        let to = to.unwrap_or(rate);
        // As a flag, so that its rules hold.
        let ramp = format!("--ramp={rate}:{to}:{duration}");
        let traffic = fields::parse::<TrafficFlags>(vec![ramp.into()]).with_context(place)?;
        traffic.traffic.ramp.first().copied().with_context(place)
    };
    stages.into_iter().enumerate().map(stage).collect()
}

/// The flags of a stage.
#[derive(Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct TrafficFlags {
    #[command(flatten)]
    traffic: Traffic,
}

const STREAM: &str = "stream";
const NAME: &str = "name";
const SERVICE: &str = "service";
const STAGES: &str = "stages";
