//! Tries what a configuration names: whether backend, KMS and functions are there, and accept the gateway. Nothing is
//! written, and no function is called.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use proto::renewal::Renewals;
use tower::ServiceExt as _;

use crate::admin::list_state_bucket;
use crate::backend::connector::connector;
use crate::config::Config;
use crate::object_lambda::config::Callee;
use crate::object_lambda::config::parse_url;
use crate::server::Parts;
use crate::server::StartError;
use crate::server::compose;
use crate::state::State;

/// Something that was tried.
pub struct Trial {
    /// The field of the configuration that names it.
    pub field: String,
    /// What it is, with its address.
    pub what: String,
    /// What it did, in a sentence without a subject; or why it cannot be used, in a sentence.
    pub outcome: Result<String, String>,
}

impl Trial {
    /// Waits for an outcome as long as it may take.
    async fn new(
        field: String,
        what: String,
        outcome: impl Future<Output = Result<String, String>>,
    ) -> Self {
        let outcome = tokio::time::timeout(DEADLINE, outcome).await;
        let seconds = DEADLINE.as_secs();
        let late = || Err(format!("there is no answer within {seconds} seconds"));
        Self {
            field,
            what,
            outcome: outcome.unwrap_or_else(|_| late()),
        }
    }
}

/// Tries the backend with the gateway's credentials, the KMS with the shared secret, and the servers of functions, all
/// at once. Where they are reached by TLS, their certificates are verified.
///
/// # Errors
///
/// [`StartError`] for a configuration that cannot work.
pub async fn try_out(config: &Config, parts: Parts) -> Result<Vec<Trial>, StartError> {
    config.check()?;
    let mut renewals = Renewals::default();
    let clock = Arc::clone(&parts.clock);
    let backend = compose::backend(config, clock, parts.backend, &mut renewals)?;
    let state = State::new(Arc::new(backend), &config.state);
    let kms = compose::key_service(config, parts.kms_secret, &parts.clock, &mut renewals)?;
    let backend = Trial::new(
        "backend.url".to_owned(),
        format!("the backend {}", config.backend.url),
        try_backend(&state),
    );
    let kms = Trial::new(
        "kms.url".to_owned(),
        format!("the KMS {}", config.kms.url),
        async {
            let checked = kms.check().await.map_err(|error| error.to_string());
            checked.map(|()| "it accepts the gateway".to_owned())
        },
    );
    let (backend, kms, functions) = tokio::join!(backend, kms, try_functions(config));
    Ok([backend, kms].into_iter().chain(functions).collect())
}

/// Tries the servers of functions alone. Programs are not started.
pub async fn try_functions(config: &Config) -> Vec<Trial> {
    let functions = config.object_lambda.functions.iter().enumerate();
    let servers = functions.filter_map(|(at, function)| {
        let url = match &function.function {
            Callee::Lambda(lambda) => &lambda.url,
            Callee::Url(url) => url,
            Callee::Command(_) => return None,
        };
        let field = format!("object_lambda.functions[{at}].function");
        let what = format!("the server of a function {url}");
        Some(Trial::new(field, what, connect(url)))
    });
    join_all(servers).await
}

/// Lists the state bucket, which needs the credentials.
async fn try_backend(state: &State) -> Result<String, String> {
    let bucket = state.bucket();
    Ok(match list_state_bucket(state).await? {
        StatusCode::NOT_FOUND => {
            format!("it accepts the credentials; the first start makes the state bucket {bucket:?}")
        }
        _ => format!("it accepts the credentials, and has the state bucket {bucket:?}"),
    })
}

/// Opens a connection, with its handshake if it is by TLS.
async fn connect(url: &str) -> Result<String, String> {
    let uri = parse_url(url).ok_or_else(|| format!("{url:?} is no URL of HTTP"))?;
    let connector = connector(None).map_err(|error| error.to_string())?;
    let connected = connector.oneshot(uri).await;
    // A client's error ends with what the operating system or TLS reports.
    let connected = connected.map_err(|error| {
        let mut cause: &dyn std::error::Error = &*error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        format!("it is not reached: {cause}")
    });
    connected.map(|_| "it takes connections".to_owned())
}

/// How long one may take.
const DEADLINE: Duration = Duration::from_secs(10);
