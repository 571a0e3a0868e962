//! An answer, and what the backend received for it.

use bytes::Bytes;
use http::Method;
use http::Response;
use tests::backend::Recorded;

/// An answer, and what the backend received for it.
pub struct Outcome {
    pub response: Response<Bytes>,
    /// All but what the gateway looks up to decide.
    pub received: Vec<String>,
}

impl Outcome {
    /// Of what the backend received, what is no lookup; `subresource` is what the request asks it for.
    pub fn new(response: Response<Bytes>, requests: &[Recorded], subresource: &str) -> Self {
        let received = requests.iter().filter(|it| !is_lookup(it, subresource));
        let line = |it: &Recorded| format!("{} {}?{}", it.method, it.path, it.query);
        Self {
            response,
            received: received.map(line).collect(),
        }
    }

    /// The body of the answer.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.response.body()).into_owned()
    }

    /// Status, S3's code, and what the backend received.
    pub fn describe(&self) -> String {
        let text = self.text();
        let code = text.split("<Code>").nth(1);
        let code = code.and_then(|rest| rest.split('<').next());
        let (status, code) = (self.status(), code.unwrap_or("no code"));
        format!("{status} {code}, the backend received {:?}", self.received)
    }

    /// The status of the answer.
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// Whether the request was refused so, and the backend received nothing of it.
    pub fn is_refused(&self, statuses: &[u16]) -> bool {
        statuses.contains(&self.status()) && self.received.is_empty()
    }
}

/// Whether the gateway sends a request to decide about an operation, not to do it.
///
/// It reads its own state (owners, policies, uploads). It looks whether a bucket exists before it denies
/// another account's caller: `NoSuchBucket` is no secret. It reads a public access block that the backend
/// has. It looks which tags the object has that a policy names, or that a copy takes along, and whether a
/// bucket has versions where a request names one.
fn is_lookup(request: &Recorded, subresource: &str) -> bool {
    let parts = request.path.trim_matches('/').split('/').count();
    let is_for = |name: &str| {
        let mut names = request.query.split('&').map(|it| it.trim_end_matches('='));
        name != subresource && names.any(|it| it == name)
    };
    match request.method {
        Method::HEAD => parts == 1 || request.path.starts_with("/source-"),
        Method::GET if request.path.starts_with("/sealgate-state/") => true,
        Method::GET => ["object-lock", "publicAccessBlock", "tagging", "versioning"]
            .into_iter()
            .any(is_for),
        _ => false,
    }
}
