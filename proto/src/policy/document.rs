//! A policy document.

use std::sync::Arc;

use crate::policy::fault::PolicyError;
use crate::policy::fault::PolicyFault;
use crate::policy::json::DUPLICATE;
use crate::policy::json::Json;
use crate::policy::statement::PolicyKind;
use crate::policy::statement::Statement;

/// A policy that was read without a fault. A clone costs next to nothing.
#[derive(Clone, Debug)]
pub struct Policy {
    id: Option<Arc<str>>,
    statements: Arc<[Statement]>,
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
                ("Id", Json::Text(text)) => id = Some(text.into()),
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
                Statement::parse(value, position, kind, variables).map_err(located)
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

    /// Whether a decision may depend on the condition keys of a request: a statement has conditions, or variables in
    /// what it names. Without, an empty [`Context`](crate::policy::Context) decides the same.
    #[must_use]
    pub fn reads_context(&self) -> bool {
        self.statements.iter().any(Statement::reads_context)
    }

    /// The same statements, for what outlives a borrow of the policy.
    pub(crate) fn shared_statements(&self) -> Arc<[Statement]> {
        Arc::clone(&self.statements)
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

/// The version of a policy that names none; it has no variables.
const VERSION_2008: &str = "2008-10-17";

/// The version with variables.
const VERSION_2012: &str = "2012-10-17";

/// The versions of the language.
const VERSIONS: [&str; 2] = [VERSION_2008, VERSION_2012];
