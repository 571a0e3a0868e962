//! How access points work.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use crate::request::Network;

/// How access points work.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The networks of VPCs, by the ids of these. A request from one of them has the condition key
    /// `aws:SourceVpc`, and only such a request goes through an access point of that VPC.
    pub vpcs: BTreeMap<String, Vec<Network>>,

    /// Whether access points take requests on TLS connections only, as at AWS.
    pub require_tls: bool,
}

impl Config {
    /// The VPC that an address is in.
    #[must_use]
    pub fn vpc_of(&self, client: IpAddr) -> Option<&str> {
        let mut vpcs = self.vpcs.iter();
        let found = vpcs.find(|(_, networks)| networks.iter().any(|it| it.contains(client)));
        found.map(|(id, _)| id.as_str())
    }
}
