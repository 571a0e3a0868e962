//! The token of the admin ports of `up`.
//!
//! On loopback only what reads or destroys stored keys demands one. Beyond loopback everything on both admin
//! ports does, except health and metrics: then there is always a token, made at start if nobody gives one.

use std::path::Path;

use proto::identity::Secret;

use crate::credentials;

/// The token that the admin ports demand.
#[derive(Default)]
pub(super) struct AdminToken {
    /// For what reads or destroys keys; empty if nothing demands it.
    pub(super) for_keys: String,
    /// For everything else; empty if nothing demands it.
    pub(super) for_all: String,
    /// Where people find it: the token itself beyond loopback, or its file. None for one that was given.
    pub(super) place: Option<String>,
}

impl AdminToken {
    /// Has the admin ports demand the `given` token, the one of the configuration, or else one that is stored in
    /// `data`.
    ///
    /// # Errors
    ///
    /// When that one cannot be read or written.
    pub(super) fn demand(
        given: Option<Secret>,
        kms: &mut kms::config::Config,
        gateway: &mut gateway::config::Config,
        data: &Path,
    ) -> anyhow::Result<Self> {
        kms.admin.token = given.or(kms.admin.token.take());
        let ports = [Some(kms.admin.listen), gateway.listen.admin];
        let is_exposed = ports.iter().flatten().any(|port| !port.ip().is_loopback());
        let mut place = None;
        if is_exposed && kms.admin.token.is_none() {
            let token = credentials::admin_token(data)?;
            place = Some(token.clone());
            kms.admin.token = Some(Secret::new(token));
        }
        let stores_keys = kms.store.file.is_some();
        if stores_keys && kms.admin.token.is_none() && kms.admin.keys_token.is_none() {
            let file = data.join(credentials::ADMIN_TOKEN_FILE);
            place = Some(file.display().to_string());
            kms.admin.keys_token = Some(Secret::new(credentials::admin_token(data)?));
        }
        let (all, keys) = (&kms.admin.token, &kms.admin.keys_token);
        if gateway.listen.admin_token.is_none() {
            gateway.listen.admin_token.clone_from(all);
        }
        let text =
            |token: Option<&Secret>| token.map_or_else(String::new, |t| t.expose().to_owned());
        Ok(Self {
            for_keys: text(keys.as_ref().or(all.as_ref())),
            for_all: text(all.as_ref().or(keys.as_ref())),
            place,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The token, with `given` and admin ports on `address`, and what both services demand.
    fn demanded(
        given: Option<&str>,
        address: &str,
        stores_keys: bool,
    ) -> (AdminToken, kms::config::Config, gateway::config::Config) {
        let folder = tempfile::tempdir().unwrap();
        let mut kms = kms::config::Config::default();
        let mut gateway = gateway::config::Config::default();
        kms.admin.listen = address.parse().unwrap();
        gateway.listen.admin = Some(kms.admin.listen);
        kms.store.file = stores_keys.then(|| "keys.redb".into());
        let given = given.map(Secret::new);
        let token = AdminToken::demand(given, &mut kms, &mut gateway, folder.path()).unwrap();
        (token, kms, gateway)
    }

    #[test]
    fn beyond_loopback_both_ports_demand_a_token_that_is_made_and_shown() {
        for stores_keys in [true, false] {
            let (token, kms, gateway) = demanded(None, "0.0.0.0:9091", stores_keys);
            assert_eq!(token.for_all.len(), 64);
            assert_eq!(token.for_keys, token.for_all);
            assert_eq!(token.place.as_ref(), Some(&token.for_all));
            for demanded in [kms.admin.token, gateway.listen.admin_token] {
                assert_eq!(demanded.unwrap().expose(), token.for_all);
            }
        }
    }

    #[test]
    fn a_token_that_is_given_is_demanded_everywhere_and_not_shown() {
        for address in ["127.0.0.1:9091", "0.0.0.0:9091"] {
            let (token, kms, gateway) = demanded(Some("sixteen-letters!"), address, true);
            assert_eq!(
                (token.for_all.as_str(), token.place),
                ("sixteen-letters!", None)
            );
            assert!(kms.admin.token.is_some() && gateway.listen.admin_token.is_some());
        }
    }

    #[test]
    fn on_loopback_only_stored_keys_demand_one() {
        let (token, kms, gateway) = demanded(None, "127.0.0.1:9091", true);
        assert!(token.place.unwrap().ends_with("admin.token"));
        assert!(kms.admin.token.is_none() && gateway.listen.admin_token.is_none());
        assert_eq!(kms.admin.keys_token.unwrap().expose(), token.for_keys);
        let (token, kms, _) = demanded(None, "127.0.0.1:9091", false);
        assert_eq!(token.for_all, "");
        assert!(kms.admin.token.is_none() && kms.admin.keys_token.is_none());
    }
}
