//! Files and folders that no other user of the machine can read or write.
//!
//! A file is written as a whole or not at all. A symbolic link where a file is to be written is refused:
//! whoever placed it would choose which file is overwritten.

use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Creates `directory` and its parents, for the owner alone. One that is there becomes so, too.
///
/// # Errors
///
/// When it cannot be created, belongs to another user, or other users could write into it until now: then
/// nothing in it can be trusted.
pub fn private_directory(directory: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder
        .create(directory)
        .with_context(|| format!("creating {}", directory.display()))?;
    let metadata =
        std::fs::metadata(directory).with_context(|| format!("reading {}", directory.display()))?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o022 != 0 {
        anyhow::bail!(
            "other users can write into {} (mode {mode:o}): if nobody did, chmod 700 it",
            directory.display()
        );
    }
    make_private(directory, &metadata)
}

/// Makes everything that lies directly in `directory` readable and writable for the owner alone. What is
/// deeper needs no more: nobody else gets there.
///
/// # Errors
///
/// When something in it is a symbolic link or belongs to another user.
pub fn private_entries(directory: &Path) -> anyhow::Result<()> {
    let context = || format!("reading {}", directory.display());
    for entry in std::fs::read_dir(directory).with_context(context)? {
        let path = entry.with_context(context)?.path();
        refuse_link(&path)?;
        let metadata = std::fs::symlink_metadata(&path).with_context(context)?;
        make_private(&path, &metadata)?;
    }
    Ok(())
}

/// Writes a file only its owner can read.
///
/// # Errors
///
/// When it cannot be written, or a symbolic link is in its place.
pub fn write_private(file: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    replace(file, bytes, |_| Ok(())).map(drop)
}

/// As [`write_private`]; holds a lock on the file, from before it is in its place, until the returned one is closed.
///
/// # Errors
///
/// As [`write_private`].
pub fn write_locked(file: &Path, bytes: &[u8]) -> anyhow::Result<File> {
    replace(file, bytes, File::lock)
}

/// Writes a file that only its owner can read, and puts it in its place when it is whole and `prepare` was done.
fn replace(
    file: &Path,
    bytes: &[u8],
    prepare: impl FnOnce(&File) -> std::io::Result<()>,
) -> anyhow::Result<File> {
    let context = || format!("writing {}", file.display());
    // Renamed when it is complete: a crash leaves the old file or none.
    let temporary = file.with_extension("new");
    refuse_link(file)?;
    refuse_link(&temporary)?;
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(context);
        }
        _ => {}
    }
    // `create_new` follows no link, not even one that was placed just now.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut open = options.open(&temporary).with_context(context)?;
    open.write_all(bytes).with_context(context)?;
    open.sync_all().with_context(context)?;
    prepare(&open).with_context(context)?;
    std::fs::rename(&temporary, file).with_context(context)?;
    Ok(open)
}

/// Opens a file for reading and writing; makes it, for its owner alone, if it is not there.
///
/// # Errors
///
/// When it cannot be opened, or is a symbolic link.
pub fn open_private(file: &Path) -> anyhow::Result<File> {
    refuse_link(file)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let open = options.mode(0o600).open(file);
    open.with_context(|| format!("opening {}", file.display()))
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

/// Takes the rights on a file or a folder from everyone but its owner, who must be this user.
fn make_private(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user {
        anyhow::bail!(
            "{} belongs to another user (id {}, this is {user})",
            path.display(),
            metadata.uid()
        );
    }
    let private = if metadata.is_dir() { 0o700 } else { 0o600 };
    if metadata.mode() & 0o777 == private {
        return Ok(());
    }
    let changed = std::fs::set_permissions(path, Permissions::from_mode(private));
    changed.with_context(|| format!("taking the rights of other users on {}", path.display()))
}

fn refuse_link(path: &Path) -> anyhow::Result<()> {
    let metadata = std::fs::symlink_metadata(path);
    if metadata.is_ok_and(|metadata| metadata.is_symlink()) {
        anyhow::bail!(
            "{} is a symbolic link, which could lead anywhere: remove it",
            path.display()
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn open_to_all(path: &Path, mode: u32) {
        std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_secret_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        write_private(&file, b"y").unwrap();
        assert_eq!(read_secret(&file).unwrap(), "y");
        open_to_all(&file, 0o644);
        let refusal = read_secret(&file).unwrap_err().to_string();
        assert!(refusal.contains("chmod 600"), "{refusal}");
    }

    #[test]
    fn a_folder_that_others_can_write_into_is_refused_and_one_they_can_read_becomes_private() {
        let directory = tempfile::tempdir().unwrap();
        let folder = directory.path().join("data");
        private_directory(&folder).unwrap();
        for mode in [0o777, 0o775, 0o722] {
            open_to_all(&folder, mode);
            let refusal = private_directory(&folder).unwrap_err().to_string();
            assert!(refusal.contains("other users can write into"), "{refusal}");
            assert!(refusal.contains("chmod 700"), "{refusal}");
        }
        open_to_all(&folder, 0o755);
        private_directory(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700);
    }

    #[test]
    fn what_lies_in_a_folder_becomes_private_and_may_not_be_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, folder) = (directory.path().join("a"), directory.path().join("b"));
        std::fs::write(&file, b"").unwrap();
        std::fs::create_dir(&folder).unwrap();
        open_to_all(&file, 0o664);
        open_to_all(&folder, 0o755);
        private_entries(directory.path()).unwrap();
        assert_eq!((mode(&file), mode(&folder)), (0o600, 0o700));
        symlink("/nowhere", directory.path().join("c")).unwrap();
        let refusal = private_entries(directory.path()).unwrap_err().to_string();
        assert!(refusal.contains("is a symbolic link"), "{refusal}");
    }

    #[test]
    fn nothing_is_written_through_a_symbolic_link() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        std::fs::write(&victim, b"precious").unwrap();
        let file = directory.path().join("credentials.toml");
        for link in ["credentials.new", "credentials.toml"] {
            let link = directory.path().join(link);
            symlink(&victim, &link).unwrap();
            let refusal = write_private(&file, b"x").unwrap_err().to_string();
            assert!(refusal.contains("is a symbolic link"), "{refusal}");
            std::fs::remove_file(link).unwrap();
        }
        symlink(&victim, directory.path().join("lock")).unwrap();
        assert!(open_private(&directory.path().join("lock")).is_err());
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
    }

    #[test]
    fn an_unfinished_file_of_a_crash_does_not_hinder_the_next_writing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("admin.token");
        std::fs::write(directory.path().join("admin.new"), b"half").unwrap();
        write_private(&file, b"whole").unwrap();
        assert_eq!(read_secret(&file).unwrap(), "whole");
    }
}
