//! Long runs against the binary, by a seed: `cargo run -p tests --bin campaign -- NAME --seed N`.
//!
//! Each prints one line of figures. When something is wrong it prints the seed and what was seen, and
//! ends with status 1.

mod dice;
mod histories;
mod linearizability;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use crate::histories::Histories;

/// Long runs against the binary.
#[derive(Parser)]
struct Arguments {
    /// The binary [default: `sealgate-under-test` beside this one].
    #[arg(long, env = "SEALGATE", global = true)]
    program: Option<PathBuf>,
    #[command(subcommand)]
    campaign: Campaign,
}

/// What to run.
#[derive(Subcommand)]
enum Campaign {
    /// 16 clients on 32 keys, `kill -9` of `sealgate up` at random moments, and a linearizability check of
    /// each key.
    Histories(Histories),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let program = arguments.program.unwrap_or_else(beside_this);
    let failures = match arguments.campaign {
        Campaign::Histories(histories) => histories.run(&program).await,
    };
    match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The binary that cargo builds for tests.
fn beside_this() -> PathBuf {
    let this = std::env::current_exe().unwrap_or_default();
    this.with_file_name("sealgate-under-test")
}
