//! Where the results of a run go: standard output first, so that no failure of a file loses them, and then files.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use proto::time::Clock as _;
use proto::time::SystemClock;

use crate::announce;
use crate::cli::load::Output;
use crate::load::text;
use crate::report;
use crate::report::folder::Folder;
use crate::report::results::Results;
use crate::running::RunningUp;

/// Where they go.
pub(super) struct Destinations<'a> {
    output: &'a Output,
    /// The folder of the `up` that runs, and its console.
    kept: Option<(Folder, String)>,
}

impl<'a> Destinations<'a> {
    /// Those of the flags.
    ///
    /// # Errors
    ///
    /// When the report is to be kept and no `up` runs in the data folder: that is better known before the run.
    pub(super) fn open(output: &'a Output) -> anyhow::Result<Self> {
        let find = || {
            let data = output.data_folder();
            let running = RunningUp::read(&data).context("--keep")?;
            anyhow::Ok((Folder::of(&data), running.console))
        };
        Ok(Self {
            output,
            kept: output.keep.then(find).transpose()?,
        })
    }

    /// Prints and writes the results.
    ///
    /// # Errors
    ///
    /// When one cannot be written; the others are.
    pub(super) fn write(&self, results: &Results) -> anyhow::Result<()> {
        let json = serde_json::to_string_pretty(results)?;
        let file = self.output.json.as_deref();
        let is_stdout = file.is_some_and(|file| file == Path::new("-"));
        match is_stdout {
            true => announce::print_line(&json),
            false => announce::print_line(&text::summary(results)),
        }
        let written = [
            file.filter(|_| !is_stdout).map(|file| write(file, &json)),
            self.output
                .html
                .as_deref()
                .map(|file| write(file, &report::file(results)?)),
            self.kept.as_ref().map(|kept| keep(kept, results)),
        ];
        written.into_iter().flatten().collect()
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("writing {}", file.display());
    std::fs::write(file, text).with_context(context)
}

/// Keeps a report, and names its page on standard error: standard output may be JSON.
fn keep((folder, console): &(Folder, String), results: &Results) -> anyhow::Result<()> {
    let name = folder
        .keep(results, SystemClock.now())
        .context("the report is not kept")?;
    // Without a reader, it is kept all the same.
    let _ = writeln!(
        std::io::stderr(),
        "The report is kept: {console}console/report?name={name}"
    );
    Ok(())
}
