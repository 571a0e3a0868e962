//! The XML of answers and errors.

use proto::session::SessionCredentials;
use proto::time::Timestamp;
use serde::Serialize;

/// The result of an operation. Its name is that of the element around it.
#[derive(Serialize)]
pub(crate) enum Answer {
    #[serde(rename = "AssumeRoleResult")]
    AssumeRole(AssumedRole),
    #[serde(rename = "GetCallerIdentityResult")]
    GetCallerIdentity(CallerIdentity),
    #[serde(rename = "GetFederationTokenResult")]
    GetFederationToken(FederationToken),
    #[serde(rename = "GetSessionTokenResult")]
    GetSessionToken(SessionToken),
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AssumedRole {
    pub(crate) credentials: Credentials,
    pub(crate) assumed_role_user: AssumedRoleUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AssumedRoleUser {
    pub(crate) assumed_role_id: String,
    pub(crate) arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CallerIdentity {
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) account: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FederationToken {
    pub(crate) credentials: Credentials,
    pub(crate) federated_user: FederatedUser,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) packed_policy_size: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FederatedUser {
    pub(crate) federated_user_id: String,
    pub(crate) arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SessionToken {
    pub(crate) credentials: Credentials,
}

/// Temporary credentials. Has no `Debug`: whoever reads it can use them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    expiration: String,
}

impl Credentials {
    /// What the audit trail has of them.
    pub(crate) fn recorded(&self) -> serde_json::Value {
        serde_json::json!({ "accessKeyId": self.access_key_id, "expiration": self.expiration })
    }

    pub(crate) fn new(credentials: &SessionCredentials, expires: Timestamp) -> Self {
        Self {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.expose().to_owned(),
            session_token: credentials.token.expose().to_owned(),
            expiration: expires.iso8601(),
        }
    }
}

#[derive(Serialize)]
struct Response<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "$value")]
    result: &'a Answer,
    #[serde(rename = "ResponseMetadata")]
    metadata: Metadata<'a>,
}

#[derive(Serialize)]
struct Metadata<'a> {
    #[serde(rename = "RequestId")]
    request_id: &'a str,
}

impl Answer {
    /// The whole answer.
    pub(crate) fn to_xml(&self, request_id: &str) -> String {
        let name = match self {
            Self::AssumeRole(_) => "AssumeRoleResponse",
            Self::GetCallerIdentity(_) => "GetCallerIdentityResponse",
            Self::GetFederationToken(_) => "GetFederationTokenResponse",
            Self::GetSessionToken(_) => "GetSessionTokenResponse",
        };
        let response = Response {
            namespace: NAMESPACE,
            result: self,
            metadata: Metadata { request_id },
        };
        write(name, &response)
    }
}

#[derive(Serialize)]
struct ErrorResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    #[serde(rename = "Error")]
    error: Failure<'a>,
    #[serde(rename = "RequestId")]
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Failure<'a> {
    r#type: &'static str,
    code: &'a str,
    message: &'a str,
}

/// An error.
pub(crate) fn error(status: u16, code: &str, message: &str, request_id: &str) -> String {
    let response = ErrorResponse {
        namespace: NAMESPACE,
        error: Failure {
            r#type: if status >= 500 { "Receiver" } else { "Sender" },
            code,
            message,
        },
        request_id,
    };
    write("ErrorResponse", &response)
}

fn write(root: &str, value: &impl Serialize) -> String {
    quick_xml::se::to_string_with_root(root, value).expect("elements with fixed names and texts")
}

/// STS's XML namespace.
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
