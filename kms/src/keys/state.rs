//! Key states, and which operations each state lets through.
//!
//! Source: <https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html>

use crate::error::Code;
use crate::error::KmsError;

/// The state of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Being made.
    Creating,
    /// Ready for use.
    Enabled,
    /// Switched off by its owner.
    Disabled,
    /// Waiting to be deleted.
    PendingDeletion,
    /// Waiting for key material.
    PendingImport,
    /// A multi-Region primary that waits for its replicas to be deleted.
    PendingReplicaDeletion,
    /// Its key store is not connected.
    Unavailable,
    /// Changing its primary Region.
    Updating,
}

/// Operations that the table of key states treats alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// Cryptography, and making replicas.
    Use,
    /// CreateGrant.
    CreateGrant,
    /// EnableKey and DisableKey.
    Switch,
    /// EnableKeyRotation, DisableKeyRotation and RotateKeyOnDemand.
    Rotation,
    /// ScheduleKeyDeletion.
    ScheduleDeletion,
    /// CancelKeyDeletion.
    CancelDeletion,
    /// CreateAlias, tagging, UpdateKeyDescription, and the new key of UpdateAlias.
    Describe,
    /// GetParametersForImport, ImportKeyMaterial and DeleteImportedKeyMaterial.
    Import,
}

impl KeyState {
    /// AWS's spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "Creating",
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingDeletion => "PendingDeletion",
            Self::PendingImport => "PendingImport",
            Self::PendingReplicaDeletion => "PendingReplicaDeletion",
            Self::Unavailable => "Unavailable",
            Self::Updating => "Updating",
        }
    }

    /// Lets an operation of `group` on the key of that ARN through, or returns why not.
    ///
    /// # Errors
    ///
    /// `DisabledException` or `KMSInvalidStateException`, with AWS's text.
    pub fn check(self, group: Group, key_arn: &str) -> Result<(), KmsError> {
        if group == Group::CancelDeletion {
            return match self {
                Self::PendingDeletion | Self::PendingReplicaDeletion => Ok(()),
                _ => Err(invalid(format!("{key_arn} is not pending deletion."))),
            };
        }
        if ROWS
            .iter()
            .any(|(row, states)| *row == group && states.contains(&self))
        {
            return Ok(());
        }
        let text = format!("{key_arn} is {}.", self.words());
        match self {
            Self::Disabled => Err(KmsError::new(Code::DisabledException, text)),
            _ => Err(invalid(text)),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "pending deletion",
            Self::PendingImport => "pending import",
            Self::PendingReplicaDeletion => "pending replica deletion",
            Self::Unavailable => "unavailable",
            Self::Updating => "updating",
        }
    }
}

fn invalid(text: String) -> KmsError {
    KmsError::new(Code::KmsInvalidStateException, text)
}

use KeyState::Creating;
use KeyState::Disabled;
use KeyState::Enabled;
use KeyState::PendingImport;
use KeyState::Unavailable;
use KeyState::Updating;

/// For each group the states that let it through. CancelDeletion, which is the other way round, has
/// its own rule.
const ROWS: [(Group, &[KeyState]); 7] = [
    (Group::Use, &[Enabled, Updating]),
    (Group::CreateGrant, &[Enabled, Updating, Unavailable]),
    (Group::Switch, &[Enabled, Disabled, Unavailable]),
    (Group::Rotation, &[Enabled, Updating]),
    (
        Group::ScheduleDeletion,
        &[Enabled, Disabled, PendingImport, Unavailable, Creating],
    ),
    (
        Group::Describe,
        &[
            Enabled,
            Disabled,
            PendingImport,
            Unavailable,
            Creating,
            Updating,
        ],
    ),
    (Group::Import, &[Enabled, Disabled, PendingImport, Updating]),
];

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:kms:us-east-1:111122223333:key/k";

    fn answer(state: KeyState, group: Group) -> String {
        state
            .check(group, ARN)
            .map_or_else(|error| error.to_string(), |()| "ok".to_owned())
    }

    #[test]
    fn cryptography_needs_an_enabled_key() {
        let of = |state| answer(state, Group::Use);
        assert_eq!(of(Enabled), "ok");
        assert_eq!(of(Updating), "ok");
        assert_eq!(
            of(Disabled),
            format!("DisabledException: {ARN} is disabled.")
        );
        assert_eq!(
            of(KeyState::PendingDeletion),
            format!("KMSInvalidStateException: {ARN} is pending deletion.")
        );
        assert_eq!(
            of(PendingImport),
            format!("KMSInvalidStateException: {ARN} is pending import.")
        );
        assert_eq!(
            of(Unavailable),
            format!("KMSInvalidStateException: {ARN} is unavailable.")
        );
        assert_eq!(
            of(Creating),
            format!("KMSInvalidStateException: {ARN} is creating.")
        );
    }

    #[test]
    fn a_key_pending_deletion_can_only_be_rescued() {
        for group in [
            Group::Use,
            Group::CreateGrant,
            Group::Switch,
            Group::Rotation,
            Group::ScheduleDeletion,
            Group::Describe,
            Group::Import,
        ] {
            let expected = format!("KMSInvalidStateException: {ARN} is pending deletion.");
            assert_eq!(
                answer(KeyState::PendingDeletion, group),
                expected,
                "{group:?}"
            );
        }
        assert_eq!(
            answer(KeyState::PendingDeletion, Group::CancelDeletion),
            "ok"
        );
    }

    #[test]
    fn only_a_key_pending_deletion_can_be_rescued() {
        for state in [
            Creating,
            Enabled,
            Disabled,
            PendingImport,
            Unavailable,
            Updating,
        ] {
            let expected = format!("KMSInvalidStateException: {ARN} is not pending deletion.");
            assert_eq!(answer(state, Group::CancelDeletion), expected);
        }
    }

    #[test]
    fn a_disabled_key_can_be_changed_but_not_used() {
        for group in [
            Group::Switch,
            Group::ScheduleDeletion,
            Group::Describe,
            Group::Import,
        ] {
            assert_eq!(answer(Disabled, group), "ok", "{group:?}");
        }
        for group in [Group::Use, Group::CreateGrant, Group::Rotation] {
            let expected = format!("DisabledException: {ARN} is disabled.");
            assert_eq!(answer(Disabled, group), expected, "{group:?}");
        }
    }

    #[test]
    fn a_key_that_is_updating_can_be_used_but_not_switched_or_deleted() {
        for group in [Group::Use, Group::CreateGrant, Group::Describe] {
            assert_eq!(answer(Updating, group), "ok", "{group:?}");
        }
        for group in [Group::Switch, Group::ScheduleDeletion] {
            let expected = format!("KMSInvalidStateException: {ARN} is updating.");
            assert_eq!(answer(Updating, group), expected, "{group:?}");
        }
    }
}
