//! What the binary prints about itself: its version, manual pages, and scripts that complete its command line.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::announce::print_line;
use crate::announce::print_text;
use crate::cli::Arguments;

/// Prints the version: in one line, or with all about the build.
pub fn version(is_verbose: bool) {
    print_line(&match is_verbose {
        true => verbose_version(),
        false => short_version(),
    });
}

fn short_version() -> String {
    format!("sealgate {}", env!("CARGO_PKG_VERSION"))
}

fn verbose_version() -> String {
    format!(
        "{}\ncommit: {}\nrustc: {}\ntarget: {}\nprofile: {}\nfeatures: none\nquota tables: {}",
        short_version(),
        env!("SEALGATE_BUILD_COMMIT"),
        env!("SEALGATE_BUILD_RUSTC"),
        env!("SEALGATE_BUILD_TARGET"),
        env!("SEALGATE_BUILD_PROFILE"),
        kms::quota::Profile::NAMES.join(", "),
    )
}

/// Prints the script by which a shell completes commands and flags.
pub fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut script);
    print_text(&String::from_utf8_lossy(&script));
}

/// Writes the manual page of each command into `folder`, or prints the one of them all.
///
/// # Errors
///
/// When they cannot be written.
pub fn pages(folder: Option<&Path>) -> anyhow::Result<()> {
    let Some(folder) = folder else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
        print_text(&String::from_utf8_lossy(&page));
        return Ok(());
    };
    let context = || format!("writing into {}", folder.display());
    std::fs::create_dir_all(folder).with_context(context)?;
    clap_mangen::generate_to(Arguments::command(), folder).with_context(context)
}

/// What the binary is called.
const NAME: &str = "sealgate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_version_is_one_line_and_the_long_one_has_the_build() {
        assert_eq!(short_version().lines().count(), 1);
        let text = verbose_version();
        for part in [
            "rustc: rustc 1.",
            "target: ",
            "quota tables: 2026, 2023",
            "commit: ",
        ] {
            assert!(text.contains(part), "{text}");
        }
    }

    #[test]
    fn the_long_version_names_the_profile_by_the_folder_that_cargo_builds_it_in() {
        let binary = std::env::current_exe().unwrap();
        // `<profile>/deps/<test>`
        let profile = binary.ancestors().nth(2).unwrap().file_name().unwrap();
        let line = format!("\nprofile: {}\n", profile.to_str().unwrap());
        assert!(verbose_version().contains(&line), "{line}");
    }

    #[test]
    fn every_command_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        pages(Some(folder.path())).unwrap();
        let page = |name: &str| std::fs::read_to_string(folder.path().join(format!("{name}.1")));
        assert!(page("sealgate").unwrap().contains(".TH"));
        for command in Arguments::command().get_subcommands() {
            let name = format!("sealgate-{}", command.get_name());
            assert!(page(&name).unwrap().contains(".TH"), "{name}");
        }
    }

    #[test]
    fn a_command_that_is_misspelled_is_refused_with_the_nearest() {
        let refusal = Arguments::command().try_get_matches_from(["sealgate", "helth"]);
        let refusal = refusal.unwrap_err().to_string();
        assert!(refusal.contains("'health'"), "{refusal}");
    }
}
