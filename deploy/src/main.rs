//! The `sealgate` binary.

use std::process::ExitCode;

use clap::Parser as _;
use sealgate::check;
use sealgate::cli::Arguments;
use sealgate::cli::Command;
use sealgate::env;
use sealgate::health;
use sealgate::load;
use sealgate::manual;
use sealgate::plan;
use sealgate::process;
use sealgate::single;
use sealgate::token;
use sealgate::up;
use sealgate::users;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.version {
        manual::version(arguments.verbose);
        return ExitCode::SUCCESS;
    }
    match &arguments.command {
        // Its own services would log each request.
        Some(Command::Load(_)) => process::start_logs_of_command(),
        _ => process::start_logs(),
    }
    process::write_for_owner_alone();
    process::forbid_core_dumps();
    process::raise_file_limit();
    process::refuse_huge_pages();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            // One line without a backtrace: the cause is mostly the configuration.
            tracing::error!("{}", process::sentence(&error));
            ExitCode::FAILURE
        }
    }
}

/// Runs the command until it ends.
fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let mut runtime = match &arguments.command {
        // It runs every few seconds beside the services: no threads for it.
        Some(Command::Health(_)) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build()?;
    let done = runtime.block_on(async {
        match arguments.command {
            None => Box::pin(up::run(arguments.up)).await,
            Some(Command::Up(flags)) => Box::pin(up::run(flags)).await,
            Some(Command::Kms(flags)) => single::kms(&flags).await,
            Some(Command::Gateway(flags)) => Box::pin(single::gateway(&flags)).await,
            Some(Command::Health(flags)) => health::run(&flags),
            // Their results decide the status.
            Some(Command::Check(flags)) => return check::run(&flags).await,
            Some(Command::Load(flags)) => return Box::pin(load::run(&flags)).await,
            Some(Command::Plan(flags)) => plan::run(&flags),
            Some(Command::Env(flags)) => env::run(&flags),
            Some(Command::Completions { shell }) => {
                manual::completions(shell);
                Ok(())
            }
            Some(Command::Man { folder }) => manual::pages(folder.as_deref()),
            Some(Command::Token(flags)) => token::run(&flags),
            Some(Command::User(task)) => users::user(&task),
            Some(Command::Mfa(task)) => users::mfa(&task),
        }
        .map(|()| ExitCode::SUCCESS)
    });
    // Tasks that still have connections must not delay the exit.
    runtime.shutdown_background();
    done
}
