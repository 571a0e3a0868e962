//! Whose access keys and session tokens are known, as the credentials file has them now.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use proto::iam::Iam;
use proto::iam::Identity;
use proto::iam::Principals;
use proto::identity::PrincipalArn;
use proto::identity::PrincipalKind;
use proto::session::SessionError;
use proto::time::Timestamp;

use crate::authenticate::credentials::Credential;
use crate::authenticate::credentials::User;

/// The users of the configuration and of the credentials file, and their sessions.
pub(crate) struct Users {
    iam: Arc<Iam>,
    configured: Vec<Credential>,
    current: ArcSwap<Current>,
}

/// What was made of the credentials file that was read last.
struct Current {
    file: Arc<Principals>,
    /// Those of the file and of the configuration.
    principals: Principals,
    by_access_key: HashMap<String, Arc<User>>,
}

impl Users {
    pub(crate) fn new(configured: &[Credential], iam: Arc<Iam>) -> Self {
        let current = Current::new(configured, iam.principals());
        Self {
            iam,
            configured: configured.to_vec(),
            current: ArcSwap::from_pointee(current),
        }
    }

    /// The user of an access key.
    pub(crate) fn find(&self, access_key_id: &str) -> Option<Arc<User>> {
        self.current().by_access_key.get(access_key_id).cloned()
    }

    /// The principal of a session, by the token and the access key id of a request.
    pub(crate) fn of_session(
        &self,
        token: &str,
        access_key_id: &str,
        now: Timestamp,
    ) -> Result<Arc<User>, SessionError> {
        let opened = self.iam.sessions().open(token, access_key_id, now)?;
        let identity = Identity::of_session(opened.session, &self.current().principals)?;
        let user = User::of_identity(identity, access_key_id, opened.secret_access_key);
        Ok(Arc::new(user))
    }

    /// The principal of a session whose request a trusted service acts for.
    pub(crate) fn of_forwarded_session(
        &self,
        token: &str,
        now: Timestamp,
    ) -> Result<Identity, SessionError> {
        let session = self.iam.sessions().open_forwarded(token, now)?;
        Identity::of_session(session, &self.current().principals)
    }

    /// The user of an ARN, if it is known here.
    pub(crate) fn of_arn(&self, arn: &PrincipalArn) -> Option<Identity> {
        let current = self.current();
        current
            .principals
            .user(arn)
            .map(|user| Identity::of_user(user))
    }

    /// Whether the ARN is that of a session of a role that is known here.
    pub(crate) fn is_session_of_known_role(&self, arn: &PrincipalArn) -> bool {
        let role = arn.as_str().rsplit('/').nth(1);
        let current = self.current();
        arn.kind() == PrincipalKind::AssumedRole
            && current
                .principals
                .roles()
                .iter()
                .any(|known| Some(known.arn.name()) == role && known.arn.account() == arn.account())
    }

    fn current(&self) -> Arc<Current> {
        let (current, file) = (self.current.load_full(), self.iam.principals());
        if Arc::ptr_eq(&current.file, &file) {
            return current;
        }
        let current = Arc::new(Current::new(&self.configured, file));
        self.current.store(Arc::clone(&current));
        current
    }
}

impl Current {
    fn new(configured: &[Credential], file: Arc<Principals>) -> Self {
        let configured = configured.iter().map(Credential::user);
        let principals = Principals::clone(&file).with_users(configured);
        let by_access_key = principals
            .users()
            .iter()
            .map(|user| (user.access_key_id.clone(), Arc::new(User::of(user))));
        Self {
            by_access_key: by_access_key.collect(),
            principals,
            file,
        }
    }
}
