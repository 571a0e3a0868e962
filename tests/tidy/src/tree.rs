//! The files of the repository, by their paths from its root.

use std::collections::BTreeMap;
use std::path::Path;

/// Folders of crates whose modules have an order, each with the file that lists them.
pub const CRATES: [(&str, &str); 6] = [
    ("proto/src", "lib.rs"),
    ("kms/src", "lib.rs"),
    ("gateway/src", "lib.rs"),
    ("deploy/src", "lib.rs"),
    ("tests/harness", "lib.rs"),
    ("tests/tidy/src", "lib.rs"),
];

const EXTENSIONS: [&str; 4] = ["rs", "md", "toml", "lock"];

/// Text files by their paths from the root, with `/` between folders.
#[derive(Default)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads the Rust files, documents, manifests and scripts of the repository.
    ///
    /// # Panics
    ///
    /// When a file cannot be read.
    #[must_use]
    pub fn of_this_repository() -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .nth(2)
            .expect("tests/tidy is two folders deep");
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).expect("the folder can be read") {
                let path = entry.expect("the entry can be read").path();
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                if path.is_dir() {
                    if !name.starts_with('.') && name != "target" {
                        folders.push(path);
                    }
                    continue;
                }
                let extension = path
                    .extension()
                    .map(|extension| extension.to_string_lossy());
                let text = match extension {
                    Some(extension) if EXTENSIONS.contains(&&*extension) => {
                        std::fs::read_to_string(&path).expect("the file is UTF-8")
                    }
                    None => script(&path).unwrap_or_default(),
                    Some(_) => String::new(),
                };
                if !text.is_empty() {
                    let relative = path.strip_prefix(root).expect("it is below the root");
                    files.insert(relative.display().to_string().replace('\\', "/"), text);
                }
            }
        }
        Self(files)
    }

    /// A tree of these files.
    #[must_use]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let owned = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Self(owned.collect())
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Files below a folder with this extension, by path.
    pub fn below<'a>(
        &'a self,
        folder: &'a str,
        extension: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self
            .0
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()));
        all.filter(move |(path, _)| {
            let inside = path.strip_prefix(folder);
            let inside = inside.is_some_and(|rest| folder.is_empty() || rest.starts_with('/'));
            inside
                && path
                    .rsplit_once('.')
                    .is_some_and(|(_, found)| found == extension)
        })
    }

    /// All Rust files.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.below("", "rs")
    }

    /// All scripts: files whose names have no extension.
    pub fn scripts(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(path, text)| (&**path, &**text));
        all.filter(|(path, _)| !path.rsplit('/').next().unwrap_or_default().contains('.'))
    }

    /// All documents.
    pub fn documents(&self) -> impl Iterator<Item = (&str, &str)> {
        self.below("", "md")
    }
}

/// The text of a script; none of what is not text, or cannot be read, as a socket.
fn script(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// Whether a path is that of a test or of what tests are made with.
#[must_use]
pub fn is_test(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}
