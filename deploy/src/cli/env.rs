//! The flags of `sealgate env`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

/// Flags of `env`.
#[derive(Args)]
pub struct Env {
    /// The data folder of the running `sealgate up` [env: SEALGATE_DATA] [default: sealgate-data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The shell that reads it.
    #[arg(long, value_enum, default_value_t = Shell::Sh)]
    pub shell: Shell,
    /// One object of JSON instead.
    #[arg(long, conflicts_with_all = ["shell", "dotenv"])]
    pub json: bool,
    /// Lines NAME=VALUE instead, as a file .env has them.
    #[arg(long, conflicts_with = "shell")]
    pub dotenv: bool,
    /// Set JAVA_TOOL_OPTIONS, too, by which Java programs trust the authority; each of them prints a line about it.
    #[arg(long)]
    pub java: bool,
    /// Unset every variable that it sets instead; nothing need run.
    #[arg(long, conflicts_with_all = ["json", "dotenv"])]
    pub unset: bool,
    /// Write the profile NAME, with the endpoints, into the files of the AWS CLI and the SDKs instead: ~/.aws/config
    /// and ~/.aws/credentials, or those of AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE. Sections that this
    /// command did not write stay as they are.
    #[arg(
        long,
        value_name = "NAME",
        value_parser = profile_name,
        conflicts_with_all = ["shell", "json", "dotenv", "unset", "java"]
    )]
    pub write_profile: Option<String>,
}

impl Env {
    /// The data folder.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        super::data_folder(self.data.as_ref())
    }
}

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bourne's shell and what understands it: bash, dash, zsh.
    Sh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
}

/// Reads the name of a profile.
fn profile_name(text: &str) -> Result<String, String> {
    let is_within = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match !text.is_empty() && text.bytes().all(is_within) {
        true => Ok(text.to_owned()),
        false => Err("a name has letters, digits, `-`, `_` and `.`".to_owned()),
    }
}
