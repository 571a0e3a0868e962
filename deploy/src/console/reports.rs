//! Reports of `sealgate load` that the data folder keeps: their list, and one of them. A file there is data of unknown
//! origin: its results are read by their shape, and rendered here.

use bytes::Bytes;
use maud::Markup;
use maud::html;

use crate::console::form::Form;
use crate::console::form::link;
use crate::console::layout;
use crate::report;
use crate::report::folder::Entry;
use crate::report::folder::Folder;
use crate::report::folder::Listing;
use crate::report::folder::PAGE;
use crate::report::outline::Outline;
use crate::report::outline::target;
use crate::report::results::Results;

/// How many reports are before those of the page.
pub(super) fn skip(form: &Form) -> usize {
    form.number("skip").ok().flatten().unwrap_or_default()
}

/// The page of a service alone.
pub(super) fn none() -> Markup {
    html! {
        p {
            "Reports are kept in the data folder of " code { "sealgate up" } ", and this service runs alone: it has \
             none. " code { "sealgate load" } " writes files with " code { "--html" } " and " code { "--json" } "."
        }
    }
}

/// The page of the list.
pub(super) fn list(listing: &Listing, form: &Form) -> Markup {
    let skip = skip(form);
    let last = skip.saturating_add(listing.entries.len());
    let at = |skip: usize| link("/console/reports", &[("skip", Some(&skip.to_string()))]);
    let heads = [
        "Run",
        "Served",
        "Throttled",
        "Thresholds",
        "Target",
        "Command",
    ];
    let rows = html! { @for entry in &listing.entries { (row(entry)) } };
    html! {
        p.note {
            "A run is kept here with " code { "sealgate load … --keep" } ", until its file in the folder " code { "reports" }
            " of the data folder is removed."
        }
        @if listing.entries.is_empty() {
            p { "There is no report." }
        } @else {
            (layout::table("Runs, the one kept last first", &heads, &rows))
            (layout::paging(
                (skip > 0).then(|| at(skip.saturating_sub(PAGE))),
                (last < listing.count).then(|| at(last)),
                &format!("{} to {last} of {}", skip.saturating_add(1), listing.count),
            ))
        }
        @if listing.is_cut { p { "The folder has more files than were looked at: remove some." } }
    }
}

fn row(entry: &Entry) -> Markup {
    let page = link("/console/report", &[("name", Some(&entry.name))]);
    html! {
        tr {
            @match &entry.outline {
                Ok(outline) => {
                    th scope="row" { a href=(page) { (started(outline, entry)) } }
                    td { (outline.served) " of " (outline.offered) }
                    td { (format!("{:.1} %", outline.throttled_ratio * 100.0)) }
                    td { (thresholds(outline)) }
                    td { (outline.target) }
                    td.long { (outline.command) }
                }
                Err(why) => {
                    th scope="row" { (entry.name) }
                    td.long colspan="5" { "Not shown. " (why) }
                }
            }
        }
    }
}

/// When a run began; for one of an earlier version, when it was kept.
fn started(outline: &Outline, entry: &Entry) -> String {
    let started = outline.started_at.clone();
    let time = started.unwrap_or_else(|| entry.kept_at.iso8601());
    time.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// Whether the thresholds hold, and whether the run is valid at all.
fn thresholds(outline: &Outline) -> Markup {
    let (failed, all) = (outline.thresholds_failed, outline.thresholds);
    html! {
        @if !outline.is_valid {
            strong { "not valid" }
        } @else if all == 0 {
            "none"
        } @else if failed == 0 {
            "hold"
        } @else {
            strong { (failed) " of " (all) " failed" }
        }
    }
}

/// The page of one report.
pub(super) fn one(name: &str, results: &Results) -> Markup {
    let file = |path| link(path, &[("name", Some(name))]);
    let section = report::section(results);
    html! {
        p {
            (results.started_at.as_deref().unwrap_or_default()) " on " (target(results)) ". With every second: "
            a href=(file(HTML)) download { "the report as one HTML file" } ", "
            a href=(file(JSON)) download { "its results as JSON" } "."
        }
        @if section.0.len() > SECTION_BYTES_MAX {
            p { "It is too large to be shown here: look at its files." }
        } @else {
            div.report { (section) }
        }
    }
}

/// A file of a report, to be stored: made from its results, and never what lies in the folder.
pub(super) struct Download {
    pub(super) content_type: &'static str,
    /// The name that a browser stores it by.
    pub(super) file: String,
    pub(super) bytes: Bytes,
}

impl Download {
    /// What is at that path for a report; none if the path is another page's.
    ///
    /// # Errors
    ///
    /// Why it is not made, in a sentence.
    pub(super) fn find(path: &str, name: &str, results: &Results) -> Result<Option<Self>, String> {
        let failed = |error: anyhow::Error| format!("{error:#}.");
        let (content_type, ending, bytes) = match path {
            HTML => {
                let page = report::file(results).map_err(failed)?;
                ("text/html; charset=utf-8", "html", page.into_bytes())
            }
            JSON => {
                let text = serde_json::to_vec_pretty(results).map_err(|it| failed(it.into()))?;
                ("application/json", "json", text)
            }
            _ => return Ok(None),
        };
        Ok(Some(Self {
            content_type,
            file: format!("{name}.{ending}"),
            bytes: bytes.into(),
        }))
    }

    /// Whether the path is that of such a file.
    pub(super) fn is_at(path: &str) -> bool {
        path == HTML || path == JSON
    }
}

/// Runs a reading of the folder where it may wait for a disk.
///
/// # Errors
///
/// When it did not end.
pub(super) async fn reading<T: Send + 'static>(
    folder: &Folder,
    read: impl FnOnce(&Folder) -> T + Send + 'static,
) -> Result<T, String> {
    let folder = folder.clone();
    let done = tokio::task::spawn_blocking(move || read(&folder)).await;
    done.map_err(|_| "The folder of reports could not be read.".to_owned())
}

/// One HTML file.
const HTML: &str = "/console/report.html";

/// Its results.
const JSON: &str = "/console/report.json";

/// Most bytes of what is shown of a report: that of a run has about 25 KiB.
const SECTION_BYTES_MAX: usize = 256 << 10;
