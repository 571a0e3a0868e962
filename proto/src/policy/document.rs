//! A policy document, and what may be wrong with one.

use crate::policy::Statement;
use crate::policy::json::DUPLICATE;
use crate::policy::json::Json;

/// A policy that was read without a fault.
#[derive(Clone, Debug)]
pub struct Policy {
    id: Option<String>,
    statements: Vec<Statement>,
}

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A resource, such as a key or a bucket: every statement names principals.
    Resource,
    /// An identity or its session: no statement names principals.
    Identity,
}

impl Policy {
    /// Reads a policy document.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] naming the first fault and the statement it is in.
    pub fn parse(text: &str, kind: PolicyKind) -> Result<Self, PolicyError> {
        let whole = |fault| PolicyError {
            statement: None,
            fault,
        };
        let json: Json = serde_json::from_str(text).map_err(|error| whole(json_fault(&error)))?;
        let Json::Object(members) = json else {
            return Err(whole(PolicyFault::Json { line: 1, column: 1 }));
        };

        let (mut version, mut id, mut statement) = (VERSION_2008.to_owned(), None, None);
        for (name, value) in members {
            match (name.as_str(), value) {
                ("Version", Json::Text(text)) if VERSIONS.contains(&text.as_str()) => {
                    version = text
                }
                ("Version", _) => return Err(whole(PolicyFault::Version)),
                ("Id", Json::Text(text)) => id = Some(text),
                ("Id", _) => return Err(whole(PolicyFault::Syntax { element: "Id" })),
                ("Statement", value) => statement = Some(value),
                _ => return Err(whole(PolicyFault::UnknownElement { name })),
            }
        }
        let list = match statement {
            Some(Json::List(list)) => list,
            Some(one @ Json::Object(_)) => vec![one],
            Some(_) => {
                return Err(whole(PolicyFault::Syntax {
                    element: "Statement",
                }));
            }
            None => {
                return Err(whole(PolicyFault::Missing {
                    element: "Statement",
                }));
            }
        };
        if list.is_empty() {
            return Err(whole(PolicyFault::NoStatement));
        }
        let variables = version == VERSION_2012;
        let statements = list
            .iter()
            .enumerate()
            .map(|(position, value)| {
                let located = |fault| PolicyError {
                    statement: Some(position),
                    fault,
                };
                Statement::parse(value, kind, variables).map_err(located)
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { id, statements })
    }

    /// The name the policy's author gave it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The statements in their order; at least one.
    #[must_use]
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

fn json_fault(error: &serde_json::Error) -> PolicyFault {
    let text = error.to_string();
    match text.strip_prefix(DUPLICATE) {
        Some(rest) => {
            let name = rest.rsplit_once(" at line ").map_or(rest, |(name, _)| name);
            PolicyFault::Repeated {
                name: name.to_owned(),
            }
        }
        None => PolicyFault::Json {
            line: error.line(),
            column: error.column(),
        },
    }
}

/// What is wrong with a policy document, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}{}", place(*statement))]
pub struct PolicyError {
    /// The statement the fault is in, counted from 0; `None` for one outside all statements.
    pub statement: Option<usize>,
    /// What is wrong. Its text is S3's where S3's is known; the fields say what the text does not.
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

/// The version of a policy that names none; it has no variables.
const VERSION_2008: &str = "2008-10-17";

/// The version with variables.
const VERSION_2012: &str = "2012-10-17";

/// The versions of the language.
const VERSIONS: [&str; 2] = [VERSION_2008, VERSION_2012];
