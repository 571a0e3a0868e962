//! What may be wrong with a policy document.

/// What is wrong with a policy document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}{}", place(*statement))]
pub struct PolicyError {
    /// The statement the fault is in, counted from 0; `None` for one outside all statements.
    pub statement: Option<usize>,
    /// What is wrong. Its text is S3's wherever S3 documents one; the fields contain what the text does not.
    pub fault: PolicyFault,
}

fn place(statement: Option<usize>) -> String {
    statement.map_or_else(String::new, |position| {
        format!(" (statement {})", position + 1)
    })
}

/// What is wrong with a policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Not JSON, or no object.
    #[error("Policies must be valid JSON and the first byte must be '{{'")]
    Json {
        /// Where, counted from 1.
        line: usize,
        /// Where in the line, counted from 1.
        column: usize,
    },
    /// An object has two members of one name.
    #[error("Duplicate policy element {name}")]
    Repeated {
        /// The name.
        name: String,
    },
    /// An element the language does not have, or not in this place.
    #[error("Unknown policy element {name}")]
    UnknownElement {
        /// The element.
        name: String,
    },
    /// `Version` is not one of the two.
    #[error("The policy must contain a valid version string")]
    Version,
    /// `Statement` is an empty list.
    #[error("Could not parse the policy: Statement is empty!")]
    NoStatement,
    /// An element is missing.
    #[error("Missing required field {element}")]
    Missing {
        /// The element.
        element: &'static str,
    },
    /// An element and its `Not…` form stand side by side.
    #[error("Statement has both {element} and {not_element}")]
    Both {
        /// The element.
        element: &'static str,
        /// Its `Not…` form.
        not_element: &'static str,
    },
    /// An element's value is of the wrong kind: a number for a text, an empty list.
    #[error("Invalid policy syntax.")]
    Syntax {
        /// The element.
        element: &'static str,
    },
    /// `Effect` is neither `Allow` nor `Deny`.
    #[error("Invalid effect: {effect}")]
    Effect {
        /// The effect.
        effect: String,
    },
    /// A principal that cannot be: an ARN of no principal, part of a name wild.
    #[error("Invalid principal in policy")]
    Principal {
        /// The principal, or its kind.
        principal: String,
    },
    /// A statement of an identity's policy names principals.
    #[error("Policy document should not specify a principal.")]
    UnexpectedPrincipal,
    /// A statement of a role's trust policy names resources.
    #[error("Has prohibited field Resource")]
    UnexpectedResource,
    /// `NotPrincipal` stands beside `Allow`, which would allow everyone else.
    #[error("NotPrincipal must be used with Effect Deny")]
    AllowNotPrincipal,
    /// Neither `*` nor `service:Action`.
    #[error("Policy has invalid action")]
    Action {
        /// The action.
        action: String,
    },
    /// Neither `*` nor an ARN.
    #[error("Policy has invalid resource")]
    Resource {
        /// The resource.
        resource: String,
    },
    /// A condition operator that does not exist.
    #[error("Invalid Condition type : {operator}")]
    Operator {
        /// The operator.
        operator: String,
    },
    /// A condition key without its service.
    #[error("Policy has an invalid condition key")]
    ConditionKey {
        /// The key.
        key: String,
    },
    /// A condition's value that its operator cannot compare, or none at all.
    #[error("Invalid value \"{value}\" for condition key {key}")]
    ConditionValue {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}
