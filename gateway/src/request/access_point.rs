//! Access points as requests name them: the one that a request goes through, and the paths of S3 Control.

/// The access point that a request goes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessPointAddress {
    /// Its ARN.
    pub arn: String,
    /// Its alias, which stands where a bucket's name does.
    pub alias: String,
}

/// What a path of S3 Control names.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_AWS_S3_Control.html>
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlPath {
    /// `/v20180820/accesspoint`: all access points of the account.
    AccessPoints,
    /// `/v20180820/accesspoint/NAME`.
    AccessPoint(String),
    /// `/v20180820/accesspoint/NAME/policy`.
    Policy(String),
    /// `/v20180820/accesspoint/NAME/policyStatus`.
    PolicyStatus(String),
    /// `/v20180820/accesspoint/NAME/scope`.
    Scope(String),
    /// `/v20180820/configuration/publicAccessBlock`: the block of the account.
    PublicAccessBlock,
    /// `/v20180820/tags/ARN`.
    Tags(String),
    /// `/v20180820/accesspointforobjectlambda`: all Object Lambda access points of the account.
    LambdaAccessPoints,
    /// `/v20180820/accesspointforobjectlambda/NAME`.
    LambdaAccessPoint(String),
    /// `/v20180820/accesspointforobjectlambda/NAME/configuration`.
    LambdaConfiguration(String),
    /// `/v20180820/accesspointforobjectlambda/NAME/policy`.
    LambdaPolicy(String),
    /// `/v20180820/accesspointforobjectlambda/NAME/policyStatus`.
    LambdaPolicyStatus(String),
    /// `/WriteGetObjectResponse`, not of S3 Control: where functions send their answers.
    FunctionAnswer,
    /// Any other: what the gateway does not have.
    Other,
}

impl ControlPath {
    /// The path after the version of the API, decoded.
    #[must_use]
    pub fn parse(path: &str) -> Self {
        if let Some(arn) = path.strip_prefix("tags/") {
            return Self::Tags(arn.to_owned());
        }
        let parts: Vec<&str> = path.split('/').collect();
        match parts.as_slice() {
            ["accesspoint"] => Self::AccessPoints,
            ["accesspoint", name] => Self::AccessPoint((*name).to_owned()),
            ["accesspoint", name, "policy"] => Self::Policy((*name).to_owned()),
            ["accesspoint", name, "policyStatus"] => Self::PolicyStatus((*name).to_owned()),
            ["accesspoint", name, "scope"] => Self::Scope((*name).to_owned()),
            ["configuration", "publicAccessBlock"] => Self::PublicAccessBlock,
            [LAMBDA] => Self::LambdaAccessPoints,
            [LAMBDA, name] => Self::LambdaAccessPoint((*name).to_owned()),
            [LAMBDA, name, "configuration"] => Self::LambdaConfiguration((*name).to_owned()),
            [LAMBDA, name, "policy"] => Self::LambdaPolicy((*name).to_owned()),
            [LAMBDA, name, "policyStatus"] => Self::LambdaPolicyStatus((*name).to_owned()),
            _ => Self::Other,
        }
    }

    /// The name of the access point.
    #[must_use]
    pub fn access_point(&self) -> Option<&str> {
        match self {
            Self::AccessPoint(name)
            | Self::Policy(name)
            | Self::PolicyStatus(name)
            | Self::Scope(name)
            | Self::LambdaAccessPoint(name)
            | Self::LambdaConfiguration(name)
            | Self::LambdaPolicy(name)
            | Self::LambdaPolicyStatus(name) => Some(name),
            Self::AccessPoints
            | Self::PublicAccessBlock
            | Self::Tags(_)
            | Self::LambdaAccessPoints
            | Self::FunctionAnswer
            | Self::Other => None,
        }
    }
}

const LAMBDA: &str = "accesspointforobjectlambda";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_thing() {
        for (path, expected) in [
            ("accesspoint", ControlPath::AccessPoints),
            ("accesspoint/a", ControlPath::AccessPoint("a".to_owned())),
            ("accesspoint/a/policy", ControlPath::Policy("a".to_owned())),
            ("accesspoint/a/policy/b", ControlPath::Other),
            ("tags/arn:a/b", ControlPath::Tags("arn:a/b".to_owned())),
            ("jobs", ControlPath::Other),
            ("", ControlPath::Other),
        ] {
            assert_eq!(ControlPath::parse(path), expected, "{path}");
        }
    }
}
