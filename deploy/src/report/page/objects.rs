//! What objects cost the KMS, and the streams that ran at once.

use maud::Markup;
use maud::html;

use crate::report::page::table::table;
use crate::report::results::Results;

/// KMS calls of writes and reads.
pub(super) fn costs(results: &Results) -> Markup {
    let heads = [
        "Requests",
        "Served",
        "KMS operation",
        "Calls served",
        "Throttled",
        "Calls an object",
    ];
    let rows = html! {
        @for it in &results.objects { tr {
            th scope="row" { (it.operation) }
            td { (it.served) }
            td { (it.kms_operation) }
            td { (it.kms_calls) }
            td { (it.kms_throttled) }
            td { @if let Some(each) = it.kms_calls_per_object { (format!("{each:.4}")) } }
        } }
    };
    html! {
        (table("By the KMS's own count of what S3 called for objects.", &heads, &rows))
        @if let Some(used) = &results.bucket_keys {
            p { "Bucket Keys saved " (used.saved_calls) " calls and made " (used.calls) "." }
        }
    }
}

/// Counts of each stream.
pub(super) fn streams(results: &Results) -> Markup {
    let heads = [
        "Stream",
        "Offered",
        "Sent",
        "Served",
        "Throttled",
        "Given up",
    ];
    let rows = html! {
        @for it in &results.streams { tr {
            th scope="row" { (it.name) }
            @for count in [it.offered, it.sent, it.served, it.throttled, it.given_up] { td { (count) } }
        } }
    };
    table("Requests and attempts of each stream.", &heads, &rows)
}
