//! Who may look and who may change: sessions, and what proves that a form is the console's own.
//!
//! Without a token everybody who reaches the port may do what the admin API lets them do. With one, a form takes
//! the token and gives a session: a cookie that only this process knows, in memory, for 12 hours. The token itself
//! is in no cookie and no page.
//!
//! A browser sends the cookie along with whatever page of another site or port makes it send. So a form must come
//! from a page of this very origin ([`Access::check_form`]), and must have the digest that only such a page shows.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use http::HeaderMap;
use http::header;
use kms::admin::Controls;
use proto::admin_token;
use proto::identity::Secret;
use proto::sigv4::sha256_hex;

use crate::credentials;

/// What the admin ports demand of the console.
#[derive(Clone, Default)]
pub(super) struct Demands {
    /// The token for everything.
    pub(super) all: Option<Secret>,
    /// The token for what reads or destroys keys; without one it is `all`.
    pub(super) keys: Option<Secret>,
    /// Whether other machines reach the port without a token: nothing is shown then.
    pub(super) is_open: bool,
}

/// The sessions, and the secret of forms without one.
pub(super) struct Access {
    cookie: String,
    /// By the digest of their id.
    sessions: Mutex<HashMap<String, Session>>,
    /// What stands for a session where none is needed.
    no_session: String,
}

struct Session {
    rights: Rights,
    began: Instant,
}

/// Which tokens a session was opened by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rights {
    all: bool,
    keys: bool,
}

/// Somebody who may look.
pub(super) struct Viewer {
    rights: Rights,
    /// The digest that the forms of their pages carry.
    pub(super) form_digest: String,
    /// Whether there is a session to end.
    pub(super) has_session: bool,
}

/// Why a page is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The token is needed.
    Login,
    /// There is none, and other machines reach the port.
    NoToken,
}

impl Access {
    /// Without sessions.
    ///
    /// # Errors
    ///
    /// When the system has no randomness.
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            // Cookies do not tell ports apart: two consoles on one host must not end each other's sessions.
            cookie: format!("sealgate-{}", hex::encode(credentials::random::<4>()?)),
            sessions: Mutex::default(),
            no_session: random()?,
        })
    }

    /// Who a request comes from.
    ///
    /// # Errors
    ///
    /// Why it is shown nothing.
    pub(super) fn viewer(
        &self,
        demands: &Demands,
        headers: &HeaderMap,
        now: Instant,
    ) -> Result<Viewer, Denied> {
        let id = self.session_id(headers);
        let rights = id.and_then(|id| self.rights(id, now));
        if demands.is_open {
            return Err(Denied::NoToken);
        }
        if demands.all.is_some() && !rights.is_some_and(|rights| rights.all) {
            return Err(Denied::Login);
        }
        let id = id.filter(|_| rights.is_some());
        Ok(Viewer {
            rights: rights.unwrap_or_default(),
            form_digest: form_digest(id.unwrap_or(&self.no_session)),
            has_session: id.is_some(),
        })
    }

    /// Opens a session for who presents one of the tokens; the cookie to set. A session that is open keeps what
    /// it may.
    ///
    /// # Errors
    ///
    /// Why there is none, in a sentence.
    pub(super) fn log_in(
        &self,
        demands: &Demands,
        headers: &HeaderMap,
        token: &str,
        now: Instant,
    ) -> Result<String, String> {
        let presents = |wanted: &Option<Secret>| {
            let equals = |wanted: &Secret| admin_token::is_equal(token, wanted);
            wanted.as_ref().is_some_and(equals)
        };
        let mut rights = Rights {
            all: presents(&demands.all),
            keys: presents(&demands.keys),
        };
        if rights == Rights::default() {
            return Err("That is not the admin token.".to_owned());
        }
        let earlier = self.session_id(headers);
        if let Some(earlier) = earlier.and_then(|id| self.rights(id, now)) {
            rights.all |= earlier.all;
            rights.keys |= earlier.keys;
        }
        let id = random().map_err(|error| format!("There is no session: {error}."))?;
        let mut sessions = self.lock();
        if let Some(earlier) = earlier {
            sessions.remove(&sha256_hex(earlier.as_bytes()));
        }
        sessions.retain(|_, session| session.is_open(now));
        if sessions.len() >= SESSIONS_MAX {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began);
            if let Some(oldest) = oldest.map(|(digest, _)| digest.clone()) {
                sessions.remove(&oldest);
            }
        }
        sessions.insert(sha256_hex(id.as_bytes()), Session { rights, began: now });
        let (cookie, seconds) = (&self.cookie, LASTS.as_secs());
        Ok(format!(
            "{cookie}={id}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}"
        ))
    }

    /// Ends the session of a request; the cookie to set.
    pub(super) fn log_out(&self, headers: &HeaderMap) -> String {
        if let Some(id) = self.session_id(headers) {
            self.lock().remove(&sha256_hex(id.as_bytes()));
        }
        format!(
            "{}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0",
            self.cookie
        )
    }

    /// Checks that a form was sent by a page of this origin.
    ///
    /// # Errors
    ///
    /// Why it was not, in a sentence.
    pub(super) fn check_form(headers: &HeaderMap) -> Result<(), &'static str> {
        let text = |name: &str| headers.get(name).map(|value| value.as_bytes());
        let site = text("sec-fetch-site");
        if site.is_some_and(|site| site != b"same-origin") {
            return Err("A page of another site may not send this form.");
        }
        let origin = text(header::ORIGIN.as_str()).filter(|origin| *origin != b"null");
        let host = text(header::HOST.as_str()).unwrap_or_default();
        match origin {
            // A proxy with TLS may stand before the port.
            Some(origin) => {
                let mut schemes = [&b"http://"[..], &b"https://"[..]].into_iter();
                let is_own = schemes.any(|scheme| origin.strip_prefix(scheme) == Some(host));
                is_own
                    .then_some(())
                    .ok_or("A page of another origin may not send this form.")
            }
            None if site.is_some() => Ok(()),
            None => Err(
                "Where this form comes from is not known: the browser sends neither Origin nor Sec-Fetch-Site.",
            ),
        }
    }

    fn session_id<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut cookies = cookies
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        cookies
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, id)| id)
    }

    fn rights(&self, id: &str, now: Instant) -> Option<Rights> {
        let sessions = self.lock();
        let session = sessions.get(&sha256_hex(id.as_bytes()))?;
        session.is_open(now).then_some(session.rights)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_open(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.began) < LASTS
    }
}

impl Viewer {
    /// Whether this viewer may use the control at that path of the KMS's admin port.
    ///
    /// # Errors
    ///
    /// What is missing, in a sentence.
    pub(super) fn check_control(
        &self,
        demands: &Demands,
        controls: &Controls,
        path: &str,
    ) -> Result<(), &'static str> {
        if !Controls::uses_keys(path) {
            return Ok(());
        }
        let (has_it, exists) = match (&demands.keys, &demands.all) {
            (Some(_), _) => (self.rights.keys, true),
            (None, Some(_)) => (self.rights.all, true),
            (None, None) => (!controls.needs_token(path), false),
        };
        match (has_it, exists) {
            (true, _) => Ok(()),
            (false, true) => Err("This may destroy stored keys: log in with the admin token."),
            (false, false) => {
                Err("This may destroy stored keys: set admin.token or admin.keys_token.")
            }
        }
    }
}

/// What a form carries to prove that it is of a page shown to the session.
fn form_digest(id: &str) -> String {
    sha256_hex(format!("form:{id}").as_bytes())
}

/// 32 random bytes, as hexadecimal digits.
fn random() -> anyhow::Result<String> {
    Ok(hex::encode(credentials::random::<32>()?))
}

/// How long a session lasts.
const LASTS: Duration = Duration::from_secs(12 * 60 * 60);

/// Most sessions at a time; the oldest gives way.
const SESSIONS_MAX: usize = 64;

#[cfg(test)]
mod tests;
