//! The data: operations, actions, and which operation needs which action.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An operation as botocore models it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Method.
    pub method: String,
    /// Path and fixed query.
    pub uri: String,
    /// Query parameters that every request has.
    #[serde(default)]
    pub required_query: Vec<String>,
    /// Query parameters that a request may have.
    #[serde(default)]
    pub query: Vec<String>,
    /// Headers that every request has.
    #[serde(default)]
    pub required_headers: Vec<String>,
    /// Headers that a request may have.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Whether it takes a body.
    #[serde(default)]
    pub body: bool,
    /// Whether the body must come with a checksum.
    #[serde(default)]
    pub checksum: bool,
}

impl Operation {
    /// Its subresource: the first name of its fixed query; empty for none.
    pub fn subresource(&self) -> &str {
        let query = self.uri.split_once('?').map_or("", |(_, query)| query);
        query.split(['&', '=']).next().unwrap_or_default()
    }

    /// Whether every request has this header.
    pub fn has_header(&self, name: &str) -> bool {
        self.required_headers.iter().any(|header| header == name)
    }

    /// Whether a request may have this header.
    pub fn takes_header(&self, name: &str) -> bool {
        let mut taken = self.headers.iter().chain(&self.required_headers);
        taken.any(|header| header == name)
    }
}

/// An action of the service authorization reference.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Action {
    #[expect(dead_code, reason = "the file has it for its readers")]
    level: String,
    /// `bucket` or `object`, or both.
    pub resources: Vec<String>,
    /// Condition keys beside the common ones.
    #[serde(default)]
    pub keys: Vec<String>,
    #[expect(dead_code, reason = "the file has it for its readers")]
    #[serde(default)]
    lacks: Vec<String>,
}

/// The actions, and the condition keys that most of them share.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actions {
    /// Condition keys of most actions.
    pub common: Vec<String>,
    /// Names of actions on neither buckets nor objects.
    pub elsewhere: Vec<String>,
    /// By name.
    pub actions: BTreeMap<String, Action>,
}

/// Everything of `permissions.toml`.
#[derive(Deserialize)]
pub struct Permissions {
    /// What requests may have beside their least.
    pub variations: BTreeMap<String, Variation>,
    /// Actions that no operation needs, with the reason.
    pub unused: BTreeMap<String, String>,
    /// Actions that the reference's copy does not have yet, with their source.
    pub newer: BTreeMap<String, String>,
    /// Condition keys that the gateway does not judge, with the reason.
    pub unjudged: BTreeMap<String, String>,
    /// By the operation's name.
    #[serde(flatten)]
    pub operations: BTreeMap<String, Needs>,
}

/// What a request has beside its least.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variation {
    /// Headers, in place of those of the same name.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// The body, in place of the other.
    pub body: Option<String>,
}

/// What an operation needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// The body of its least request.
    #[serde(default)]
    pub body: String,
    /// Headers of its least request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whether it must come over TLS.
    #[serde(default)]
    pub tls: bool,
    /// The actions that the caller must be allowed.
    #[serde(default)]
    pub actions: Vec<Need>,
    /// Set where the gateway does not do it.
    pub refused: Option<Refusal>,
    /// Why no bucket's policy is consulted.
    pub without_policy: Option<String>,
    /// Why no policy allows it to callers of another account.
    pub owner_only: Option<String>,
}

/// How an operation is refused whoever calls it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Status.
    pub status: u16,
    /// S3's code.
    pub code: String,
    /// For the reader.
    pub reason: String,
    /// What happens today instead.
    pub failure: Option<String>,
}

/// One action that an operation needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// Without `s3:`.
    pub action: String,
    /// Names of variations.
    #[serde(default)]
    pub with: Vec<String>,
    /// Whose policy has the statement.
    #[serde(default)]
    pub on: On,
    /// The header that is missing instead of the whole answer.
    pub withholds: Option<String>,
    /// Whether the denial is in an answer of 200.
    #[serde(default)]
    pub in_body: bool,
    /// Why a denial changes nothing.
    pub ignored: Option<String>,
    /// What happens today instead.
    pub failure: Option<String>,
}

/// A bucket of a request.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum On {
    /// That of the path.
    #[default]
    Bucket,
    /// That of a copy's source.
    Source,
}

/// botocore's operations, by name.
pub fn operations() -> BTreeMap<String, Operation> {
    parse(include_str!("operations.toml"))
}

/// The service authorization reference.
pub fn actions() -> Actions {
    parse(include_str!("actions.toml"))
}

/// Which operation needs which action.
pub fn permissions() -> Permissions {
    parse(include_str!("permissions.toml"))
}

fn parse<T: DeserializeOwned>(text: &str) -> T {
    toml::from_str(text).unwrap()
}

#[test]
fn every_operation_of_the_model_has_its_permissions_or_a_reason_for_having_none() {
    let (operations, permissions) = (operations(), permissions());
    let listed: Vec<_> = permissions.operations.keys().collect();
    assert_eq!(listed, operations.keys().collect::<Vec<_>>());
    for (name, needs) in &permissions.operations {
        let has_reason = needs.refused.is_some() || needs.without_policy.is_some();
        assert!(has_reason || !needs.actions.is_empty(), "{name}");
        assert!(
            needs.body.is_empty() || operations[name].body,
            "{name} takes no body"
        );
    }
}

#[test]
fn every_action_of_the_reference_is_needed_by_an_operation_or_has_a_reason_not_to_be() {
    let (actions, permissions) = (actions(), permissions());
    let needed: Vec<_> = permissions
        .operations
        .values()
        .flat_map(|needs| &needs.actions)
        .map(|need| &need.action)
        .collect();
    for action in &needed {
        let newer = permissions.newer.contains_key(*action);
        assert_ne!(actions.actions.contains_key(*action), newer, "{action}");
    }
    for action in actions.actions.keys() {
        let unused = permissions.unused.contains_key(action);
        assert_ne!(needed.contains(&action), unused, "{action}");
    }
}
