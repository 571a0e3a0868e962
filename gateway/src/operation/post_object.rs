//! PostObject: the file of a browser's form, stored like any other object.
//!
//! The form was read and its policy checked before (`authenticate`): its fields are the request's
//! headers, and those about the answer are in its query.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html>

use http::HeaderValue;
use http::Response;
use http::StatusCode;
use http::Uri;
use http::header;
use proto::sigv4;

use crate::authorize::Permitted;
use crate::error::S3Error;
use crate::keys::data_key::ObjectName;
use crate::operation::answer;
use crate::operation::put_object;
use crate::operation::store::ObjectStore;
use crate::protocol::xml::Element;
use crate::request::Body;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::request::full_body;

/// The answer that the client chose.
struct PostAnswer {
    redirect: Option<String>,
    status: Option<String>,
    /// The object's address.
    location: String,
}

/// Stores the file of a form.
///
/// # Errors
///
/// As [`put_object`](put_object::put_object).
pub async fn post_object(
    store: &ObjectStore,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (request, terms) = permitted.spend();
    let name = store.name(&request.target)?;
    let answer = PostAnswer::from_request(&request, &name);
    let (written, encryption) = put_object::write(store, request, Box::new(terms)).await?;
    let mut response = answer.response(&name, written.etag.as_str());
    let headers = put_object::answer_headers(&written, &encryption);
    response.headers_mut().extend(headers);
    Ok(response)
}

impl PostAnswer {
    fn from_request(request: &S3Request, name: &ObjectName) -> Self {
        let query = &request.target.query;
        // The older name counts where the newer one is not there.
        let redirect = query
            .get("success_action_redirect")
            .or(query.get("redirect"));
        Self {
            redirect: redirect.filter(|url| is_address(url)).map(str::to_owned),
            status: query.get("success_action_status").map(str::to_owned),
            location: answer::location(request, &name.bucket, &sigv4::encode_component(&name.key)),
        }
    }

    /// The answer without the headers about the object.
    fn response(&self, name: &ObjectName, etag: &str) -> Response<Body> {
        let mut response = Response::new(empty_body());
        let redirect = self
            .redirect
            .as_deref()
            .map(|url| redirected(url, name, etag));
        let redirect = redirect.and_then(|url| HeaderValue::from_str(&url).ok());
        let location = HeaderValue::from_str(&self.location).ok();
        let is_redirect = redirect.is_some();
        *response.status_mut() = match self.status.as_deref() {
            _ if is_redirect => StatusCode::SEE_OTHER,
            Some("200") => StatusCode::OK,
            Some("201") => {
                let document = Element::new("PostResponse")
                    .field("Location", &self.location)
                    .field("Bucket", &name.bucket)
                    .field("Key", &name.key)
                    .field("ETag", etag);
                *response.body_mut() = full_body(document.to_document());
                let xml = HeaderValue::from_static("application/xml");
                response.headers_mut().insert(header::CONTENT_TYPE, xml);
                StatusCode::CREATED
            }
            // Whatever else was chosen.
            _ => StatusCode::NO_CONTENT,
        };
        if let Some(location) = redirect.or(location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

/// Whether a browser can be sent there: an absolute address of the web.
fn is_address(url: &str) -> bool {
    let parsed = url.parse::<Uri>().ok();
    parsed.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some()
    })
}

/// The address to go on to, with what was stored.
fn redirected(url: &str, name: &ObjectName, etag: &str) -> String {
    let form = |text: &str| sigv4::encode_component(text).replace("%20", "+");
    let (address, fragment) = match url.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (url, String::new()),
    };
    let joint = if address.contains('?') { '&' } else { '?' };
    format!(
        "{address}{joint}bucket={}&key={}&etag={}{fragment}",
        form(&name.bucket),
        form(&name.key),
        form(etag),
    )
}

#[cfg(test)]
mod tests {
    use super::ObjectName;
    use super::is_address;
    use super::redirected;

    #[test]
    fn a_browser_is_sent_on_with_what_was_stored() {
        let name = ObjectName::new("aws", "demo", "a/b c");
        for (url, expected) in [
            (
                "http://host/p",
                "http://host/p?bucket=demo&key=a%2Fb+c&etag=%22e%22",
            ),
            (
                "http://host/p?q=1",
                "http://host/p?q=1&bucket=demo&key=a%2Fb+c&etag=%22e%22",
            ),
            (
                "http://host/p#f",
                "http://host/p?bucket=demo&key=a%2Fb+c&etag=%22e%22#f",
            ),
        ] {
            assert_eq!(redirected(url, &name, "\"e\""), expected);
        }
        for no_address in [
            "/relative",
            "javascript:alert(1)",
            "//host/p",
            "http://a b",
            "",
        ] {
            assert!(!is_address(no_address), "{no_address}");
        }
    }
}
