//! Who calls: Signature Version 4 over AWS JSON, bearer tokens over gRPC.
//!
//! A signature covers the method, the path, the host, the date, the target operation and the body. A
//! bearer token is a user's own, or the secret of trusted services (the gateway): a service may name the
//! principal that it calls for.

mod bearer;
mod credentials;
mod services;
mod signature;
mod users;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::Uri;
use http::header::HOST;
use http::request::Parts;
use proto::audit::Tls;
use proto::audit::TlsSession;
use proto::iam::Iam;
use proto::identity::AccountId;
use proto::identity::Region;
use proto::identity::Secret;
use proto::session::SessionError;
use proto::time::Clock;
use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use crate::authenticate::credentials::Credential;
pub use crate::authenticate::services::AcceptedSecrets;
pub use crate::authenticate::services::ServiceSecrets;
pub use crate::authenticate::services::service_secrets;
use crate::authenticate::users::Users;
use crate::caller::Caller;
use crate::compat::Compat;
use crate::error::Code;
use crate::error::KmsError;
use crate::regions::Regions;

/// Who may call, and how they prove it.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether signatures are checked. `accepted` believes every caller; on loopback only.
    pub signatures: Signatures,

    /// Access keys that may sign.
    pub credentials: Vec<Credential>,

    /// Further users, with their policies and MFA devices, and the roles that they may take: the file that
    /// the gateway names, too. The key of session tokens is beside it.
    ///
    /// None: there are no roles, and session tokens end with the process.
    pub credentials_file: Option<PathBuf>,

    /// Secret of the services (the gateway) that call over gRPC on their users' behalf. Users call by
    /// tokens of their own.
    ///
    /// None here nor in a file refuses services, and the gateway is one.
    pub service_secret: Option<Secret>,

    /// File with that secret, or with two while it changes, a line each: every one is accepted. It is read again when
    /// it changes, and a secret that is no longer in it is refused from then on.
    pub service_secret_file: Option<PathBuf>,

    /// Whether bearer tokens, and the secret of services, are accepted over plain connections from other
    /// machines, which anybody on the way can read and use: only behind a proxy that adds TLS.
    pub plain_tokens: bool,

    /// Account of calls that name none.
    pub account: AccountId,

    /// Region of calls that name none.
    pub region: Region,

    /// Account of the access key `test`, which the users of other emulators expect.
    ///
    /// Only where signatures are accepted; none treats `test` like any other key.
    pub test_account: Option<AccountId>,

    /// Whether gRPC's server reflection answers without a token. It shows the contract, which is
    /// public, and that this is a KMS.
    pub open_reflection: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            signatures: Signatures::Checked,
            credentials: Vec::new(),
            credentials_file: None,
            service_secret: None,
            service_secret_file: None,
            plain_tokens: false,
            account: Compat::Aws.account(),
            region: Compat::Aws.region(),
            test_account: None,
            open_reflection: false,
        }
    }
}

/// What is done with signatures of AWS JSON requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// Every request must be signed by a known access key.
    #[default]
    Checked,
    /// The credential is read and believed, signed or not; a 12-digit access key is an account.
    Accepted,
}

/// The connection a call came over.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Address of the client.
    pub peer: IpAddr,
    /// Address of this end.
    pub local: IpAddr,
    /// How it is secured; none on plain HTTP.
    pub tls: Option<TlsSession>,
    /// Cancelled to close the connection without an answer.
    pub cut: CancellationToken,
    /// Requests that may be open at once before their callers are authenticated; a permit for each.
    pub unauthenticated: Arc<Semaphore>,
}

impl Connection {
    /// Whether nobody outside the machine can read what crosses it: it comes from loopback, or from the
    /// very address that it goes to.
    #[must_use]
    pub fn is_within_machine(&self) -> bool {
        let peer = self.peer.to_canonical();
        peer.is_loopback() || peer == self.local.to_canonical()
    }

    /// How a request that came over it was secured, if it was.
    #[must_use]
    pub fn secured(&self, uri: &Uri, headers: &HeaderMap) -> Option<Tls> {
        let session = self.tls?;
        let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(http::uri::Authority::as_str);
        let host = authority.or_else(header).unwrap_or_default().into();
        Some(Tls { session, host })
    }
}

/// What the head of a request claims of its signer.
pub enum Claim {
    /// To be proved by the signature over head and body.
    Unverified(signature::Claim),
    /// Believed without a proof.
    Accepted(signature::Signed),
}

/// Checks who calls.
pub struct Authenticator {
    signatures: Signatures,
    /// The real time, by which clients sign.
    clock: Arc<dyn Clock>,
    /// The time by which tokens expire.
    token_clock: Arc<dyn Clock>,
    users: Users,
    services: Arc<ServiceSecrets>,
    plain_tokens: bool,
    account: AccountId,
    regions: Arc<Regions>,
    /// Region of calls that name none.
    region: Region,
    test_account: Option<AccountId>,
    open_reflection: bool,
}

impl Authenticator {
    /// An authenticator that checks signatures on the real `clock`: one that is frozen for tests would
    /// refuse clients who sign with theirs. Tokens expire by `token_clock`, which tests may move. Services prove
    /// themselves by `services`.
    #[must_use]
    pub fn new(
        config: &Config,
        services: Arc<ServiceSecrets>,
        iam: Arc<Iam>,
        regions: Arc<Regions>,
        clock: Arc<dyn Clock>,
        token_clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            signatures: config.signatures,
            clock,
            token_clock,
            users: Users::new(&config.credentials, iam),
            services,
            plain_tokens: config.plain_tokens,
            account: config.account.clone(),
            regions,
            region: config.region.clone(),
            test_account: config.test_account.clone(),
            open_reflection: config.open_reflection,
        }
    }

    /// Whether server reflection answers without a token.
    #[must_use]
    pub const fn reflection_is_open(&self) -> bool {
        self.open_reflection
    }

    /// Cancelled when services have to prove themselves again, because their secrets were read again.
    #[must_use]
    pub fn services_replaced(&self) -> CancellationToken {
        self.services.current().replaced()
    }

    /// Checks what a request to the JSON protocol claims in its head, before its body is read: that
    /// a known access key signed it for `service`, a Region that is served, and now.
    ///
    /// # Errors
    ///
    /// AWS's exception for a signature that is missing, incomplete or expired, or of an unknown key.
    pub fn claim(&self, parts: &Parts, service: &str) -> Result<Claim, KmsError> {
        match self.signatures {
            Signatures::Checked => signature::claim(self, parts, service).map(Claim::Unverified),
            Signatures::Accepted => signature::accept(self, parts).map(Claim::Accepted),
        }
    }

    /// The caller of a request whose head made `claim`, once its body is there.
    ///
    /// # Errors
    ///
    /// InvalidSignatureException for a signature that is not of this request.
    pub fn signed(
        &self,
        claim: Claim,
        parts: &Parts,
        body: &[u8],
        connection: &Connection,
        request_id: Arc<str>,
    ) -> Result<Caller, KmsError> {
        let signer = match claim {
            Claim::Unverified(claim) => claim.verify(parts, body)?,
            Claim::Accepted(signer) => signer,
        };
        Ok(Caller {
            account: signer.account,
            region: signer.region,
            principal_arn: signer.principal_arn,
            identity: signer.identity,
            access_key_id: signer.access_key_id,
            via_service: None,
            in_own_name: false,
            source_ip: Some(connection.peer),
            tls: connection.secured(&parts.uri, &parts.headers),
            user_agent: user_agent(&parts.headers),
            request_id,
        })
    }
}

/// The client's software, as it names itself; cut where no honest name goes on.
fn user_agent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(http::header::USER_AGENT)?.to_str().ok()?;
    Some(text.get(..USER_AGENT_BYTES_MAX).unwrap_or(text).into())
}

/// There is no signature and no token.
fn missing_token() -> KmsError {
    KmsError::new(
        Code::MissingAuthenticationTokenException,
        "Request is missing Authentication Token",
    )
}

/// AWS's exception for a session token that is refused.
fn session_refusal(error: SessionError) -> KmsError {
    match error {
        SessionError::Invalid => unrecognized(),
        SessionError::Expired(_) => KmsError::new(
            Code::ExpiredTokenException,
            "The security token included in the request is expired",
        ),
    }
}

/// The access key, session token or shared secret is not known.
fn unrecognized() -> KmsError {
    KmsError::new(
        Code::UnrecognizedClientException,
        "The security token included in the request is invalid.",
    )
}

/// How far the clock of a client may be off.
///
/// Source: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html>
const SKEW_MAX: Duration = Duration::from_secs(15 * 60);

/// Longest user agent that is recorded.
const USER_AGENT_BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests;
