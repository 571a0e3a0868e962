//! What in a configuration cannot work, found before a port is bound.

use std::net::IpAddr;

use crate::authenticate::User;
use crate::backend::Backend;
use crate::backend::credentials::BackendCredentials;
use crate::backend::credentials::CredentialsError;
use crate::config::Config;
use crate::keys::kms::endpoint::GrpcEndpoint;

impl Config {
    /// Finds what cannot work.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for the first such thing.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (at, user) in self.users.iter().enumerate() {
            self.check_user(user, at)?;
        }
        self.listen.check(&self.trusted_proxies)?;
        self.check_names()?;
        self.check_numbers()?;
        self.check_backend()?;
        self.check_kms()?;
        self.object_lambda
            .check()
            .map_err(|(field, what)| ConfigError::Part(field, what))
    }

    /// Checks the names of hosts and buckets.
    fn check_names(&self) -> Result<(), ConfigError> {
        for (at, name) in self.base_domains.iter().enumerate() {
            if !is_host_name(name) {
                let what =
                    format!("`{name}` is no name such as s3.example.com, without scheme and port");
                return Err(ConfigError::Part(format!("base_domains[{at}]"), what));
            }
        }
        if !is_bucket_name(&self.state.bucket) {
            return Err(ConfigError::Field("state.bucket", NO_BUCKET_NAME));
        }
        for (at, name) in self.objects.adopted_buckets.iter().enumerate() {
            if !is_bucket_name(name) {
                let field = format!("objects.adopted_buckets[{at}]");
                return Err(ConfigError::Part(
                    field,
                    format!("`{name}` {NO_BUCKET_NAME}"),
                ));
            }
        }
        Ok(())
    }

    /// Checks that something fits within each limit, and that something can be done within each time.
    fn check_numbers(&self) -> Result<(), ConfigError> {
        let limits = &self.limits;
        let no_room = "is 0, so no request could be served";
        let no_time = "is 0, so no request could be served in time";
        let numbers = [
            (
                "limits.connections_max",
                limits.connections_max as u64,
                no_room,
            ),
            (
                "limits.requests_in_flight_max",
                limits.requests_in_flight_max as u64,
                no_room,
            ),
            (
                "limits.handshake_timeout_ms",
                limits.handshake_timeout_ms,
                no_time,
            ),
            ("limits.head_timeout_ms", limits.head_timeout_ms, no_time),
            ("limits.idle_timeout_ms", limits.idle_timeout_ms, no_time),
            (
                "limits.write_stall_timeout_ms",
                limits.write_stall_timeout_ms,
                no_time,
            ),
            (
                "backend.connect_timeout_ms",
                self.backend.connect_timeout_ms,
                no_time,
            ),
            (
                "backend.stall_timeout_ms",
                self.backend.stall_timeout_ms,
                no_time,
            ),
            ("kms.call_timeout_ms", self.kms.call_timeout_ms, no_time),
            ("kms.total_timeout_ms", self.kms.total_timeout_ms, no_time),
            (
                "objects.listing.heads_max",
                self.objects.listing.heads_max as u64,
                "is 0, so no listing could be answered",
            ),
            (
                "access_logs.interval_seconds",
                self.access_logs.interval_seconds,
                "is 0: every request would be a log object",
            ),
            (
                "audit.queue_events_max",
                self.audit.queue_events_max as u64,
                "is 0: no event would be recorded",
            ),
        ];
        let zero = numbers.into_iter().find(|(_, number, _)| *number == 0);
        zero.map_or(Ok(()), |(field, _, what)| {
            Err(ConfigError::Field(field, what))
        })
    }

    fn check_backend(&self) -> Result<(), ConfigError> {
        if let Err(why) = Backend::check_url(&self.backend.url) {
            let what = format!(
                "`{}` is no URL such as http://127.0.0.1:9000: {why}",
                self.backend.url
            );
            return Err(ConfigError::Part("backend.url".to_owned(), what));
        }
        if self.backend.region.is_empty() {
            return Err(ConfigError::Field("backend.region", "is empty"));
        }
        check_given_once(&self.backend_credentials, BACKEND_CREDENTIALS)?;
        let files = (
            &self.backend.client_cert_file,
            &self.backend.client_key_file,
        );
        let (field, what) = match files {
            (Some(_), None) => (
                "backend.client_cert_file",
                "is set without backend.client_key_file",
            ),
            (None, Some(_)) => (
                "backend.client_key_file",
                "is set without backend.client_cert_file",
            ),
            (Some(_), Some(_)) if !self.backend.url.starts_with("https://") => (
                "backend.client_cert_file",
                "is never shown, because backend.url is no https://",
            ),
            _ => return Ok(()),
        };
        Err(ConfigError::Field(field, what))
    }

    fn check_kms(&self) -> Result<(), ConfigError> {
        let kms = &self.kms;
        if kms.root_key.is_empty() {
            let what = "is empty: it names the KMS key that wraps the root keys of SSE-S3";
            return Err(ConfigError::Field("kms.root_key", what));
        }
        if kms.client_cert_file.is_some() != kms.client_key_file.is_some() {
            let (field, what) = match kms.client_cert_file {
                Some(_) => ("kms.client_cert_file", "is set without kms.client_key_file"),
                None => ("kms.client_key_file", "is set without kms.client_cert_file"),
            };
            return Err(ConfigError::Field(field, what));
        }
        let has_scheme =
            ["grpc://", "grpcs://", "aws://", "aws+http://"].map(|it| kms.url.starts_with(it));
        if !has_scheme.contains(&true) {
            let what = format!(
                "`{}` begins with none of grpc://, grpcs://, aws:// and aws+http://",
                kms.url
            );
            return Err(ConfigError::Part("kms.url".to_owned(), what));
        }
        if kms.url.starts_with("grpc") {
            return self.check_grpc();
        }
        check_credentials(
            &kms.credentials,
            [
                "kms.credentials.access_key_id",
                "kms.credentials.secret_access_key",
            ],
        )
    }

    /// Checks that the address of the KMS is one, and that nothing leaves the machine in clear.
    fn check_grpc(&self) -> Result<(), ConfigError> {
        let url = &self.kms.url;
        let Ok(endpoint) = GrpcEndpoint::parse(url) else {
            let what = format!("`{url}` is not of the form grpc://host:port or grpcs://host:port");
            return Err(ConfigError::Part("kms.url".to_owned(), what));
        };
        if !endpoint.is_private() && !self.kms.allow_plain {
            let what = "leaves the machine in clear: use grpcs://, or set kms.allow_plain";
            return Err(ConfigError::Field("kms.url", what));
        }
        Ok(())
    }

    /// Checks that there are credentials for the backend, which may come from elsewhere than the file.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for credentials that are empty.
    pub fn check_backend_credentials(&self) -> Result<(), ConfigError> {
        check_credentials(&self.backend_credentials, BACKEND_CREDENTIALS)
    }

    /// Checks one user.
    fn check_user(&self, user: &User, at: usize) -> Result<(), ConfigError> {
        let refuse = |field: &str, what: &str| {
            Err(ConfigError::Part(
                format!("users[{at}].{field}"),
                what.to_owned(),
            ))
        };
        let id = &user.access_key_id;
        let is_in_id = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        if id.is_empty() || !id.bytes().all(is_in_id) {
            return refuse(
                "access_key_id",
                "is no access key id: letters, digits, `-`, `_` and `.`",
            );
        }
        let arn = user.principal_arn.as_ref();
        if arn.is_some_and(|arn| arn.account() != user.account) {
            return refuse("principal_arn", "is of another account than `account`");
        }
        if user.secret_access_key.expose().len() < USER_SECRET_BYTES_MIN {
            return refuse("secret_access_key", "is shorter than 8 characters");
        }
        let mut earlier = self.users.iter().take(at);
        if earlier.any(|other| other.access_key_id == *id) {
            return refuse("access_key_id", "is another user's already");
        }
        Ok(())
    }
}

/// Checks that no part of the credentials is given twice; `fields` are their names.
fn check_given_once(
    credentials: &BackendCredentials,
    fields: [&'static str; 2],
) -> Result<(), ConfigError> {
    let twice = [
        "and access_key_id_file are both set: set one of them",
        "and secret_access_key_file are both set: set one of them",
    ];
    let mut parts = fields.into_iter().zip(twice).zip(credentials.parts());
    let found = parts.find(|(_, (_, value, file))| !value.is_empty() && file.is_some());
    found.map_or(Ok(()), |((field, what), _)| {
        Err(ConfigError::Field(field, what))
    })
}

/// Checks that each part of the credentials is given, and once; `fields` are their names.
fn check_credentials(
    credentials: &BackendCredentials,
    fields: [&'static str; 2],
) -> Result<(), ConfigError> {
    check_given_once(credentials, fields)?;
    let missing = [
        "is empty, and access_key_id_file is not set: every request would be refused there",
        "is empty, and secret_access_key_file is not set: every request would be refused there",
    ];
    let mut parts = fields.into_iter().zip(missing).zip(credentials.parts());
    let found = parts.find(|(_, (_, value, file))| value.trim().is_empty() && file.is_none());
    found.map_or(Ok(()), |((field, what), _)| {
        Err(ConfigError::Field(field, what))
    })
}

/// The fields of the backend's credentials.
const BACKEND_CREDENTIALS: [&str; 2] = [
    "backend_credentials.access_key_id",
    "backend_credentials.secret_access_key",
];

/// Whether a client may send this as its `Host`.
fn is_host_name(name: &str) -> bool {
    let is_within = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_name = !name.is_empty() && name.bytes().all(is_within) && !name.starts_with('.');
    is_name || name.parse::<IpAddr>().is_ok()
}

/// Whether S3 takes this as the name of a bucket.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn is_bucket_name(name: &str) -> bool {
    let is_end = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (3..=63).contains(&name.len())
        && name.starts_with(is_end)
        && name.ends_with(is_end)
        && name.chars().all(|c| is_end(c) || c == '.' || c == '-')
}

/// Why a configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Not TOML, or with unknown or wrong fields.
    #[error("{0}")]
    Syntax(String),

    /// A field that cannot work.
    #[error("{0} {1}")]
    Field(&'static str, &'static str),

    /// A field of a part, and what is wrong with it.
    #[error("{0}: {1}")]
    Part(String, String),
}

impl ConfigError {
    /// About the credentials in a table.
    pub(crate) fn credentials(table: &str, error: CredentialsError) -> Self {
        Self::Part(format!("{table}.{}", error.field), error.why)
    }

    /// The name of the field that it is about, such as `users[0].access_key_id`; empty for a document that is no
    /// configuration.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Syntax(_) => "",
            Self::Field(field, _) => field,
            Self::Part(field, _) => field,
        }
    }
}

/// What is wrong with a name that no bucket can have.
const NO_BUCKET_NAME: &str =
    "is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens";

/// The shortest secret of a user that is taken, in bytes.
const USER_SECRET_BYTES_MIN: usize = 8;
