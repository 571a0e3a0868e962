//! One rule: which pages it is about, and which headers let their browsers read an answer.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>;
//! <https://fetch.spec.whatwg.org/#http-cors-protocol> for the headers.

use http::HeaderMap;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::header;
use serde::Deserialize;
use serde::Serialize;

/// A rule, as its owner put it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub(super) id: Option<String>,
    /// Of the pages; one `*` in each stands for any text. Compared by the letter.
    pub(super) origins: Vec<String>,
    /// Out of [`METHODS`].
    pub(super) methods: Vec<String>,
    /// That a page may send; one `*` in each stands for any text. Their case does not matter.
    pub(super) headers: Vec<String>,
    /// Headers of answers that a page may read.
    pub(super) exposed: Vec<String>,
    pub(super) max_age_seconds: Option<u32>,
}

/// The page that sends a request, or is about to, as the headers describe it.
#[derive(Clone, Debug)]
pub struct Asking {
    origin: HeaderValue,
    /// Of the request, or the one that a preflight names.
    method: String,
    /// The headers that a preflight names, in lower case; none where it names no headers.
    headers: Option<Vec<String>>,
}

impl Asking {
    /// The page behind a request of `method`; none where no page sends it.
    ///
    /// The headers by which a browser asks before a request count in the request itself, too, as they
    /// do at AWS.
    #[must_use]
    pub fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let origin = headers.get(header::ORIGIN)?.clone();
        let requested = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
        let method = requested.map_or(method.as_str().as_bytes(), HeaderValue::as_bytes);
        let method = String::from_utf8_lossy(method).into_owned();
        let names: Vec<String> = headers
            .get_all(header::ACCESS_CONTROL_REQUEST_HEADERS)
            .iter()
            .flat_map(|list| list.as_bytes().split(|byte| *byte == b','))
            .map(|name| String::from_utf8_lossy(name.trim_ascii()).to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .collect();
        Some(Self {
            origin,
            method,
            headers: (!names.is_empty()).then_some(names),
        })
    }

    /// The method that a rule must allow.
    pub(crate) fn method(&self) -> &str {
        &self.method
    }
}

impl Rule {
    /// The headers of the answer if this rule allows what the page requests.
    pub(super) fn allowance(&self, asking: &Asking) -> Option<HeaderMap> {
        let origin = asking.origin.as_bytes();
        let mut origins = self.origins.iter();
        let origin = origins.find(|pattern| matches(pattern.as_bytes(), origin))?;
        if !self.methods.contains(&asking.method) || !self.allows_headers(asking) {
            return None;
        }

        let mut allowance = HeaderMap::new();
        let mut write = |name: HeaderName, text: &str| {
            // What cannot stand in a header was refused when the rule was put.
            if let (Ok(value), false) = (HeaderValue::from_str(text), text.is_empty()) {
                allowance.insert(name, value);
            }
        };
        if let Some(requested) = &asking.headers {
            write(header::ACCESS_CONTROL_ALLOW_HEADERS, &requested.join(", "));
        }
        write(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            &self.methods.join(", "),
        );
        write(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            &self.exposed.join(", "),
        );
        if let Some(seconds) = self.max_age_seconds {
            write(header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
        write(header::VARY, VARY);
        if origin == "*" {
            write(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        } else {
            write(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
            let origin = asking.origin.clone();
            allowance.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        Some(allowance)
    }

    fn allows_headers(&self, asking: &Asking) -> bool {
        let requested = asking.headers.as_deref().unwrap_or_default();
        requested.len() <= REQUESTED_HEADERS_MAX
            && requested.iter().all(|name| self.allows_header(name))
    }

    /// `name` is in lower case.
    fn allows_header(&self, name: &str) -> bool {
        HeaderName::from_bytes(name.as_bytes()).is_ok()
            && self.headers.iter().any(|pattern| {
                let pattern = pattern.to_ascii_lowercase();
                matches(pattern.as_bytes(), name.as_bytes())
            })
    }
}

/// Whether `text` is `pattern`, in which one `*` stands for any text, an empty one too.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else {
        return pattern == text;
    };
    let (start, end) = pattern.split_at(star);
    let end = end.get(1..).unwrap_or_default();
    text.len() >= start.len().saturating_add(end.len())
        && text.starts_with(start)
        && text.ends_with(end)
}

/// The methods that a rule may allow.
pub(crate) const METHODS: [&str; 5] = ["GET", "PUT", "HEAD", "POST", "DELETE"];

/// What the answer depends on, beside what is requested for: for caches.
const VARY: &str = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method";

/// Most headers that a browser may ask about at once: each is compared with all of a rule's.
const REQUESTED_HEADERS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], methods: &[&str], headers: &[&str]) -> Rule {
        let own = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Rule {
            origins: own(origins),
            methods: own(methods),
            headers: own(headers),
            ..Rule::default()
        }
    }

    fn asking(method: Method, pairs: &[(&'static str, &str)]) -> Option<Asking> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Asking::of(&method, &headers)
    }

    fn get(origin: &str) -> Asking {
        asking(Method::GET, &[("origin", origin)]).unwrap()
    }

    fn allowance(rule: &Rule, asking: &Asking) -> Vec<(String, String)> {
        let allowance = rule.allowance(asking).unwrap();
        let pair = |(name, value): (&HeaderName, &HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let mut allowance: Vec<_> = allowance.iter().map(pair).collect();
        allowance.sort();
        allowance
    }

    #[test]
    fn one_star_in_an_origin_stands_for_any_text_and_both_ends_hold() {
        for (pattern, origin, allowed) in [
            ("*suffix", "foo.suffix", true),
            ("*suffix", "suffix", true),
            ("*suffix", "foo.suffix.get", false),
            ("start*end", "startend", true),
            ("start*end", "start12end", true),
            ("start*end", "0start12end", false),
            ("start*tend", "startend", false),
            ("prefix*", "prefix", true),
            ("prefix*", "bla.prefix", false),
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example/", false),
            ("https://a.example", "https://A.example", false),
            ("https://*.example", "https://a.b.example", true),
            ("*", "null", true),
            ("", "https://a.example", false),
        ] {
            let rule = rule(&[pattern], &["GET"], &[]);
            let is_allowed = rule.allowance(&get(origin)).is_some();
            assert_eq!(is_allowed, allowed, "{pattern} {origin}");
        }
    }

    #[test]
    fn any_origin_is_told_as_a_star_and_one_that_is_named_with_credentials() {
        let anyone = rule(&["*"], &["GET", "PUT"], &[]);
        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let shared = [
            own("access-control-allow-methods", "GET, PUT"),
            own("access-control-allow-origin", "*"),
            own("vary", VARY),
        ];
        assert_eq!(allowance(&anyone, &get("http://a")), shared);
        let named = rule(&["http://*"], &["GET", "PUT"], &[]);
        let mut named = allowance(&named, &get("http://a"));
        assert_eq!(
            named.remove(0),
            own("access-control-allow-credentials", "true")
        );
        assert_eq!(named[1], own("access-control-allow-origin", "http://a"));
    }

    #[test]
    fn a_rule_tells_the_headers_that_were_asked_about_and_those_that_may_be_read() {
        let mut rule = rule(&["*"], &["PUT"], &["Content-*", "x-AMZ-acl"]);
        rule.exposed = vec!["ETag".to_owned(), "x-amz-id-2".to_owned()];
        rule.max_age_seconds = Some(0);
        let requested = [
            ("origin", "http://a"),
            ("access-control-request-method", "PUT"),
            (
                "access-control-request-headers",
                "X-Amz-ACL,, content-Type ,",
            ),
        ];
        let allowance = allowance(&rule, &asking(Method::OPTIONS, &requested).unwrap());
        let value = |name: &str| {
            &allowance
                .iter()
                .find(|(allowance, _)| allowance == name)
                .unwrap()
                .1
        };
        assert_eq!(
            value("access-control-allow-headers"),
            "x-amz-acl, content-type"
        );
        assert_eq!(value("access-control-expose-headers"), "ETag, x-amz-id-2");
        assert_eq!(value("access-control-max-age"), "0");
    }

    #[test]
    fn every_header_that_is_asked_about_must_be_allowed() {
        let star = rule(&["*"], &["GET"], &["*"]);
        let one = rule(&["*"], &["GET"], &["x-a"]);
        let none = rule(&["*"], &["GET"], &[]);
        let many = vec!["x-a"; REQUESTED_HEADERS_MAX + 1].join(",");
        for (rule, requested, allowed) in [
            (&none, "", true),
            (&none, "x-a", false),
            (&one, "X-A", true),
            (&one, "x-a, x-b", false),
            (&star, "x-a, x-b", true),
            (&star, "x a", false),
            (&star, many.as_str(), false),
        ] {
            let requested = [
                ("origin", "http://a"),
                ("access-control-request-headers", requested),
            ];
            let asking = asking(Method::GET, &requested).unwrap();
            assert_eq!(rule.allowance(&asking).is_some(), allowed, "{requested:?}");
        }
    }

    #[test]
    fn the_method_is_the_one_that_is_asked_about_and_counts_by_the_letter() {
        let rule = rule(&["*"], &["GET"], &[]);
        let of = |method: Method, requested: Option<&str>| {
            let mut pairs = vec![("origin", "http://a")];
            pairs.extend(requested.map(|requested| ("access-control-request-method", requested)));
            rule.allowance(&asking(method, &pairs).unwrap()).is_some()
        };
        assert!(of(Method::GET, None));
        assert!(!of(Method::HEAD, None));
        assert!(of(Method::PUT, Some("GET")));
        assert!(!of(Method::GET, Some("PUT")));
        assert!(!of(Method::OPTIONS, Some("get")));
        assert!(asking(Method::GET, &[]).is_none());
    }
}
