//! Files that are written as a whole or not at all, with the permissions they need.

use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Creates `directory` and its parents, readable by the owner alone.
///
/// # Errors
///
/// When it cannot be created.
pub fn private_directory(directory: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(directory)
        .with_context(|| format!("creating {}", directory.display()))
}

/// Writes a file only its owner can read.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_secret(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(file, bytes, 0o600)
}

/// Writes a file that everyone can read.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_public(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(file, bytes, 0o644)
}

/// Reads a secret; refuses one that other users of the machine can read.
///
/// # Errors
///
/// When it cannot be read or other users may read it.
pub fn read_secret(file: &Path) -> anyhow::Result<String> {
    let rights = mode(file);
    if rights & 0o077 != 0 {
        anyhow::bail!(
            "{} can be read by others (mode {rights:o}): chmod 600 it",
            file.display()
        );
    }
    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

/// Permission bits; 0 when there is no such file.
#[must_use]
pub fn mode(file: &Path) -> u32 {
    std::fs::metadata(file).map_or(0, |metadata| metadata.permissions().mode() & 0o777)
}

/// Writes, syncs and renames a temporary file beside it: a crash leaves the old file or none.
fn write(file: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let context = || format!("writing {}", file.display());
    let temporary = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
    let mut open = options.open(&temporary).with_context(context)?;
    open.write_all(bytes).with_context(context)?;
    open.sync_all().with_context(context)?;
    std::fs::rename(&temporary, file).with_context(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        write_public(&file, b"x").unwrap();
        assert!(
            read_secret(&file)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
        write_secret(&file, b"y").unwrap();
        assert_eq!(read_secret(&file).unwrap(), "y");
    }
}
