//! Requests that wait for their function: what the function may do for them, and how its answer reaches them.
//!
//! A function reads the object by a presigned URL, which acts as the caller, and sends its answer by
//! WriteGetObjectResponse with the route and the token of its event. Both are of this process, and end with the
//! request: a URL or a token that outlives its request is worth nothing. So behind a balancer `public_url` is that
//! of each gateway.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use http::HeaderMap;
use proto::identity::Secret;
use tokio::sync::oneshot;

use crate::chunks::random::Random;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::request::Body;
use crate::request::Caller;

/// The requests of one gateway that wait for a function.
pub struct WaitingRequests {
    route: String,
    random: Arc<dyn Random>,
    waiting: Mutex<Maps>,
}

#[derive(Default)]
struct Maps {
    /// By the token of WriteGetObjectResponse.
    answers: HashMap<String, WaitingAnswer>,
    /// By the access key id of the presigned URL.
    readers: HashMap<String, Arc<InputUrl>>,
}

/// Who waits for an answer.
struct WaitingAnswer {
    sender: AnswerSender,
    access_point: Arc<LambdaAccessPoint>,
}

/// The presigned URL by which a function reads. Its signature covers what it reads, and the function receives
/// nothing else of it.
#[derive(Debug)]
pub struct InputUrl {
    /// What it is signed with.
    pub secret: Secret,
    /// Whom it acts as.
    pub caller: Caller,
}

/// The answer of a function to GetObject.
pub struct FunctionAnswer {
    /// The headers of WriteGetObjectResponse.
    pub headers: HeaderMap,
    /// The length of the body, where it was announced.
    pub length: Option<u64>,
    /// The transformed object.
    pub body: Body,
}

/// Where the answer of a function goes.
pub type AnswerSender = oneshot::Sender<FunctionAnswer>;

/// A request that waits. When this is dropped, nothing more is accepted for it.
pub struct WaitingRequest {
    requests: Arc<WaitingRequests>,
    /// The token of its answer.
    pub token: String,
    /// The access key id of its presigned URL.
    pub access_key_id: String,
    /// What signs that.
    pub input: Arc<InputUrl>,
    /// What the function sends.
    pub answer: oneshot::Receiver<FunctionAnswer>,
}

impl WaitingRequests {
    /// Those of a new gateway.
    #[must_use]
    pub fn new(random: Arc<dyn Random>) -> Self {
        Self {
            route: format!("io-{}", hex_of::<8>(&*random)),
            random,
            waiting: Mutex::default(),
        }
    }

    /// What the function sends back as `x-amz-request-route`, and may put before the host name.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// A request of `caller` through `access_point` that waits.
    pub fn wait(
        self: &Arc<Self>,
        caller: Caller,
        access_point: Arc<LambdaAccessPoint>,
    ) -> WaitingRequest {
        let token = hex_of::<32>(&*self.random);
        let access_key_id = format!("ASIA{}", hex_of::<8>(&*self.random).to_uppercase());
        let secret = Secret::new(hex_of::<20>(&*self.random));
        let input = Arc::new(InputUrl { secret, caller });
        let (sender, answer) = oneshot::channel();
        let mut maps = self.maps();
        let waiting = WaitingAnswer {
            sender,
            access_point,
        };
        maps.answers.insert(token.clone(), waiting);
        maps.readers
            .insert(access_key_id.clone(), Arc::clone(&input));
        drop(maps);
        WaitingRequest {
            requests: Arc::clone(self),
            token,
            access_key_id,
            input,
            answer,
        }
    }

    /// Who waits for the answer with this route and token. Each waits once.
    ///
    /// # Errors
    ///
    /// `ValidationError` for an answer that nobody waits for.
    pub fn take(&self, route: &str, token: &str) -> Result<AnswerSender, S3Error> {
        let found = match route == self.route {
            true => self.maps().answers.remove(token),
            false => None,
        };
        let found = found.map(|found| found.sender);
        found.ok_or_else(|| S3Error::with_message(S3Code::ValidationError, NOBODY_WAITS))
    }

    /// What the request goes through that waits for the answer with this token.
    #[must_use]
    pub fn access_point_of(&self, token: &str) -> Option<Arc<LambdaAccessPoint>> {
        let maps = self.maps();
        let waiting = maps.answers.get(token);
        waiting.map(|waiting| Arc::clone(&waiting.access_point))
    }

    /// What the presigned URL with this access key id may read.
    #[must_use]
    pub fn reader(&self, access_key_id: &str) -> Option<Arc<InputUrl>> {
        self.maps().readers.get(access_key_id).cloned()
    }

    fn maps(&self) -> MutexGuard<'_, Maps> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for WaitingRequest {
    fn drop(&mut self) {
        let mut maps = self.requests.maps();
        maps.answers.remove(&self.token);
        maps.readers.remove(&self.access_key_id);
    }
}

fn hex_of<const N: usize>(random: &dyn Random) -> String {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    hex::encode(bytes)
}

const NOBODY_WAITS: &str = "The request route or the request token is not valid.";
