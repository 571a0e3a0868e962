//! The ports of `up`.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::SocketAddr;

/// Sets ports that are free, for a fixture.
pub(super) fn take_free(kms: &mut kms::config::Config, gateway: &mut gateway::config::Config) {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
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

#[cfg(test)]
mod tests {
    use super::*;

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
