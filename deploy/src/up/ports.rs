//! The ports of `up`: where they listen.

use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::SocketAddr;

use crate::up::settings::Settings;

/// Sets the address of the listeners whose address the file does not set.
pub(super) fn set_addresses(
    listen: IpAddr,
    settings: &Settings,
    kms: &mut kms::config::Config,
    gateway: &mut gateway::config::Config,
) {
    let https = SocketAddr::new(listen, HTTPS_PORT);
    gateway.listen.https.get_or_insert(https);
    let set = |path: &[&str], address: &mut SocketAddr| {
        if !settings.sets(path) {
            address.set_ip(listen);
        }
    };
    set(&["kms", "listen"], &mut kms.listen);
    set(&["kms", "admin", "listen"], &mut kms.admin.listen);
    for (name, address) in [
        ("http", &mut gateway.listen.http),
        ("https", &mut gateway.listen.https),
        ("admin", &mut gateway.listen.admin),
    ] {
        if let Some(address) = address {
            set(&["gateway", "listen", name], address);
        }
    }
}

/// Sets ports that are free, for a fixture.
pub(super) fn take_free(
    listen: IpAddr,
    kms: &mut kms::config::Config,
    gateway: &mut gateway::config::Config,
) {
    let free = SocketAddr::new(listen, 0);
    kms.listen = free;
    kms.admin.listen = free;
    gateway.listen.http = Some(free);
    gateway.listen.https = Some(free);
    gateway.listen.admin = Some(free);
}

/// Why the KMS does not start.
pub(super) fn explain_kms(error: kms::server::StartError) -> anyhow::Error {
    match error {
        kms::server::StartError::Bind { address, error }
            if error.kind() == ErrorKind::AddrInUse =>
        {
            taken(address)
        }
        error => error.into(),
    }
}

/// Why the gateway does not start.
pub(super) fn explain_gateway(error: gateway::server::StartError) -> anyhow::Error {
    match error {
        gateway::server::StartError::Bind { address, cause }
            if cause.kind() == ErrorKind::AddrInUse =>
        {
            taken(address)
        }
        error => error.into(),
    }
}

fn taken(address: SocketAddr) -> anyhow::Error {
    let field = match address.port() {
        9080 => "[kms] listen",
        9091 => "[kms.admin] listen",
        9070 => "[gateway.listen] http",
        9443 => "[gateway.listen] https",
        9090 => "[gateway.listen] admin",
        _ => "the one that has it in [kms] or [gateway.listen]",
    };
    anyhow::anyhow!(
        "{address} is in use, by another sealgate or another program: stop that, or set another port \
         in the file of --config: {field}"
    )
}

/// The port of S3 over TLS.
const HTTPS_PORT: u16 = 9443;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::path::Path;

    use super::*;
    use crate::configuration::ConfigurationFile;

    #[test]
    fn an_address_that_the_file_sets_stays_and_the_others_follow_the_flag() {
        let text = "[kms.admin]\nlisten = \"127.0.0.1:9091\"\n[gateway.listen]\nhttp = \"127.0.0.1:9070\"\n";
        let file = ConfigurationFile::of(Path::new("up.toml"), text.to_owned());
        let settings = Settings::parse(file).unwrap();
        let (mut kms, mut gateway) = (settings.kms.clone(), settings.gateway.clone());
        set_addresses(
            "0.0.0.0".parse().unwrap(),
            &settings,
            &mut kms,
            &mut gateway,
        );
        assert_eq!(kms.listen.to_string(), "0.0.0.0:9080");
        assert_eq!(kms.admin.listen.to_string(), "127.0.0.1:9091");
        assert_eq!(gateway.listen.http.unwrap().to_string(), "127.0.0.1:9070");
        assert_eq!(gateway.listen.https.unwrap().to_string(), "0.0.0.0:9443");
        assert_eq!(gateway.listen.admin, None, "the table does not name it");
    }

    #[test]
    fn a_port_that_is_taken_is_reported_with_the_field_that_sets_another() {
        for (port, field) in [(9443, "[gateway.listen] https"), (9091, "[kms.admin]")] {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let text = taken(address).to_string();
            assert!(text.contains(&address.to_string()), "{text}");
            assert!(text.contains("--config") && text.contains(field), "{text}");
        }
        let error = || std::io::Error::from(ErrorKind::AddrInUse);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 9080));
        let of_kms = kms::server::StartError::Bind {
            address,
            error: error(),
        };
        let cause = error();
        let of_gateway = gateway::server::StartError::Bind { address, cause };
        assert!(explain_kms(of_kms).to_string().contains("--config"));
        assert!(explain_gateway(of_gateway).to_string().contains("--config"));
    }
}
