//! Bearer tokens of gRPC: a user's own, or the secret of a service that calls for users.
//!
//! The metadata beside them, each at most once:
//!
//! | metadata | who may send it | what it is |
//! |---|---|---|
//! | `authorization` | everybody | `Bearer` and a user's token (`proto::token`) or the service secret |
//! | `sealgate-region` | everybody | the Region that is called; else the token's, else the configured one |
//! | `sealgate-via-service` | services, which must | the service, such as `s3.us-east-1.amazonaws.com` |
//! | `sealgate-principal` | services | ARN of the user it calls for, or its own service principal |
//! | `sealgate-session` | services | the session token by which that user's request was signed |
//! | `sealgate-account` | services | account of the call; else the principal's |
//! | `sealgate-source-ip` | services | address of the user's client |
//!
//! A user is the one whose secret access key signed the token and cannot name another. Where signatures
//! are accepted unchecked, a call without a token is believed: it may name an account and a principal,
//! and never a service.

use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use proto::audit::Tls;
use proto::iam::Identity;
use proto::identity::AccountId;
use proto::identity::PrincipalArn;
use proto::identity::Region;
use proto::token::TokenClaim;
use proto::token::TokenError;
use proto::token::is_token;

use crate::authenticate::Authenticator;
use crate::authenticate::Connection;
use crate::authenticate::Signatures;
use crate::authenticate::credentials::User;
use crate::authenticate::missing_token;
use crate::authenticate::session_refusal;
use crate::authenticate::unrecognized;
use crate::authenticate::user_agent;
use crate::caller::Caller;
use crate::caller::service_principal;
use crate::error::Code;
use crate::error::KmsError;

/// What the token of a call proves.
enum Proof {
    /// A user, and the one Region that the token is for, if it is for one.
    User(Arc<User>, Option<Region>),
    /// A service, which names the user.
    Service,
    /// Nothing: whatever the call claims of its user is believed.
    Nothing,
}

impl Authenticator {
    /// The caller of a gRPC request, by the metadata in its head.
    ///
    /// # Errors
    ///
    /// MissingAuthenticationTokenException without a token, ExpiredTokenException for one whose time
    /// is over, UnrecognizedClientException for one that proves nothing or another caller than the
    /// metadata name, or that came in clear from another machine, ValidationException for metadata that are not what they should be.
    pub fn bearer(
        &self,
        metadata: &HeaderMap,
        connection: &Connection,
        tls: Option<Tls>,
        request_id: Arc<str>,
    ) -> Result<Caller, KmsError> {
        let is_exposed = tls.is_none() && !connection.is_within_machine();
        if is_exposed && !self.plain_tokens && metadata.contains_key(AUTHORIZATION) {
            return Err(invalid_token(PLAIN));
        }
        let claimed = Claimed::read(metadata)?;
        let caller = match self.proof(metadata)? {
            Proof::User(user, only) => self.user(&user, only, &claimed)?,
            Proof::Service => self.service(&claimed)?,
            Proof::Nothing => {
                let claimed = claimed.without_service();
                let region = self.region(claimed.region)?;
                self.named(&claimed, region, false)?
            }
        };
        Ok(Caller {
            source_ip: caller.source_ip.or(Some(connection.peer)),
            tls,
            user_agent: user_agent(metadata),
            request_id,
            ..caller
        })
    }

    /// What the token proves, if there is one.
    fn proof(&self, metadata: &HeaderMap) -> Result<Proof, KmsError> {
        let Some(header) = single(metadata, AUTHORIZATION.as_str())? else {
            return match self.signatures {
                Signatures::Accepted => Ok(Proof::Nothing),
                Signatures::Checked => Err(missing_token()),
            };
        };
        let token = bearer_token(header).ok_or_else(missing_token)?;
        if self.services.current().has(token) {
            return Ok(Proof::Service);
        }

        if !is_token(token) {
            return Err(unrecognized());
        }

        let claim = TokenClaim::parse(token).map_err(refusal)?;
        let user = self.users.find(claim.access_key_id);
        let user = user.ok_or_else(unrecognized)?;
        let now = self.token_clock.now();
        claim.verify(user.secret(), now).map_err(refusal)?;
        Ok(Proof::User(user, claim.region))
    }

    /// The user who made the token: the same caller as one who signs for that Region.
    fn user(
        &self,
        user: &User,
        only: Option<Region>,
        claimed: &Claimed<'_>,
    ) -> Result<Caller, KmsError> {
        if claimed.names_somebody() {
            return Err(invalid_token(
                "it is a user's, and only services may send sealgate-account, sealgate-principal, \
                 sealgate-via-service, sealgate-session and sealgate-source-ip",
            ));
        }

        let region = match (claimed.region, &only) {
            (None, Some(only)) => self.region(Some(only.as_str()))?,
            (named, _) => self.region(named)?,
        };
        if only.is_some_and(|only| only != *region) {
            return Err(invalid_token("it is for another Region"));
        }

        Ok(Caller {
            principal_arn: user.principal_arn(region),
            identity: user.identity().cloned(),
            access_key_id: Some(Arc::clone(&user.access_key_id)),
            ..Caller::root(&user.account, region)
        })
    }

    /// The caller that a service names. A service that calls in its own name and for no user gives its
    /// service principal, such as `s3.amazonaws.com`, as the principal; it is then the account's root
    /// user.
    fn service(&self, claimed: &Claimed<'_>) -> Result<Caller, KmsError> {
        let Some(service) = claimed.via_service else {
            return Err(invalid_token(
                "it is the secret of services, which name themselves in sealgate-via-service: users \
                 call by tokens of their own",
            ));
        };
        let principal = claimed.principal;
        let in_own_name = principal.is_some_and(is_service_principal);
        if in_own_name && principal != Some(service_principal(service).as_str()) {
            return Err(KmsError::validation(
                "sealgate-principal is another service than sealgate-via-service.",
            ));
        }

        let region = self.region(claimed.region)?;
        let caller = self.named(claimed, region, in_own_name)?;
        Ok(Caller {
            identity: self.identity(claimed, &caller)?,
            ..caller
        })
    }

    /// The policies and the session of the user that a service calls for: by the session token, or those of
    /// the user of that name. A user that is not known here has none, so the service's word counts.
    fn identity(
        &self,
        claimed: &Claimed<'_>,
        caller: &Caller,
    ) -> Result<Option<Arc<Identity>>, KmsError> {
        let principal: Option<PrincipalArn> = caller.principal_arn.parse().ok();
        let Some(token) = claimed.session else {
            let is_of_role = |arn: &PrincipalArn| self.users.is_session_of_known_role(arn);
            if principal.as_ref().is_some_and(is_of_role) {
                return Err(invalid_token(
                    "a session of a role needs its token in sealgate-session",
                ));
            }
            let known = principal.filter(|arn| !arn.is_root());
            return Ok(known.and_then(|arn| self.users.of_arn(&arn)).map(Arc::new));
        };
        let now = self.token_clock.now();
        let session = self.users.of_forwarded_session(token, now);
        let session = session.map_err(session_refusal)?;
        if principal.as_ref() != Some(&session.arn) || caller.account != session.account {
            return Err(invalid_token("sealgate-session is of another principal"));
        }
        Ok(Some(Arc::new(session)))
    }

    /// The caller that the metadata name.
    fn named(
        &self,
        claimed: &Claimed<'_>,
        region: &Region,
        in_own_name: bool,
    ) -> Result<Caller, KmsError> {
        let principal = claimed.principal.filter(|_| !in_own_name);
        let account = match (claimed.account, principal.and_then(arn_account)) {
            (Some(account), _) => account
                .parse()
                .map_err(|_| KmsError::validation("An account id has 12 digits."))?,
            (None, Some(account)) => account,
            (None, None) => self.account.clone(),
        };
        let root = Caller::root(&account, region);
        Ok(Caller {
            principal_arn: principal.map_or_else(|| Arc::clone(&root.principal_arn), Into::into),
            via_service: claimed.via_service.map(Into::into),
            in_own_name,
            source_ip: claimed.source_ip()?,
            ..root
        })
    }

    /// The Region of that name, or the one of calls that name none.
    fn region(&self, name: Option<&str>) -> Result<&Region, KmsError> {
        let Some(name) = name else {
            return Ok(&self.region);
        };
        let region = self.regions.find(name);
        region.ok_or_else(|| KmsError::validation("sealgate-region is no Region."))
    }
}

/// What the metadata of one call name.
#[derive(Clone, Copy)]
struct Claimed<'a> {
    account: Option<&'a str>,
    region: Option<&'a str>,
    principal: Option<&'a str>,
    via_service: Option<&'a str>,
    session: Option<&'a str>,
    source_ip: Option<&'a str>,
}

impl<'a> Claimed<'a> {
    fn read(metadata: &'a HeaderMap) -> Result<Self, KmsError> {
        let text = |name: &'static str| {
            let value = single(metadata, name)?.map(std::str::from_utf8);
            let value = value.transpose();
            value.map_err(|_| KmsError::validation(format!("{name} is no text.")))
        };
        Ok(Self {
            account: text("sealgate-account")?,
            region: text("sealgate-region")?,
            principal: text("sealgate-principal")?,
            via_service: text("sealgate-via-service")?,
            session: text("sealgate-session")?,
            source_ip: text("sealgate-source-ip")?,
        })
    }

    /// Without what only a service may name.
    const fn without_service(self) -> Self {
        Self {
            via_service: None,
            session: None,
            source_ip: None,
            ..self
        }
    }

    /// Whether they name a caller or a service.
    const fn names_somebody(&self) -> bool {
        self.account.is_some()
            || self.principal.is_some()
            || self.via_service.is_some()
            || self.session.is_some()
            || self.source_ip.is_some()
    }

    fn source_ip(&self) -> Result<Option<IpAddr>, KmsError> {
        let address = self.source_ip.map(str::parse).transpose();
        address.map_err(|_| KmsError::validation("sealgate-source-ip is no IP address."))
    }
}

/// The one value of a header. Two would be read differently by what stands between client and server.
fn single<'a>(metadata: &'a HeaderMap, name: &str) -> Result<Option<&'a [u8]>, KmsError> {
    let mut values = metadata.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(KmsError::validation(format!("{name} was sent twice.")));
    }

    Ok(value.map(http::HeaderValue::as_bytes))
}

/// The token in an Authorization header of the scheme Bearer, whose name has no case (RFC 9110,
/// section 11.1).
fn bearer_token(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked(BEARER.len())?;
    scheme.eq_ignore_ascii_case(BEARER).then_some(token)
}

/// The account field of a principal's ARN.
fn arn_account(arn: &str) -> Option<AccountId> {
    arn.split(':').nth(4)?.parse().ok()
}

/// Whether the principal is a service of AWS, such as `s3.amazonaws.com`, and no ARN.
fn is_service_principal(principal: &str) -> bool {
    principal.ends_with(".amazonaws.com") && !principal.contains(':')
}

/// AWS's exception for a token that is refused, with its text and the reason.
fn refusal(error: TokenError) -> KmsError {
    match error {
        TokenError::Expired(_) => KmsError::new(
            Code::ExpiredTokenException,
            format!("The security token included in the request is expired: {error}."),
        ),
        TokenError::Malformed | TokenError::Forged => invalid_token(&error.to_string()),
    }
}

/// A token that does not prove this call.
fn invalid_token(reason: &str) -> KmsError {
    KmsError::new(
        Code::UnrecognizedClientException,
        format!("The security token included in the request is invalid: {reason}."),
    )
}

const PLAIN: &str = "it came over a plain connection from another machine; use TLS, \
    or set authenticate.plain_tokens in the configuration of the KMS";

const BEARER: &[u8] = b"Bearer ";
