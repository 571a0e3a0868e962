//! One request, from its path to its page.

use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http::HeaderValue;
use http::Method;
use http::Request;
use http::Response;
use http::StatusCode;
use http::header;
use maud::Markup;
use maud::html;
use proto::pages;
use proto::pages::PageBody;
use proto::pages::Pages;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::console::Console;
use crate::console::access::Access;
use crate::console::access::Denied;
use crate::console::access::Viewer;
use crate::console::asset::Asset;
use crate::console::buckets;
use crate::console::buckets::SeenModes;
use crate::console::changes;
use crate::console::events;
use crate::console::faults;
use crate::console::form::Form;
use crate::console::history::History;
use crate::console::keys;
use crate::console::layout;
use crate::console::layout::Notice;
use crate::console::layout::Page;
use crate::console::overview;
use crate::console::overview::Health;
use crate::console::quotas;
use crate::console::reports;
use crate::console::reports::Download;
use crate::report::folder::Unreadable;
use crate::report::results::Results;

impl Pages for Console {
    fn respond<'a>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Response<PageBody>> + Send + 'a>> {
        Box::pin(async move {
            let mut response = self.answer(request).await;
            for (name, value) in HEADERS {
                let value = HeaderValue::from_static(value);
                response.headers_mut().entry(name).or_insert(value);
            }
            response
        })
    }
}

/// What the script is sent each second.
pub(super) fn message(history: &History) -> String {
    let mut message = quotas::message(history);
    let rates = history.rates();
    for (name, _, value) in overview::numbers(history) {
        message.text.insert(name.to_owned(), value);
    }
    let svg = overview::chart(history).svg();
    message.chart.insert("requests".to_owned(), svg);
    message.say = format!(
        "{} requests of S3 and {} calls of the KMS a second",
        layout::rate(rates.s3),
        layout::rate(rates.kms)
    );
    json!(message).to_string()
}

impl Console {
    async fn answer(&self, request: Request<Bytes>) -> Response<PageBody> {
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        if let Some(asset) = Asset::find(path) {
            return file(asset);
        }
        let demands = self.demands();
        let now = Instant::now();
        let headers = &head.headers;
        if path == "/console/login" {
            return self.login(&head.method, headers, head.uri.query(), &body);
        }
        let viewer = match self.access.viewer(&demands, headers, now) {
            Ok(viewer) => viewer,
            Err(Denied::NoToken) => return self.refusal(None, StatusCode::FORBIDDEN, NO_TOKEN),
            Err(Denied::Login) if path == LIVE || head.method == Method::POST => {
                return self.refusal(None, StatusCode::UNAUTHORIZED, "Log in first.");
            }
            Err(Denied::Login) => {
                return redirect(&format!("/console/login?next={}", name_of(path)));
            }
        };
        let form = Form::parse(head.uri.query().unwrap_or_default());
        if head.method != Method::POST {
            return self.page(path, &viewer, &form, None).await;
        }
        let posted = Form::parse(&String::from_utf8_lossy(&body));
        if let Err(why) = Access::check_form(headers) {
            return self.refusal(Some(&viewer), StatusCode::FORBIDDEN, why);
        }
        if posted.get("form") != Some(viewer.form_digest.as_str()) {
            return self.refusal(Some(&viewer), StatusCode::FORBIDDEN, STALE);
        }
        if path == "/console/logout" {
            let mut response = redirect("/");
            set_cookie(&mut response, &self.access.log_out(headers));
            return response;
        }
        let Some(change) = changes::Change::find(path) else {
            return self.refusal(
                Some(&viewer),
                StatusCode::NOT_FOUND,
                "There is nothing here.",
            );
        };
        let done = change
            .perform(&self.sources, &viewer, &demands, &posted)
            .await;
        match done {
            Ok(()) => redirect(&format!("{}?done={}", change.back, change.name)),
            Err(why) => {
                let refused = Some(Notice::Refused(why));
                let mut response = self.page(change.back, &viewer, &posted, refused).await;
                *response.status_mut() = StatusCode::BAD_REQUEST;
                response
            }
        }
    }

    /// A page. `notice` is what became of a form that was not sent on to another page.
    async fn page(
        &self,
        path: &str,
        viewer: &Viewer,
        form: &Form,
        notice: Option<Notice>,
    ) -> Response<PageBody> {
        if path == LIVE {
            return match self.live.stream(&self.sources, self.stop.clone()) {
                Some(body) => stream(body),
                None => {
                    let why = "Too many pages with moving figures are open.";
                    self.refusal(Some(viewer), StatusCode::SERVICE_UNAVAILABLE, why)
                }
            };
        }
        if Download::is_at(path) {
            return match self.download(path, form).await {
                Ok(download) => attachment(download),
                Err((status, why)) => self.refusal(Some(viewer), status, &why),
            };
        }
        let content = match self.content(path, viewer, form).await {
            Ok(content) => content,
            Err((status, why)) => return self.refusal(Some(viewer), status, &why),
        };
        let done = form.get("done").and_then(changes::done).map(Notice::Done);
        let entries = self.entries();
        let (title, entry) = title(path);
        let page = Page {
            title,
            entry,
            viewer: Some(viewer),
            entries: &entries,
            notice: notice.or(done),
            is_live: ["/", "/console", "/console/", "/console/quotas"].contains(&path),
        };
        html_answer(StatusCode::OK, &page.with(&content))
    }

    /// What a page has between its head and its end; the status and the reason if there is none.
    async fn content(
        &self,
        path: &str,
        viewer: &Viewer,
        form: &Form,
    ) -> Result<Markup, (StatusCode, String)> {
        let sources = &self.sources;
        Ok(match path {
            "/" | "/console" | "/console/" => {
                let health = Health::of(sources).await;
                let show = |history: &History| overview::content(sources, &health, history);
                self.live.look(sources, show)
            }
            "/console/quotas" => {
                let quotas = self.read("/admin/quotas", "").await?;
                let show = |history: &History| quotas::content(&quotas, history, viewer, form);
                self.live.look(sources, show)
            }
            "/console/quotas/all" => quotas::all(&self.read("/admin/quotas", "").await?),
            "/console/keys" => {
                keys::list(&self.read("/admin/keys", &keys::query(form)).await?, form)
            }
            "/console/key" => {
                let query = super::form::link("", &[("key", Some(form.get("id").unwrap_or("-")))]);
                keys::one(
                    &self
                        .read("/admin/keys", query.trim_start_matches('?'))
                        .await?,
                )
            }
            "/console/events" => events::list(
                &self.read("/admin/events", &events::query(form)).await?,
                form,
            ),
            "/console/event" => {
                let event: Value = self
                    .read("/admin/events", &events::query_of_one(form))
                    .await?;
                let gone = || {
                    (
                        StatusCode::NOT_FOUND,
                        "This event is not in memory.".to_owned(),
                    )
                };
                events::one(&event).ok_or_else(gone)?
            }
            "/console/faults" => {
                let (faults, clock): (Value, Value) = (
                    self.read("/admin/faults", "").await?,
                    self.read("/admin/clock", "").await?,
                );
                let refusal = changes::clock_refusal(sources, viewer, &self.demands());
                faults::content(&faults, &clock, refusal, viewer)
            }
            "/console/reports" => self.reports(form).await?,
            "/console/report" => {
                let (name, results) = self.report(form).await?;
                reports::one(&name, &results)
            }
            "/console/buckets" if sources.shows_buckets() => self.buckets(form).await?,
            _ => return Err((StatusCode::NOT_FOUND, "There is nothing here.".to_owned())),
        })
    }

    /// The list of reports.
    async fn reports(&self, form: &Form) -> Result<Markup, (StatusCode, String)> {
        let Some(folder) = self.sources.reports.get() else {
            return Ok(reports::none());
        };
        let skip = reports::skip(form);
        let read = reports::reading(folder, move |folder| folder.list(skip)).await;
        let listing = read.and_then(|listed| listed).map_err(unavailable)?;
        Ok(reports::list(&listing, form))
    }

    /// The name and the results of the report that a query names.
    async fn report(&self, form: &Form) -> Result<(String, Results), (StatusCode, String)> {
        let absent = || (StatusCode::NOT_FOUND, Unreadable::Absent.to_string());
        let folder = self.sources.reports.get().ok_or_else(absent)?;
        let name = form.get("name").unwrap_or_default().to_owned();
        let read = name.clone();
        let read = reports::reading(folder, move |folder| folder.read(&read)).await;
        match read.map_err(unavailable)? {
            Ok(results) => Ok((name, results)),
            Err(Unreadable::Absent) => Err(absent()),
            Err(refused) => Err((StatusCode::UNPROCESSABLE_ENTITY, refused.to_string())),
        }
    }

    /// The file of a report.
    async fn download(&self, path: &str, form: &Form) -> Result<Download, (StatusCode, String)> {
        let (name, results) = self.report(form).await?;
        let found = Download::find(path, &name, &results).map_err(unavailable)?;
        found.ok_or_else(|| (StatusCode::NOT_FOUND, Unreadable::Absent.to_string()))
    }

    async fn buckets(&self, form: &Form) -> Result<Markup, (StatusCode, String)> {
        let view = self
            .sources
            .gateway()
            .ok_or_else(|| unavailable("No gateway runs.".to_owned()))?;
        let page = view.buckets(buckets::skip(form), buckets::PAGE).await;
        let (count, listed) = page.map_err(unavailable)?;
        let data = self.read("/admin/events", "category=data&limit=1000").await;
        let modes = SeenModes::of(&data.unwrap_or_else(|_| json!({})));
        Ok(buckets::content(count, &listed, &modes, form))
    }

    /// What a control of the KMS returns.
    async fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &str,
    ) -> Result<T, (StatusCode, String)> {
        if self.sources.kms.is_none() {
            return Err((StatusCode::NOT_FOUND, "There is no KMS here.".to_owned()));
        }
        let refused = |why: String| (StatusCode::BAD_REQUEST, why);
        let value = self.sources.get(path, query).await.map_err(refused)?;
        let other =
            |error: serde_json::Error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
        serde_json::from_value(value).map_err(other)
    }

    /// The form that takes the token, and what comes of it.
    fn login(
        &self,
        method: &Method,
        headers: &HeaderMap,
        query: Option<&str>,
        body: &[u8],
    ) -> Response<PageBody> {
        let demands = self.demands();
        let form = Form::parse(query.unwrap_or_default());
        let next = path_of(form.get("next").unwrap_or_default());
        if demands.all.is_none() && demands.keys.is_none() {
            return match demands.is_open {
                true => self.refusal(None, StatusCode::FORBIDDEN, NO_TOKEN),
                false => redirect("/"),
            };
        }
        let (mut status, mut notice) = (StatusCode::OK, None);
        if method == Method::POST {
            let posted = Form::parse(&String::from_utf8_lossy(body));
            let token = posted.get("token").unwrap_or_default();
            let opened = Access::check_form(headers).map_err(str::to_owned);
            let opened =
                opened.and_then(|()| self.access.log_in(&demands, headers, token, Instant::now()));
            match opened {
                Ok(cookie) => {
                    let mut response = redirect(next);
                    set_cookie(&mut response, &cookie);
                    return response;
                }
                Err(why) => (status, notice) = (StatusCode::FORBIDDEN, Some(Notice::Refused(why))),
            }
        }
        let page = Page {
            title: "Log in",
            entry: "",
            viewer: None,
            entries: &[],
            notice,
            is_live: false,
        };
        let action = format!("/console/login?next={}", name_of(next));
        let content = html! {
            p { "`sealgate up` prints where the admin token is; a service alone has the one of its configuration." }
            form.fields method="post" action=(action) {
                label {
                    span { "Admin token" }
                    input type="password" name="token" autocomplete="current-password" required autofocus;
                }
                button type="submit" { "Log in" }
            }
        };
        html_answer(status, &page.with(&content))
    }

    /// The navigation: what there is to show.
    fn entries(&self) -> Vec<(&'static str, &'static str)> {
        let has_kms = self.sources.kms.is_some();
        let shown = |path: &str| match path {
            "/" | "/console/reports" => true,
            "/console/buckets" => self.sources.shows_buckets(),
            _ => has_kms,
        };
        ENTRIES
            .into_iter()
            .filter(|(path, _)| shown(path))
            .collect()
    }

    fn refusal(
        &self,
        viewer: Option<&Viewer>,
        status: StatusCode,
        why: &str,
    ) -> Response<PageBody> {
        let entries = viewer.map(|_| self.entries()).unwrap_or_default();
        let page = Page {
            title: status.canonical_reason().unwrap_or("Refused"),
            entry: "",
            viewer,
            entries: &entries,
            notice: Some(Notice::Refused(why.to_owned())),
            is_live: false,
        };
        html_answer(status, &page.with(&html! {}))
    }
}

/// The title of a page, and its entry of the navigation.
fn title(path: &str) -> (&'static str, &'static str) {
    match path {
        "/console/quotas" => ("Quotas", "/console/quotas"),
        "/console/quotas/all" => ("All quotas", "/console/quotas"),
        "/console/keys" => ("Keys", "/console/keys"),
        "/console/key" => ("Key", "/console/keys"),
        "/console/events" => ("Events", "/console/events"),
        "/console/event" => ("Event", "/console/events"),
        "/console/faults" => ("Faults and clock", "/console/faults"),
        "/console/buckets" => ("Buckets", "/console/buckets"),
        "/console/reports" => ("Load reports", "/console/reports"),
        "/console/report" => ("Load report", "/console/reports"),
        _ => ("Overview", "/"),
    }
}

/// The word by which the login form remembers a page: no text of a request leads anywhere else.
fn name_of(path: &str) -> &'static str {
    let (_, entry) = title(path);
    entry.strip_prefix("/console/").unwrap_or("overview")
}

fn path_of(name: &str) -> &'static str {
    let path = format!("/console/{name}");
    title(&path).1
}

fn html_answer(status: StatusCode, page: &Markup) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(page.0.clone()));
    *response.status_mut() = status;
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, html);
    response
}

fn stream(body: PageBody) -> Response<PageBody> {
    let mut response = Response::new(body);
    let events = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, events);
    response
}

fn file(asset: &Asset) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(asset.text));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(asset.content_type),
    );
    let for_ever = HeaderValue::from_static("public, max-age=31536000, immutable");
    headers.insert(header::CACHE_CONTROL, for_ever);
    response
}

/// A file that a browser stores and does not show.
fn attachment(download: Download) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(download.bytes));
    let headers = response.headers_mut();
    let content_type = HeaderValue::from_static(download.content_type);
    headers.insert(header::CONTENT_TYPE, content_type);
    let place = format!("attachment; filename=\"{}\"", download.file);
    let place = HeaderValue::from_str(&place).expect("names of reports are ASCII");
    headers.insert(header::CONTENT_DISPOSITION, place);
    response
}

fn unavailable(why: String) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, why)
}

fn redirect(path: &str) -> Response<PageBody> {
    let mut response = Response::new(pages::whole(""));
    *response.status_mut() = StatusCode::SEE_OTHER;
    let path = HeaderValue::from_str(path).expect("paths of the console are ASCII");
    response.headers_mut().insert(header::LOCATION, path);
    response
}

fn set_cookie(response: &mut Response<PageBody>, cookie: &str) {
    let mut cookie = HeaderValue::from_str(cookie).expect("names and digits are ASCII");
    cookie.set_sensitive(true);
    response.headers_mut().insert(header::SET_COOKIE, cookie);
}

/// Headers of every answer. A browser is to run and load only what this origin serves, to send forms only here, and to
/// show no page inside another. `same-origin`: with `no-referrer` browsers would not say where a form comes from.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cache-control", "no-store"),
];

/// The navigation of a console of both services.
const ENTRIES: [(&str, &str); 7] = [
    ("/", "Overview"),
    ("/console/quotas", "Quotas"),
    ("/console/keys", "Keys"),
    ("/console/events", "Events"),
    ("/console/buckets", "Buckets"),
    ("/console/faults", "Faults and clock"),
    ("/console/reports", "Load reports"),
];

/// Where figures that move come from.
const LIVE: &str = "/console/live";

const NO_TOKEN: &str = "Beyond loopback the console needs a token: set listen.admin_token.";
const STALE: &str = "This form is of another session or another start: load its page again.";
