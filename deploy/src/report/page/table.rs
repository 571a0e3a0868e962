//! Tables of a report.

use maud::Markup;
use maud::html;

/// A table of figures, which scrolls by itself where it is wider than the page.
pub(super) fn table(caption: &str, heads: &[&str], rows: &Markup) -> Markup {
    html! {
        div.wide tabindex="0" role="region" aria-label=(caption) {
            table.figures {
                caption { span { (caption) } }
                thead { tr { @for head in heads { th scope="col" { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Names and counts.
pub(super) fn pairs<'a>(
    heads: [&str; 2],
    rows: impl Iterator<Item = (&'a String, &'a u64)>,
) -> Markup {
    let [name, count] = heads;
    let caption = format!("{count} by {}.", name.to_lowercase());
    let rows = html! {
        @for (name, count) in rows { tr { th scope="row" { (name) } td { (count) } } }
    };
    table(&caption, &heads, &rows)
}
