//! Object Lambda: reads that a function transforms, WriteGetObjectResponse, and S3 Control's operations on the
//! access points.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/olap-use.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_WriteGetObjectResponse.html>

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;
use std::task::ready;

use bytes::Bytes;
use bytes::BytesMut;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::Response;
use http_body::Frame;
use http_body_util::BodyExt as _;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio::time::Sleep;

use crate::access_point::AccessPoints;
use crate::access_point::record::AccessPoint;
use crate::authorize::Permitted;
use crate::error::S3Code;
use crate::error::S3Error;
use crate::measured;
use crate::object_lambda::ObjectLambda;
use crate::object_lambda::answer;
use crate::object_lambda::answer::AnswerHead;
use crate::object_lambda::configuration::Action;
use crate::object_lambda::configuration::Feature;
use crate::object_lambda::configuration::Transformation;
use crate::object_lambda::control;
use crate::object_lambda::event::Context as EventContext;
use crate::object_lambda::event::Event;
use crate::object_lambda::function::Function;
use crate::object_lambda::function::Returned;
use crate::object_lambda::function::command;
use crate::object_lambda::function::http::HttpFunction;
use crate::object_lambda::record::LambdaAccessPoint;
use crate::object_lambda::waiting::FunctionAnswer;
use crate::object_lambda::waiting::WaitingRequest;
use crate::operation::answer::document;
use crate::operation::answer::no_content;
use crate::protocol;
use crate::request::Body;
use crate::request::BoxError;
use crate::request::Payload;
use crate::request::S3Request;
use crate::request::empty_body;
use crate::route::Operation;

/// A read that a function transforms.
pub struct Transformed {
    /// What it goes through.
    pub access_point: Arc<LambdaAccessPoint>,
    /// The access point behind that.
    pub supporting: Arc<AccessPoint>,
    /// The function.
    pub transformation: Transformation,
}

/// Reads what is stored, as the caller: for functions that do not read themselves.
pub type ReadOriginal<'a> =
    Box<dyn FnOnce() -> BoxFuture<'a, Result<Response<Body>, S3Error>> + Send + 'a>;

/// Answers a read by a function.
///
/// # Errors
///
/// `NotImplemented` for a part of an object, unless the access point allows it; `InvalidRequest` for SSE-C;
/// `LambdaNotFound`, `LambdaInvocationFailed`, `LambdaPermissionError`, `LambdaRuntimeError`, `LambdaTimeout`,
/// `LambdaResponseNotReceived`, `LambdaInvalidResponse`; what the function answers; what `original` ends in.
pub async fn transform(
    object_lambda: &ObjectLambda,
    operation: Operation,
    transformed: Transformed,
    permitted: Permitted<S3Request>,
    original: ReadOriginal<'_>,
) -> Result<Response<Body>, S3Error> {
    let (request, _) = permitted.spend();
    let action = Action::of(operation).ok_or_else(S3Error::internal)?;
    check_features(&transformed.access_point, action, &request)?;
    let function = object_lambda
        .functions()
        .find(&transformed.transformation.function)?;
    let waiting = object_lambda.waiting().wait(
        request.caller.clone(),
        Arc::clone(&transformed.access_point),
    );
    let input = object_lambda.input_url(&request, &transformed.supporting, &waiting);
    let route = object_lambda.waiting().route();
    let event = |input| {
        let context = EventContext::new(action, input, (route, &waiting.token));
        let Transformed {
            access_point,
            transformation,
            ..
        } = &transformed;
        let event = Event::new(&request, access_point, transformation, context);
        serde_json::to_vec(&event).map_err(|_| S3Error::internal())
    };
    match function {
        Function::Command(words) => {
            let event = event(input.unwrap_or_default())?;
            let event = String::from_utf8(event).map_err(|_| S3Error::internal())?;
            let input = match action {
                Action::GetObject => original().await?.into_body(),
                _ => empty_body(),
            };
            let output = command::run(&words, &event, input, object_lambda.timeout()).await?;
            if action == Action::GetObject {
                return Ok(Response::new(output));
            }
            returned(action, &result_of(output).await?)
        }
        Function::Http(function) => {
            let event = event(input?)?.into();
            let until = Instant::now() + object_lambda.timeout();
            let call = Call {
                function,
                event,
                route: route.to_owned(),
                waiting,
                until,
            };
            call.answer(action).await
        }
    }
}

/// Refuses reads of parts of objects where the function is not said to know them, and those with a customer's key,
/// which functions never receive.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/range-get-olap.html>
fn check_features(
    access_point: &LambdaAccessPoint,
    action: Action,
    request: &S3Request,
) -> Result<(), S3Error> {
    if request
        .headers
        .contains_key("x-amz-server-side-encryption-customer-key")
    {
        return Err(S3Error::invalid_request(SSE_C));
    }
    let (range, part) = match action {
        Action::GetObject => (Feature::GetObjectRange, Feature::GetObjectPartNumber),
        Action::HeadObject => (Feature::HeadObjectRange, Feature::HeadObjectPartNumber),
        Action::ListObjects | Action::ListObjectsV2 => return Ok(()),
    };
    let has_range = request.headers.contains_key(http::header::RANGE);
    let has_part = request.target.query.has("partNumber");
    for (is_requested, feature) in [(has_range, range), (has_part, part)] {
        if is_requested && !access_point.configuration.allows(feature) {
            return Err(S3Error::not_implemented(PARTS));
        }
    }
    Ok(())
}

/// What a command wrote as its result.
async fn result_of(mut output: Body) -> Result<BytesMut, S3Error> {
    let mut result = BytesMut::new();
    while let Some(frame) = output.frame().await {
        let frame = frame.map_err(|_| S3Error::new(S3Code::LambdaRuntimeError))?;
        if let Ok(bytes) = frame.into_data() {
            result.extend_from_slice(&bytes);
        }
        if result.len() > RESULT_BYTES_MAX {
            return Err(S3Code::LambdaInvalidResponse.into());
        }
    }
    Ok(result)
}

/// The answer by what a function returned.
fn returned(action: Action, result: &[u8]) -> Result<Response<Body>, S3Error> {
    match action {
        Action::HeadObject => answer::head_object(result),
        Action::ListObjects | Action::ListObjectsV2 => answer::list_objects(result),
        Action::GetObject => Err(S3Code::LambdaResponseNotReceived.into()),
    }
}

/// The call of a function by HTTP.
struct Call {
    function: Arc<HttpFunction>,
    event: Bytes,
    route: String,
    waiting: WaitingRequest,
    until: Instant,
}

impl Call {
    /// The caller's answer.
    async fn answer(mut self, action: Action) -> Result<Response<Body>, S3Error> {
        let token = self.waiting.token.clone();
        let route = self.route.clone();
        let (function, event, until) = (Arc::clone(&self.function), self.event.clone(), self.until);
        // A task: the call goes on while its answer is read.
        let mut call = measured::spawn(async move {
            let expects = (action == Action::GetObject).then_some((&*route, &*token));
            // Also when nobody waits any more: else a function that never answers holds a connection for good.
            let call = tokio::time::timeout_at(until, function.call(event, expects));
            call.await.unwrap_or(Err(S3Code::LambdaTimeout.into()))
        })
        .map(|joined| joined.unwrap_or_else(|_| Err(S3Error::internal())))
        .boxed();
        let timeout = tokio::time::sleep_until(self.until);
        let sent = tokio::select! {
            biased;
            sent = &mut self.waiting.answer => sent.map_err(|_| S3Error::internal())?,
            ended = &mut call => match ended? {
                Returned::Answer(answer) => answer,
                Returned::Result(result) => match self.waiting.answer.try_recv() {
                    Ok(answer) => answer,
                    Err(_) => return returned(action, &result),
                },
            },
            () = timeout => return Err(S3Code::LambdaTimeout.into()),
        };
        let until = self.until;
        // Its URL is good while the function may still read.
        let waiting = self.waiting;
        let sent = FunctionAnswer {
            body: UntilDeadline::new(sent.body, until, waiting).boxed_unsync(),
            ..sent
        };
        sent.into_response()
    }
}

/// The body of a function's answer, which breaks off when its time is over.
struct UntilDeadline {
    body: Body,
    deadline: Pin<Box<Sleep>>,
    _waiting: WaitingRequest,
}

impl UntilDeadline {
    fn new(body: Body, until: Instant, waiting: WaitingRequest) -> Self {
        Self {
            body,
            deadline: Box::pin(tokio::time::sleep_until(until)),
            _waiting: waiting,
        }
    }
}

impl http_body::Body for UntilDeadline {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err("the function took too long".into()))),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// WriteGetObjectResponse: hands the answer of a function to the request that waits for it. It ends when the caller
/// has received it.
///
/// # Errors
///
/// `ValidationError` for an answer that nobody waits for, and for a head that cannot be;
/// `ConnectionClosedByRequester`; what is wrong with the body.
pub async fn write_get_object_response(
    object_lambda: &ObjectLambda,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    AnswerHead::read(&request.headers)?;
    let text = |name| request.header(name).unwrap_or_default();
    let (route, token) = (text("x-amz-request-route"), text("x-amz-request-token"));
    let caller = object_lambda.waiting().take(route, token)?;
    let (sender, receiver) = mpsc::channel(1);
    let answer = FunctionAnswer {
        headers: std::mem::take(&mut request.headers),
        length: request.body.length(),
        body: ReceivedBody(receiver).boxed_unsync(),
    };
    let gone = || S3Error::new(S3Code::ConnectionClosedByRequester);
    caller.send(answer).map_err(|_| gone())?;
    hand_over(&mut request.body, &sender).await?;
    Ok(Response::new(empty_body()))
}

/// Hands a body to a caller, who sees its end only if all of it was good.
async fn hand_over(body: &mut Payload, caller: &mpsc::Sender<Piece>) -> Result<(), S3Error> {
    let gone = |_| S3Error::new(S3Code::ConnectionClosedByRequester);
    // The caller knows how long it is: without the last piece it is not whole.
    let mut held = None;
    while let Some(bytes) = body.next().await {
        if let Some(bytes) = held.replace(bytes?) {
            caller.send(Piece::Bytes(bytes)).await.map_err(gone)?;
        }
    }
    if let Some(bytes) = held {
        caller.send(Piece::Bytes(bytes)).await.map_err(gone)?;
    }
    caller.send(Piece::End).await.map_err(gone)
}

/// A piece of what a function sends.
enum Piece {
    Bytes(Bytes),
    /// All of it was good.
    End,
}

/// What a function sends, as the caller's body. It breaks off, if the function's request ends without an end.
struct ReceivedBody(mpsc::Receiver<Piece>);

impl http_body::Body for ReceivedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(match ready!(self.0.poll_recv(context)) {
            Some(Piece::Bytes(bytes)) => Some(Ok(Frame::data(bytes))),
            Some(Piece::End) => None,
            None => Some(Err("the function's answer broke off".into())),
        })
    }
}

/// Does an operation of S3 Control on Object Lambda access points.
///
/// # Errors
///
/// Those of the operation in [`crate::object_lambda::control`]; those of a document that is too long or does not
/// have its digests.
pub async fn run_lambda_control(
    object_lambda: &ObjectLambda,
    access_points: &AccessPoints,
    operation: Operation,
    permitted: Permitted<S3Request>,
) -> Result<Response<Body>, S3Error> {
    let (mut request, _) = permitted.spend();
    let account = request.caller.account().cloned();
    let account = account.ok_or_else(S3Error::access_denied)?;
    let account = account.as_str();
    let control = request.target.control.clone();
    let control = control.ok_or_else(S3Error::internal)?;
    if operation == Operation::ListAccessPointsForObjectLambda {
        let list = object_lambda.list(account, &request.target.query).await?;
        return Ok(document(&list));
    }
    let name = control.access_point().ok_or_else(S3Error::internal)?;
    let found = || object_lambda.existing(account, name);
    Ok(match operation {
        Operation::CreateAccessPointForObjectLambda => {
            let body = protocol::document::read(&mut request).await?;
            let created = object_lambda.create(access_points, account, name, &body);
            document(&control::created(&*created.await?))
        }
        Operation::GetAccessPointForObjectLambda => document(&control::described(&*found().await?)),
        Operation::DeleteAccessPointForObjectLambda => {
            object_lambda.delete(account, name).await?;
            no_content()
        }
        Operation::GetAccessPointConfigurationForObjectLambda => {
            document(&control::configured(&*found().await?))
        }
        Operation::PutAccessPointConfigurationForObjectLambda => {
            let body = protocol::document::read(&mut request).await?;
            let put = object_lambda.put_configuration(access_points, account, name, &body);
            put.await?;
            Response::new(empty_body())
        }
        Operation::GetAccessPointPolicyForObjectLambda => {
            document(&control::policy(&*found().await?)?)
        }
        Operation::GetAccessPointPolicyStatusForObjectLambda => {
            document(&control::policy_status(&*found().await?)?)
        }
        Operation::PutAccessPointPolicyForObjectLambda => {
            let body = protocol::document::read(&mut request).await?;
            object_lambda.put_policy(account, name, Some(&body)).await?;
            Response::new(empty_body())
        }
        Operation::DeleteAccessPointPolicyForObjectLambda => {
            object_lambda.put_policy(account, name, None).await?;
            no_content()
        }
        _ => return Err(S3Error::internal()),
    })
}

/// Longest result of a command, in bytes, as of a function.
const RESULT_BYTES_MAX: usize = 6 << 20;

const PARTS: &str = "This Object Lambda access point does not allow range or part number requests: its configuration has no \
     such feature in AllowedFeatures.";
const SSE_C: &str = "Object Lambda access points do not read objects with SSE-C.";
