//! What objects cost the KMS, and the streams that ran at once.

use maud::Markup;
use maud::html;

use crate::load::results::Results;

/// KMS calls of writes and reads.
pub(super) fn table(results: &Results) -> Markup {
    html! {
        div.wide { table {
            caption { "By the KMS's own count of what S3 called for objects." }
            thead { tr { @for name in ["Requests", "Served", "KMS operation", "Calls served", "Throttled",
                                       "Calls an object"] { th scope="col" { (name) } } } }
            tbody { @for it in &results.objects { tr {
                th scope="row" { (it.operation) }
                td { (it.served) }
                td { (it.kms_operation) }
                td { (it.kms_calls) }
                td { (it.kms_throttled) }
                td { @if let Some(each) = it.kms_calls_per_object { (format!("{each:.4}")) } }
            } } }
        } }
        @if let Some(used) = &results.bucket_keys {
            p { "Bucket Keys saved " (used.saved_calls) " calls and made " (used.calls) "." }
        }
    }
}

/// Counts of each stream.
pub(super) fn streams(results: &Results) -> Markup {
    html! {
        div.wide { table {
            thead { tr { @for name in ["Stream", "Offered", "Sent", "Served", "Throttled", "Given up"] {
                th scope="col" { (name) } } } }
            tbody { @for it in &results.streams { tr {
                th scope="row" { (it.name) }
                @for count in [it.offered, it.sent, it.served, it.throttled, it.given_up] { td { (count) } }
            } } }
        } }
    }
}
