//! What files name, tried: a line each, with what came of it.

use std::path::Path;

use gateway::server::Parts;
use gateway::server::trial;
use gateway::server::trial::Trial;

use crate::announce::print_line;
use crate::cli::check::Kind;
use crate::configuration::ConfigurationFile;
use crate::process;
use crate::single;
use crate::up;

/// Tries what a file without mistakes names, prints a line about each, and returns whether all is well.
pub(super) async fn run(file: &ConfigurationFile, path: &Path, kind: Kind) -> bool {
    let tried = match try_out(file, path, kind).await {
        Ok(tried) => tried,
        Err(error) => {
            let sentence = process::sentence(&error);
            print_line(&format!("online: {}: failed: {sentence}", path.display()));
            return false;
        }
    };
    if tried.is_empty() {
        let path = path.display();
        print_line(&format!(
            "online: {path} names no server: nothing was tried"
        ));
    }
    for Trial {
        field,
        what,
        outcome,
    } in &tried
    {
        let line = match outcome {
            Ok(sentence) => format!("{what}: ok: {sentence}"),
            Err(sentence) => format!("{what}: failed: {sentence} ({field})"),
        };
        print_line(&format!("online: {line}"));
    }
    tried.iter().all(|tried| tried.outcome.is_ok())
}

async fn try_out(file: &ConfigurationFile, path: &Path, kind: Kind) -> anyhow::Result<Vec<Trial>> {
    Ok(match kind {
        Kind::Gateway => {
            let (config, _) = single::gateway_config(Some(path))?;
            trial::try_out(&config, Parts::default()).await?
        }
        // Its KMS is its own, and so is its backend unless a flag names one.
        Kind::Up => {
            let (_, gateway) = up::configurations(file)?;
            trial::try_functions(&gateway).await
        }
        Kind::Kms | Kind::Users | Kind::Seed => Vec::new(),
    })
}
