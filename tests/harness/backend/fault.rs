//! How the backend can misbehave.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderName;
use http::HeaderValue;
use http::Method;
use http::Response;
use http::StatusCode;
use tokio::sync::Notify;

use crate::backend::End;
use crate::backend::Recorded;
use crate::backend::Reply;
use crate::backend::Shared;
use crate::backend::whole;

/// A misbehaviour and the requests it applies to.
pub struct Fault {
    when: Box<dyn Fn(&Recorded) -> bool + Send>,
    skip: u32,
    times: Option<u32>,
    action: Action,
}

/// One misbehaviour.
#[derive(Clone, Debug)]
pub enum Action {
    /// Answer at once with this status and S3 error code, the body unread.
    Refuse(u16, &'static str),
    /// Read the body, commit nothing, answer with this status and S3 error code.
    RefuseAfterBody(u16, &'static str),
    /// Close the connection without an answer, the body unread.
    Drop,
    /// Close the connection once so many bytes of the request's body arrived.
    DropAfterRequestBytes(usize),
    /// Commit, then close the connection without an answer.
    DropAfterCommit,
    /// Wait, then answer as usual.
    Stall(Duration),
    /// Commit nothing and never answer.
    HoldBefore(Gate),
    /// Commit, and never answer.
    HoldAfter(Gate),
    /// Signal, wait for the second gate, and only then act as usual.
    PauseBefore(Gate, Gate),
    /// Act, signal, and wait for the second gate before the answer.
    PauseAfter(Gate, Gate),
    /// Signal when so many bytes of the request's body arrived, and go on.
    TellAfterRequestBytes(usize, Gate),
    /// Announce the true length, break off after so many bytes of the answer's body.
    BreakAfter(usize),
    /// As [`Action::BreakAfter`], but hang for the time before it breaks off.
    StallAfter(usize, Duration),
    /// Send only so many bytes and announce just those: a clean, short answer.
    CutTo(usize),
    /// Announce this length whatever the body has; the connection breaks where they differ.
    LieAboutLength(u64),
    /// Flip the lowest bit of this byte of the answer's body.
    Flip(usize),
    /// Add bytes behind the answer's body, and to the announced length.
    Append(Vec<u8>),
    /// Send this body instead.
    Replace(Vec<u8>),
    /// Set a header of the answer.
    SetHeader(&'static str, String),
    /// Remove a header of the answer.
    RemoveHeader(&'static str),
    /// Answer with this status instead, the rest unchanged.
    SetStatus(u16),
    /// Ignore the requested range and send the whole object with 200.
    IgnoreRange,
}

/// Signals that a request came as far as its action waits for.
#[derive(Clone, Debug, Default)]
pub struct Gate(Arc<Notify>);

impl Gate {
    /// Waits until it did.
    pub async fn reached(&self) {
        self.0.notified().await;
    }

    /// Signals.
    pub fn reach(&self) {
        self.0.notify_one();
    }
}

impl Fault {
    /// Applies to every request that the closure selects, without limit.
    pub fn on(when: impl Fn(&Recorded) -> bool + Send + 'static, action: Action) -> Self {
        Self {
            when: Box::new(when),
            skip: 0,
            times: None,
            action,
        }
    }

    /// Applies to every request of one method on paths that contain `part`.
    #[must_use]
    pub fn on_path(method: Method, part: &str, action: Action) -> Self {
        let part = part.to_owned();
        Self::on(
            move |request| request.method == method && request.path.contains(&part),
            action,
        )
    }

    /// Applies to every request.
    #[must_use]
    pub fn always(action: Action) -> Self {
        Self::on(|_| true, action)
    }

    /// Not the first `count` matching requests.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// Only the first `times` matching requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }
}

/// The first fault that matches the recorded request; counts it. `IgnoreRange` acts here.
pub(crate) fn matching(shared: &Shared, index: u64) -> Option<Action> {
    let seen = shared.recorded.lock().unwrap().get(&index).cloned()?;
    let mut faults = shared.faults.lock().unwrap();
    let fault = faults
        .iter_mut()
        .find(|f| f.times != Some(0) && (f.when)(&seen))?;
    if fault.skip > 0 {
        fault.skip -= 1;
        return None;
    }
    if let Some(times) = &mut fault.times {
        *times -= 1;
    }
    let action = fault.action.clone();
    if matches!(action, Action::IgnoreRange) {
        shared
            .recorded
            .lock()
            .unwrap()
            .get_mut(&index)?
            .headers
            .remove("range");
    }
    Some(action)
}

/// Applies the action to a good answer.
pub(crate) fn bend(action: Action, response: Response<Bytes>) -> Response<Reply> {
    let (mut head, body) = response.into_parts();
    let length = body.len() as u64;
    let cut = |count: usize| body.slice(..count.min(body.len()));
    let reply = match action {
        Action::BreakAfter(count) => Reply::new(cut(count), length, End::Break),
        Action::StallAfter(count, time) => Reply::new(cut(count), length, End::Stall(time)),
        Action::CutTo(count) => {
            let body = cut(count);
            let length = body.len() as u64;
            head.headers.remove("content-length");
            Reply::new(body, length, End::Clean)
        }
        Action::LieAboutLength(length) => {
            head.headers
                .insert("content-length", HeaderValue::from(length));
            Reply::new(body, length, End::Break)
        }
        Action::Flip(offset) => {
            let mut bytes = body.to_vec();
            if let Some(byte) = bytes.get_mut(offset) {
                *byte ^= 1;
            }
            Reply::new(bytes.into(), length, End::Clean)
        }
        Action::Append(more) => {
            head.headers.remove("content-length");
            let bytes = [body.as_ref(), &more].concat();
            let length = bytes.len() as u64;
            Reply::new(bytes.into(), length, End::Clean)
        }
        Action::Replace(bytes) => {
            head.headers.remove("content-length");
            let length = bytes.len() as u64;
            Reply::new(bytes.into(), length, End::Clean)
        }
        Action::SetHeader(name, value) => {
            let value = HeaderValue::from_str(&value).unwrap();
            head.headers.insert(HeaderName::from_static(name), value);
            Reply::new(body, length, End::Clean)
        }
        Action::RemoveHeader(name) => {
            head.headers.remove(name);
            Reply::new(body, length, End::Clean)
        }
        Action::SetStatus(status) => {
            head.status = StatusCode::from_u16(status).unwrap();
            Reply::new(body, length, End::Clean)
        }
        _ => return whole(Response::from_parts(head, body)),
    };
    Response::from_parts(head, reply)
}
