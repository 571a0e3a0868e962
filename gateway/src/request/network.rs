//! Blocks of addresses, as configurations name them.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// A block of addresses, or one address: `10.0.0.0/8`, `::1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Network(IpNet);

impl Network {
    /// Whether an address is in the block.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let block = match text.contains('/') {
            true => text.parse().ok(),
            false => text.parse::<IpAddr>().ok().map(IpNet::from),
        };
        block.map(Self).ok_or(NetworkError)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

/// A text that is neither an address nor a block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IP address or a block of them, such as 10.0.0.0/8")]
pub struct NetworkError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_addresses_are_read() {
        for text in ["10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0"] {
            assert!(text.parse::<Network>().is_ok(), "{text}");
        }
        for text in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "host", "1.2.3.4/"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        let all: Network = "0.0.0.0/0".parse().unwrap();
        let contains = |text: &str| all.contains(text.parse::<IpAddr>().unwrap());
        assert!(contains("8.8.8.8") && contains("::ffff:8.8.8.8"));
        assert!(!contains("::1"));
    }
}
