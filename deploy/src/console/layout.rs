//! What all pages have in common: head, navigation, and the parts that they are made of.

use maud::DOCTYPE;
use maud::Markup;
use maud::html;

use crate::chart::Chart;
use crate::console::access::Viewer;
use crate::console::asset::Asset;

/// A page.
pub(super) struct Page<'a> {
    pub(super) title: &'a str,
    /// The path of the entry of the navigation that it belongs to.
    pub(super) entry: &'a str,
    pub(super) viewer: Option<&'a Viewer>,
    /// Paths and names of the navigation.
    pub(super) entries: &'a [(&'static str, &'static str)],
    /// What became of the form that led here.
    pub(super) notice: Option<Notice>,
    /// Whether the script keeps its figures moving.
    pub(super) is_live: bool,
}

/// What became of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Notice {
    /// It was done.
    Done(&'static str),
    /// It was refused; why, in a sentence.
    Refused(String),
}

impl Page<'_> {
    /// The page with that content.
    pub(super) fn with(&self, content: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) " - Sealgate" }
                    link rel="stylesheet" href=(Asset::style().path);
                    script src=(Asset::script().path) defer {}
                }
                body data-live[self.is_live] {
                    a.skip href="#content" { "Skip to the content" }
                    header {
                        p.brand { "Sealgate" }
                        @if !self.entries.is_empty() { (self.navigation()) }
                        @if let Some(viewer) = self.viewer.filter(|viewer| viewer.has_session) {
                            form method="post" action="/console/logout" {
                                (form_digest(viewer))
                                button type="submit" { "Log out" }
                            }
                        }
                    }
                    main id="content" tabindex="-1" {
                        h1 { (self.title) }
                        @match &self.notice {
                            Some(Notice::Done(text)) => p.done role="status" { (text) },
                            Some(Notice::Refused(text)) => p.refused role="alert" { (text) },
                            None => {}
                        }
                        (content)
                    }
                    @if self.is_live { p.unseen id="say" aria-live="polite" {} }
                }
            }
        }
    }

    fn navigation(&self) -> Markup {
        html! {
            nav aria-label="Pages" {
                ul {
                    @for (path, name) in self.entries {
                        li {
                            @let current = (*path == self.entry).then_some("page");
                            a href=(path) aria-current=[current] { (name) }
                        }
                    }
                }
            }
        }
    }
}

/// The field by which a form shows that it is of this console.
pub(super) fn form_digest(viewer: &Viewer) -> Markup {
    html! { input type="hidden" name="form" value=(viewer.form_digest); }
}

/// A chart with its legend, which the script replaces under that name.
pub(super) fn figure(name: &str, chart: &Chart) -> Markup {
    html! {
        figure {
            div data-chart=(name) { (maud::PreEscaped(chart.svg())) }
            ul.legend { (maud::PreEscaped(chart.legend())) }
        }
    }
}

/// A figure that the script replaces under that name.
pub(super) fn figure_text(name: &str, text: &str) -> Markup {
    html! { span data-text=(name) { (text) } }
}

/// A table that scrolls by itself where it is wider than the page.
pub(super) fn table(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A field of a form with its label.
pub(super) fn field(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        label {
            span { (label) }
            input type="text" name=(name) value=(value) placeholder=(hint) autocomplete="off" spellcheck="false";
        }
    }
}

/// A choice of a form with its label; the first is none of them.
pub(super) fn choice(name: &str, label: &str, none: &str, chosen: &str, values: &[&str]) -> Markup {
    html! {
        label {
            span { (label) }
            select name=(name) {
                option value="" { (none) }
                @for value in values { option selected[*value == chosen] { (value) } }
            }
        }
    }
}

/// Links to the pages before and after.
pub(super) fn paging(before: Option<String>, after: Option<String>, said: &str) -> Markup {
    html! {
        nav.paging aria-label="Parts of the list" {
            p { (said) }
            @if let Some(before) = before { a href=(before) rel="prev" { "Before" } }
            @if let Some(after) = after { a href=(after) rel="next" { "After" } }
        }
    }
}

/// A rate as pages show it.
pub(super) fn rate(value: f64) -> String {
    match value {
        _ if value == 0.0 => "0".to_owned(),
        _ if value < 10.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
