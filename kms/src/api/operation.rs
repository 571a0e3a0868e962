//! The closed set of operations: their requests and answers, and both as AWS JSON.

use std::fmt;

use proto::kms::v1;
use serde::Deserialize;
use serde::Serialize;

use crate::api::table::operations;
use crate::error::Code;
use crate::error::KmsError;

macro_rules! make {
    ($($name:ident $method:ident ($request:ident) -> $answer:ident, $kind:ident $keys:ident;)+) => {
        /// AWS's name of an operation.
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[allow(missing_docs, reason = "each is documented by AWS under its name")]
        pub enum OperationName {
            $($name,)+
        }

        impl OperationName {
            /// Every operation this KMS offers.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// AWS's spelling.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The operation of that name; AWS's spelling only.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($name) => Some(Self::$name),)+
                    _ => None,
                }
            }

            /// Whether the operation is for keys of other accounts, too, if their policies allow it.
            #[must_use]
            pub const fn is_for_any_account(self) -> bool {
                match self {
                    $(Self::$name => is_any!($keys),)+
                }
            }

            const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => kind!($kind),)+
                }
            }
        }

        /// A request for one operation.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented by AWS under its name")]
        pub enum Operation {
            $($name(v1::$request),)+
        }

        impl Operation {
            /// Which operation this is.
            #[must_use]
            pub const fn name(&self) -> OperationName {
                match self {
                    $(Self::$name(_) => OperationName::$name,)+
                }
            }

            /// Reads the body of an AWS JSON 1.1 request.
            ///
            /// # Errors
            ///
            /// `SerializationException` when the body is not JSON of the operation's shape.
            pub fn from_json(name: OperationName, body: &[u8]) -> Result<Self, KmsError> {
                let body = if body.is_empty() { b"{}" } else { body };
                // Else serde would read a list as a message's members in their order.
                if body.trim_ascii_start().first() != Some(&b'{') {
                    return Err(not_awss_json(1, 1));
                }
                match name {
                    $(OperationName::$name => serde_json::from_slice(body).map(Self::$name),)+
                }
                .map_err(|error| not_awss_json(error.line(), error.column()))
            }

            /// The request by AWS's member names, to be looked at and never shown: it may hold
            /// secrets.
            pub(crate) fn to_value(&self) -> serde_json::Value {
                match self {
                    $(Self::$name(request) => serde_json::to_value(request),)+
                }
                .unwrap_or_default()
            }
        }

        /// The answer of one operation.
        #[derive(Clone, Debug, PartialEq)]
        #[allow(missing_docs, reason = "each is documented by AWS under its name")]
        pub enum Answer {
            $($name(v1::$answer),)+
        }

        impl Answer {
            /// The operation this answers.
            #[must_use]
            pub const fn name(&self) -> OperationName {
                match self {
                    $(Self::$name(_) => OperationName::$name,)+
                }
            }

            /// The body of the AWS JSON 1.1 answer: nothing at all for an answer without members.
            #[must_use]
            pub fn to_json(&self) -> Vec<u8> {
                let body = match self {
                    $(Self::$name(answer) => serde_json::to_vec(answer),)+
                }
                .expect("an answer has only names for keys and finite numbers");
                if body == b"{}" { Vec::new() } else { body }
            }
        }
    };
}

macro_rules! kind {
    (use) => {
        Kind::Use
    };
    (read) => {
        Kind::Read
    };
    (write) => {
        Kind::Write
    };
    (heavy) => {
        Kind::Heavy
    };
}

macro_rules! is_any {
    (any) => {
        true
    };
    (own) => {
        false
    };
}

#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "not every kind need have an operation")]
enum Kind {
    Use,
    Read,
    Write,
    Heavy,
}

operations!(make);

impl OperationName {
    /// Whether the operation changes nothing, as the audit trail records it.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        self.kind() != Kind::Write
    }

    /// Whether the operation's answer holds nothing secret and nothing random.
    #[must_use]
    pub fn is_compressible(self) -> bool {
        matches!(self.kind(), Kind::Read | Kind::Write)
    }

    /// Whether the operation may take milliseconds, waiting for the disk or making large keys, and
    /// so must not run on a thread that serves connections.
    #[must_use]
    pub fn is_slow(self) -> bool {
        matches!(self.kind(), Kind::Write | Kind::Heavy)
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// It names the place of the mistake and not the text around it, which may be a secret.
fn not_awss_json(line: usize, column: usize) -> KmsError {
    let text =
        format!("The request is not of the operation's shape at line {line} column {column}");
    KmsError::new(Code::SerializationException, text)
}
