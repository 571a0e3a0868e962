//! The style sheet and the script, at paths with the digest of their content, so that browsers may keep them for
//! ever.

use std::sync::OnceLock;

use proto::sigv4::sha256_hex;

/// A file that pages name.
pub(super) struct Asset {
    /// Where it is.
    pub(super) path: String,
    pub(super) content_type: &'static str,
    pub(super) text: &'static str,
}

impl Asset {
    fn new(extension: &str, content_type: &'static str, text: &'static str) -> Self {
        let digest = sha256_hex(text.as_bytes());
        let digest = digest.get(..DIGITS).unwrap_or(&digest);
        Self {
            path: format!("{FOLDER}{digest}.{extension}"),
            content_type,
            text,
        }
    }

    /// The style sheet of every page.
    pub(super) fn style() -> &'static Self {
        static STYLE: OnceLock<Asset> = OnceLock::new();
        STYLE.get_or_init(|| Self::new("css", "text/css; charset=utf-8", include_str!("style.css")))
    }

    /// The script of every page, which works without it.
    pub(super) fn script() -> &'static Self {
        static SCRIPT: OnceLock<Asset> = OnceLock::new();
        let kind = "text/javascript; charset=utf-8";
        SCRIPT.get_or_init(|| Self::new("js", kind, include_str!("script.js")))
    }

    /// The one at that path.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        [Self::style(), Self::script()]
            .into_iter()
            .find(|asset| asset.path == path)
    }
}

const FOLDER: &str = "/console/assets/";

/// Digits of the digest in a path.
const DIGITS: usize = 16;
