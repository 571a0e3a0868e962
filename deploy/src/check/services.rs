//! The configurations of both services: what [`check`](kms::config::Config::check) refuses, what their files are, and
//! what they leave open.

use kms::regions::Regions;

use crate::check::findings::OfService;
use crate::check::named_files;
use crate::environment;
use crate::process;
use crate::single;

/// Checks the configuration of a KMS, alone or as that of `up`.
pub(super) fn kms(found: &mut OfService<'_>, config: &kms::config::Config, is_alone: bool) {
    let mut checked = config.clone();
    if is_alone && let Err(error) = single::complete_kms(&mut checked, environment::variable) {
        found.error("", &process::sentence(&error));
    }
    if !is_alone {
        // `up` makes them.
        checked
            .admin
            .token
            .get_or_insert_with(|| proto::identity::Secret::new("made by up"));
        if checked.store.root_key.is_none() {
            checked.store.root_key_file.get_or_insert_default();
        }
    }
    if let Err(error) = checked.check() {
        found.error(error.field(), &error.to_string());
    }
    if let Some(tls) = &config.tls {
        let certificate = ("tls.certificate_file", tls.certificate_file.as_path());
        named_files::pair(found, certificate, ("tls.key_file", &tls.key_file));
        named_files::authorities(found, "tls.client_ca_file", tls.client_ca_file.as_ref());
    }
    if let Some(file) = &config.authenticate.credentials_file {
        named_files::users(found, "authenticate.credentials_file", file);
    }
    // Not that it is private: what a variable names, an orchestrator has mounted.
    if let Some(file) = &checked.authenticate.service_secret_file {
        named_files::service_secret(found, SERVICE_SECRET_FILE, file);
    }
    if let Some(file) = &config.authenticate.service_secret_file {
        named_files::private(found, (SERVICE_SECRET_FILE, file));
    }
    kms_store(found, &config.store);
    if let Some(file) = &config.audit.file {
        named_files::folder_of(found, "audit.file", file);
    }
    for opening in config.openings() {
        let field = match opening.contains("signatures") {
            true => "authenticate.signatures",
            false => "enforce",
        };
        found.warning(field, opening);
    }
    if config.authenticate.plain_tokens {
        let what =
            "authenticate.plain_tokens: tokens and the secret may cross the network in clear";
        found.warning("authenticate.plain_tokens", what);
    }
    if !config.admin.listen.ip().is_loopback() {
        let what = "admin.listen is beyond loopback: its token crosses the network in clear";
        found.warning("admin.listen", what);
    }
}

/// Of the KMS.
const SERVICE_SECRET_FILE: &str = "authenticate.service_secret_file";

fn kms_store(found: &mut OfService<'_>, store: &kms::config::Store) {
    let Some(file) = &store.file else {
        if found.sets("store") {
            found.warning(
                "store",
                "store.file is not set: keys are in memory, and lost at the end",
            );
        }
        return;
    };
    named_files::folder_of(found, "store.file", file);
    let Some(key) = &store.root_key_file else {
        return;
    };
    if file.exists() || key.exists() {
        named_files::secret(found, "store.root_key_file", key);
    } else {
        named_files::folder_of(found, "store.root_key_file", key);
    }
    let is_beside = file.parent() == key.parent();
    if is_beside && found.sets("store.root_key_file") {
        let what = "store.root_key_file is beside the store: a backup of the folder opens all keys";
        found.warning("store.root_key_file", what);
    }
}

/// Checks the configuration of a gateway, alone or as that of `up`, which sets its users, its certificate and the ways
/// to backend and KMS.
pub(super) fn gateway(found: &mut OfService<'_>, config: &gateway::config::Config, is_alone: bool) {
    if let Err(error) = config.check() {
        found.error(error.field(), &error.to_string());
    }
    let mut config = config.clone();
    if is_alone && let Err(error) = single::complete_gateway(&mut config, environment::variable) {
        found.error("", &process::sentence(&error));
    }
    let config = &config;
    let listen = &config.listen;
    match (&listen.certificate_file, &listen.private_key_file) {
        (Some(certificate), Some(key)) => {
            let certificate = ("listen.certificate_file", certificate.as_path());
            named_files::pair(found, certificate, ("listen.private_key_file", key));
        }
        (None, None) if is_alone && listen.https.is_some() => {
            let what = "listen.https needs listen.certificate_file and listen.private_key_file";
            found.error("listen.https", what);
        }
        _ => {}
    }
    let backend = &config.backend;
    named_files::authorities(found, "backend.ca_file", backend.ca_file.as_ref());
    if let (Some(certificate), Some(key)) = (&backend.client_cert_file, &backend.client_key_file) {
        let certificate = ("backend.client_cert_file", certificate.as_path());
        named_files::pair(found, certificate, ("backend.client_key_file", key));
    }
    if let Some(file) = &config.audit.file {
        named_files::folder_of(found, "audit.file", file);
    }
    if is_alone {
        gateway_alone(found, config);
    }
    gateway_openings(found, config);
}

/// What `up` would set.
fn gateway_alone(found: &mut OfService<'_>, config: &gateway::config::Config) {
    if let Err(error) = config.check_backend_credentials() {
        found.error(error.field(), &error.to_string());
    }
    let credentials = [
        ("backend_credentials", &config.backend_credentials),
        ("kms.credentials", &config.kms.credentials),
    ];
    for (table, credentials) in credentials {
        if let Some(file) = &credentials.secret_access_key_file {
            let field = format!("{table}.secret_access_key_file");
            named_files::private(found, (&field, file));
        }
        if let Err(error) = credentials.read() {
            let field = format!("{table}.{}", error.field);
            found.error(&field, &format!("{table}.{error}"));
        }
    }
    if config.users.is_empty() && config.credentials_file.is_none() {
        let what = "users is empty, and there is no credentials_file, so nobody could do anything";
        found.error("users", what);
    }
    if let Some(file) = &config.credentials_file {
        named_files::users(found, "credentials_file", file);
    }
    let kms = &config.kms;
    named_files::authorities(found, "kms.ca_file", kms.ca_file.as_ref());
    if let (Some(certificate), Some(key)) = (&kms.client_cert_file, &kms.client_key_file) {
        let certificate = ("kms.client_cert_file", certificate.as_path());
        named_files::pair(found, certificate, ("kms.client_key_file", key));
    }
    match &kms.secret_file {
        Some(file) => {
            named_files::private(found, ("kms.secret_file", file));
            named_files::service_secret(found, "kms.secret_file", file);
        }
        None if kms.url.starts_with("grpc") => {
            let what = "kms.secret_file is not set: it names the file with the secret that the KMS has, too";
            found.error("kms.secret_file", what);
        }
        None => {}
    }
}

fn gateway_openings(found: &mut OfService<'_>, config: &gateway::config::Config) {
    let listen = &config.listen;
    if config.objects.allow_insecure_sse {
        let what = "objects.allow_insecure_sse: customer keys may cross the network in clear";
        found.warning("objects.allow_insecure_sse", what);
    }
    if config.kms.allow_plain {
        let what = "kms.allow_plain: the secret and all data keys may cross the network in clear";
        found.warning("kms.allow_plain", what);
    }
    if listen.admin.is_some_and(|admin| !admin.ip().is_loopback()) && listen.admin_token.is_none() {
        let what = "listen.admin is beyond loopback without listen.admin_token";
        found.warning("listen.admin", what);
    }
    if !config.public_access_block.new_buckets {
        let what =
            "public_access_block.new_buckets is false: policies may open new buckets to everybody";
        found.warning("public_access_block.new_buckets", what);
    }
    if config.trusted_proxies.iter().any(|proxy| {
        let elsewhere = std::net::Ipv4Addr::new(192, 0, 2, 1);
        let of_documentation = std::net::Ipv4Addr::new(203, 0, 113, 1);
        proxy.contains(elsewhere.into()) && proxy.contains(of_documentation.into())
    }) {
        let what =
            "trusted_proxies has every address: each client chooses the address that policies see";
        found.warning("trusted_proxies", what);
    }
    if Regions::default().find(config.region.as_str()).is_none() {
        let region = &config.region;
        let what = format!(
            "region: AWS has no Region `{region}`: the KMS must have it among its `regions`"
        );
        found.warning("region", &what);
    }
}
