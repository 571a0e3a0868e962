//! Functions that are programs: the object goes through them.
//!
//! A program has nothing of the gateway's environment but `PATH`, so it inherits no secret, and is killed when its
//! request ends.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytes::BytesMut;
use http_body::Frame;
use http_body_util::BodyExt as _;
use http_body_util::StreamBody;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Child;
use tokio::process::ChildStdout;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::error::S3Code;
use crate::error::S3Error;
use crate::measured;
use crate::object_lambda::config;
use crate::request::Body;
use crate::request::BoxError;

/// A program that runs.
struct Running {
    child: Child,
    output: ChildStdout,
    input: JoinHandle<Result<(), BoxError>>,
    until: Instant,
}

/// Runs a program, with `input` as its standard input; what it writes. The end of that is reached only if it
/// succeeded and all of `input` was good.
///
/// # Errors
///
/// `LambdaInvocationFailed` for a program that cannot be started; `LambdaRuntimeError` for one that fails before it
/// has written anything; `LambdaTimeout`.
pub async fn run(
    words: &Arc<[String]>,
    event: &str,
    input: Body,
    timeout: Duration,
) -> Result<Body, S3Error> {
    let until = Instant::now() + timeout;
    let mut running = start(words, event, input, until)?;
    let first = running.next().await.map_err(|failure| match failure {
        Failure::Timeout => S3Error::new(S3Code::LambdaTimeout),
        Failure::Other(cause) => {
            tracing::warn!(program = ?words.first(), cause, "a function failed");
            S3Error::new(S3Code::LambdaRuntimeError)
        }
    })?;
    let Some(first) = first else {
        return Ok(crate::request::empty_body());
    };
    let rest = futures_util::stream::unfold(Some(running), |running| async {
        let mut running = running?;
        match running.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(running))),
            Ok(None) => None,
            Err(failure) => Some((Err(failure.into()), None)),
        }
    });
    let first = futures_util::stream::once(async { Ok::<_, BoxError>(first) });
    let frames = futures_util::StreamExt::chain(first, rest);
    let frames = futures_util::StreamExt::map(frames, |bytes| bytes.map(Frame::data));
    Ok(StreamBody::new(frames).boxed_unsync())
}

/// Why the output of a program breaks off.
enum Failure {
    Timeout,
    Other(String),
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Timeout => "the function took too long".into(),
            Failure::Other(cause) => cause.into(),
        }
    }
}

fn start(
    words: &Arc<[String]>,
    event: &str,
    input: Body,
    until: Instant,
) -> Result<Running, S3Error> {
    let failed = || S3Error::new(S3Code::LambdaInvocationFailed);
    let (program, arguments) = words.split_first().ok_or_else(failed)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("SEALGATE_EVENT", event)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    if let Some(path) = config::search_path() {
        command.env("PATH", path);
    }
    let mut child = command.spawn().map_err(|cause| {
        tracing::warn!(program, %cause, "a function cannot be started");
        failed()
    })?;
    let stdin = child.stdin.take().ok_or_else(failed)?;
    let output = child.stdout.take().ok_or_else(failed)?;
    Ok(Running {
        child,
        output,
        input: measured::spawn(feed(stdin, input)),
        until,
    })
}

/// Writes a body to a program, which may end before it has read all.
async fn feed(mut stdin: tokio::process::ChildStdin, mut input: Body) -> Result<(), BoxError> {
    while let Some(frame) = input.frame().await {
        let Ok(bytes) = frame?.into_data() else {
            continue;
        };
        if stdin.write_all(&bytes).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

impl Running {
    /// The next bytes that it writes; none after it succeeded.
    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let mut bytes = BytesMut::with_capacity(OUTPUT_BYTES);
        let read = tokio::time::timeout_at(self.until, self.output.read_buf(&mut bytes)).await;
        match read {
            Err(_) => Err(Failure::Timeout),
            Ok(Err(cause)) => Err(Failure::Other(cause.to_string())),
            Ok(Ok(0)) => self.end().await.map(|()| None),
            Ok(Ok(_)) => Ok(Some(bytes.freeze())),
        }
    }

    /// Waits for its end.
    async fn end(&mut self) -> Result<(), Failure> {
        let status = tokio::time::timeout_at(self.until, self.child.wait()).await;
        let status = status.map_err(|_| Failure::Timeout)?;
        let status = status.map_err(|cause| Failure::Other(cause.to_string()))?;
        if !status.success() {
            return Err(Failure::Other(status.to_string()));
        }
        // If it did not want the rest of the object, that ends at the next bytes.
        let input = tokio::time::timeout_at(self.until, &mut self.input).await;
        match input.map_err(|_| Failure::Timeout)? {
            Ok(Err(cause)) => Err(Failure::Other(cause.to_string())),
            _ => Ok(()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.input.abort();
    }
}

const OUTPUT_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::full_body;

    fn words(words: &[&str]) -> Arc<[String]> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    async fn output(program: &[&str], input: Body) -> Result<Result<Bytes, BoxError>, S3Code> {
        let timeout = Duration::from_secs(60);
        let body = run(&words(program), "{\"a\":1}", input, timeout).await;
        let body = body.map_err(|error| error.code())?;
        Ok(body.collect().await.map(|body| body.to_bytes()))
    }

    #[tokio::test]
    async fn an_object_goes_through_a_program() {
        let large = vec![b'a'; 1 << 20];
        let out = output(&["tr", "a", "b"], full_body(large)).await;
        assert_eq!(out.unwrap().unwrap(), vec![b'b'; 1 << 20]);
        let event = output(
            &["sh", "-c", "cat > /dev/null; printf %s \"$SEALGATE_EVENT\""],
            full_body("x"),
        );
        assert_eq!(event.await.unwrap().unwrap(), "{\"a\":1}");
        let unread = output(&["true"], full_body(vec![0; 1 << 20])).await;
        assert_eq!(unread.unwrap().unwrap(), "");
    }

    #[tokio::test]
    async fn a_program_inherits_nothing_but_the_path() {
        let out = output(&["env"], full_body("")).await.unwrap().unwrap();
        let out = String::from_utf8(out.to_vec()).unwrap();
        let names = out.lines().filter_map(|line| line.split('=').next());
        let mut names: Vec<_> = names.collect();
        names.sort_unstable();
        assert_eq!(names, ["PATH", "SEALGATE_EVENT"]);
    }

    #[tokio::test]
    async fn a_failure_is_an_error_before_the_first_byte_and_breaks_off_the_answer_after_it() {
        let none = output(&["sh", "-c", "exit 3"], full_body("x")).await;
        assert_eq!(none.unwrap_err(), S3Code::LambdaRuntimeError);
        let missing = output(&["/nonexistent/program"], full_body("x")).await;
        assert_eq!(missing.unwrap_err(), S3Code::LambdaInvocationFailed);
        let broken = output(
            &["sh", "-c", "echo a; cat > /dev/null; exit 3"],
            full_body("x"),
        )
        .await;
        assert!(broken.unwrap().is_err());
    }

    #[tokio::test]
    async fn an_object_that_breaks_off_breaks_off_the_answer() {
        let frames = [
            Ok(Frame::data(Bytes::from_static(b"a"))),
            Err(BoxError::from("torn")),
        ];
        let input = StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync();
        assert!(output(&["cat"], input).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_program_that_never_ends_is_stopped_when_its_time_is_over() {
        let sleep = words(&["sleep", "1000"]);
        let run = run(&sleep, "", full_body(""), Duration::from_millis(1));
        assert_eq!(run.await.unwrap_err().code(), S3Code::LambdaTimeout);
    }
}
