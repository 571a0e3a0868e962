//! The `sealgate` binary.

use std::process::ExitCode;

use clap::Parser as _;
use sealgate::cli::{Arguments, Command};
use sealgate::{house, process, up};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    process::start_logs();
    process::forbid_core_dumps();
    process::refuse_huge_pages();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What is wrong in one line, without a backtrace: most often it is the configuration.
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the command line says, until the end.
fn run(arguments: Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(async {
        match arguments.command {
            None => Box::pin(up::run(arguments.up)).await,
            Some(Command::Up(flags)) => Box::pin(up::run(flags)).await,
            Some(Command::Kms(flags)) => house::kms(&flags).await,
            Some(Command::Gateway(flags)) => Box::pin(house::gateway(&flags.config)).await,
        }
    });
    // Tasks that still hold connections must not hold up the end.
    runtime.shutdown_background();
    done
}
