//! The flags of `sealgate check`.

use std::path::PathBuf;

use clap::Args;
use clap::ValueEnum;

/// Flags of `check`.
#[derive(Args)]
pub struct Check {
    /// Files of `up`, of the KMS or of the gateway alone, of users, or with KMS keys to create, in TOML.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// What the files are. Without it, their fields decide.
    #[arg(long = "as", value_enum, value_name = "KIND")]
    pub kind: Option<Kind>,
    /// Print what each service would run with: the defaults and what the file sets, secrets as ***.
    #[arg(long)]
    pub print: bool,
    /// Try what each right file names, too: whether backend, KMS and functions are reached and accept the gateway. What
    /// takes longer than 10 seconds failed. No function is called, and nothing is written.
    #[arg(long)]
    pub online: bool,
}

/// What a file describes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `sealgate up --config`.
    Up,
    /// `sealgate kms --config`.
    Kms,
    /// `sealgate gateway --config`.
    Gateway,
    /// A file of users: credentials.toml.
    Users,
    /// KMS keys to create: `--seed`.
    Seed,
}

impl Kind {
    /// Its name in a sentence.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "file of up",
            Self::Kms => "KMS's file",
            Self::Gateway => "gateway's file",
            Self::Users => "file of users",
            Self::Seed => "seed",
        }
    }
}
