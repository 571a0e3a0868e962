//! Where a vault is: its account, Region and name, as ARNs and as names in the state bucket.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proto::identity::AccountId;
use proto::identity::partition;

use crate::chunks::random::Random;
use crate::vault::error::VaultError;

/// The name of a vault: 1 to 255 of `[A-Za-z0-9_.-]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultName(String);

impl VaultName {
    /// The name, if it is one.
    pub(crate) fn parse(text: &str) -> Result<Self, VaultError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        match (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(VaultError::invalid(format!("Invalid vault name: {text}"))),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The vaults of one account in one Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultOwner {
    pub(crate) account: AccountId,
    pub(crate) region: String,
}

impl VaultOwner {
    /// The start of the names of their records.
    pub(crate) fn record_prefix(&self) -> String {
        format!("vaults/{}/{}/", self.account, self.region)
    }

    /// The ARN of the vault of this name.
    pub(crate) fn arn(&self, name: &VaultName) -> String {
        let (region, account) = (&self.region, &self.account);
        let partition = partition(region);
        format!(
            "arn:{partition}:glacier:{region}:{account}:vaults/{}",
            name.0
        )
    }
}

/// One vault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VaultPlace {
    pub(crate) owner: VaultOwner,
    pub(crate) name: VaultName,
}

impl VaultPlace {
    /// The vault whose record has this name.
    pub(crate) fn from_record_name(owner: &VaultOwner, record: &str) -> Option<Self> {
        let name = record.strip_prefix(&owner.record_prefix())?;
        let name = name.strip_prefix(DOTS).unwrap_or(name);
        Some(Self {
            owner: owner.clone(),
            name: VaultName::parse(name).ok()?,
        })
    }

    /// Its ARN.
    pub(crate) fn arn(&self) -> String {
        self.owner.arn(&self.name)
    }

    /// The path in `Location` headers.
    pub(crate) fn location(&self) -> String {
        format!("/{}/vaults/{}", self.owner.account, self.name.0)
    }

    /// The name of its record. Backends on file systems have no key with a segment of dots alone.
    pub(crate) fn record_name(&self) -> String {
        let mark = match self.name.as_str() {
            "." | ".." => DOTS,
            _ => "",
        };
        format!("{}{mark}{}", self.owner.record_prefix(), self.name.0)
    }
}

/// The names of what belongs to one incarnation of a vault: after a deletion another one begins, and finds
/// nothing of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents<'a>(pub(crate) &'a str);

impl Contents<'_> {
    /// The start of all names.
    pub(crate) fn all(self) -> String {
        format!("vault-contents/{}/", self.0)
    }

    /// The record of an archive; of none, the start of their names.
    pub(crate) fn archive(self, id: &str) -> String {
        format!("{}archives/{id}", self.all())
    }

    /// The record of a job; of none, the start of their names.
    pub(crate) fn job(self, id: &str) -> String {
        format!("{}jobs/{id}", self.all())
    }

    /// The record of an upload; of none, the start of their names.
    pub(crate) fn upload(self, id: &str) -> String {
        format!("{}uploads/{id}", self.all())
    }

    /// The record of a part of an upload, by the place of its first byte.
    pub(crate) fn part(self, upload: &str, first: u64) -> String {
        format!("{}{first:016}", self.parts(upload))
    }

    /// The start of the names of an upload's parts.
    pub(crate) fn parts(self, upload: &str) -> String {
        format!("{}parts/{upload}/", self.all())
    }

    /// The start of the names of content that is written and removed together.
    pub(crate) fn folder(self, folder: &str) -> String {
        format!("{}content/{folder}/", self.all())
    }
}

/// A random id of so many characters of `[A-Za-z0-9_-]`, the first of them a letter.
pub(crate) fn random_id(random: &dyn Random, chars: usize) -> String {
    let mut bytes = vec![0; chars];
    random.fill(&mut bytes);
    // Six bits make a character, and a letter when the first is 0. The AWS CLI takes a word that begins with
    // a hyphen for an option of its own (`--job-id -abc`: "expected one argument").
    if let Some(first) = bytes.first_mut() {
        *first &= 0x7f;
    }
    let mut id = URL_SAFE_NO_PAD.encode(bytes);
    id.truncate(chars);
    id
}

/// Whether a text may be an id, so that it can stand in a name.
pub(crate) fn is_id(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_allowed)
}

/// Longest name of a vault.
const NAME_CHARS_MAX: usize = 255;

/// Longer than every id that is given out here.
const ID_CHARS_MAX: usize = 160;

/// Characters of the id of an archive, as AWS's have.
pub(crate) const ARCHIVE_ID_CHARS: usize = 138;

/// Characters of the id of a job or an upload, as AWS's have.
pub(crate) const JOB_ID_CHARS: usize = 92;

/// Characters of the id of a lock, as AWS's have.
pub(crate) const LOCK_ID_CHARS: usize = 24;

/// Before names of dots alone; no character of a name.
const DOTS: &str = "=";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::random::SystemRandom;

    fn place(name: &str) -> VaultPlace {
        VaultPlace {
            owner: VaultOwner {
                account: "111122223333".parse().unwrap(),
                region: "us-east-1".to_owned(),
            },
            name: VaultName::parse(name).unwrap(),
        }
    }

    #[test]
    fn a_vault_is_found_again_by_the_name_of_its_record() {
        for name in ["a", ".", "..", "...", "a.b", "-", &"v".repeat(255)] {
            let place = place(name);
            let record = place.record_name();
            assert!(record.split('/').all(|it| it != "." && it != ".."));
            let found = VaultPlace::from_record_name(&place.owner, &record);
            assert_eq!(found, Some(place));
        }
    }

    #[test]
    fn a_name_of_other_characters_or_none_is_refused() {
        for name in ["", "a/b", "a b", "ä", "=..", &"v".repeat(256)] {
            assert!(VaultName::parse(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_arn_names_region_account_and_vault() {
        let arn = "arn:aws:glacier:us-east-1:111122223333:vaults/v";
        assert_eq!(place("v").arn(), arn);
    }

    #[test]
    fn no_id_begins_with_a_hyphen_which_the_aws_cli_takes_for_an_option() {
        struct Same(u8);
        impl Random for Same {
            fn fill(&self, out: &mut [u8]) {
                out.fill(self.0);
            }
        }
        for byte in 0..=u8::MAX {
            let id = random_id(&Same(byte), JOB_ID_CHARS);
            assert!(
                id.starts_with(|first: char| first.is_ascii_alphabetic()),
                "{id}"
            );
        }
    }

    #[test]
    fn ids_have_their_length_and_can_stand_in_names() {
        for chars in [ARCHIVE_ID_CHARS, JOB_ID_CHARS, LOCK_ID_CHARS] {
            let id = random_id(&SystemRandom, chars);
            assert_eq!(id.len(), chars);
            assert!(is_id(&id));
        }
        for text in ["", "a/b", "..", "a.b", &"x".repeat(161)] {
            assert!(!is_id(text), "{text}");
        }
    }
}
