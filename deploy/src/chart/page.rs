//! The page that charts stand on: one HTML file without a script, which requests nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

/// A page with that title and content.
///
/// # Errors
///
/// Never in practice: a digest is hexadecimal.
pub fn page(title: &str, content: &Markup) -> anyhow::Result<String> {
    let digest = hex::decode(proto::sigv4::sha256_hex(STYLE.as_bytes()))?;
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(digest)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title { (title) ": Sealgate" }
                style { (PreEscaped(STYLE)) }
            }
            body { main { (content) } }
        }
    };
    Ok(page.into_string())
}

const STYLE: &str = include_str!("page.css");
