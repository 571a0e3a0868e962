//! The values that conditions compare: numbers, times, networks.

use std::net::IpAddr;
use std::net::Ipv4Addr;

use crate::time::Timestamp;

/// A decimal number, exact to nine places behind the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number(i128);

impl Number {
    /// Reads an integer or a decimal: `-12`, `3.5`; no exponent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let sized = !whole.is_empty() && (1..=FRACTION_DIGITS).contains(&fraction.len());
        if !sized || !all_digits(whole) || !all_digits(fraction) {
            return None;
        }
        let padded = format!("{whole}{fraction:0<FRACTION_DIGITS$}");
        let value: i128 = padded.parse().ok()?;
        Some(Self(if negative { -value } else { value }))
    }
}

/// Reads a time as conditions write it: one of the W3C forms of ISO 8601, or seconds since
/// 1970-01-01T00:00:00Z.
///
/// Source: <https://www.w3.org/TR/NOTE-datetime>
pub(crate) fn parse_date(text: &str) -> Option<Timestamp> {
    let (date, clock) = match text.split_once('T') {
        Some((date, clock)) => (date, Some(clock)),
        None => (text, None),
    };
    if let Some(clock) = clock {
        // `hh:mm` without seconds is W3C's own, RFC 3339 wants them.
        let zone = clock.find(['Z', '+', '-'])?;
        let (time, zone) = clock.split_at(zone);
        let seconds = if time.len() == 5 { ":00" } else { "" };
        return Timestamp::parse_iso8601(&format!("{date}T{time}{seconds}{zone}")).ok();
    }
    if date.starts_with('-') || !date.contains('-') {
        return date.parse().ok().map(Timestamp::from_unix_seconds);
    }
    let day = if date.len() == 7 { "-01" } else { "" };
    Timestamp::parse_iso8601(&format!("{date}{day}T00:00:00Z")).ok()
}

/// A range of IP addresses: `203.0.113.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads CIDR notation; an address alone is a network of itself.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                let digits = prefix.bytes().all(|byte| byte.is_ascii_digit());
                (address, Some(prefix.parse().ok().filter(|_: &u32| digits)?))
            }
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return None;
        }
        let canonical = address.to_canonical();
        match prefix.checked_sub(96) {
            Some(prefix) if canonical != address => Some(Self {
                address: canonical,
                prefix,
            }),
            _ => Some(Self { address, prefix }),
        }
    }

    /// Whether `address` lies in the network. An IPv4-mapped IPv6 address is an IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differing = network.to_bits() ^ address.to_bits();
                differing.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }

    /// The first and the last address, as numbers of its family.
    fn range(&self) -> Range {
        let (is_v6, bits, host) = match self.address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(self.prefix).unwrap_or(0);
                (false, address.to_bits().into(), host.into())
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(self.prefix).unwrap_or(0);
                (true, address.to_bits(), host)
            }
        };
        Range {
            is_v6,
            first: bits & !host,
            last: bits | host,
        }
    }
}

/// A run of addresses of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Range {
    is_v6: bool,
    first: u128,
    last: u128,
}

impl Range {
    /// Whether all of it is one of the private ranges of RFC 1918.
    fn is_private(&self) -> bool {
        [self.first, self.last].into_iter().all(|bits| {
            let bits = u32::try_from(bits);
            !self.is_v6 && bits.is_ok_and(|bits| Ipv4Addr::from_bits(bits).is_private())
        })
    }

    /// Whether it has more addresses than a `/8` of IPv4, or a `/32` of IPv6.
    const fn is_broad(&self) -> bool {
        let most = if self.is_v6 { 1 << 96 } else { 1 << 24 };
        self.last - self.first >= most
    }
}

/// Whether networks confine a policy, by S3's rule: none is broader than `/8` for IPv4 or `/32` for
/// IPv6, private ranges aside. Networks side by side count as the one that they make up.
///
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>
pub(crate) fn are_narrow(networks: &[Network]) -> bool {
    let mut ranges: Vec<Range> = networks.iter().map(Network::range).collect();
    ranges.retain(|range| !range.is_private());
    ranges.sort_unstable();
    let mut run: Option<Range> = None;
    ranges.into_iter().all(|range| {
        let merged = match run {
            Some(run) if run.is_v6 == range.is_v6 && range.first <= run.last.saturating_add(1) => {
                Range {
                    last: run.last.max(range.last),
                    ..run
                }
            }
            _ => range,
        };
        run = Some(merged);
        !merged.is_broad()
    })
}

/// Digits a [`Number`] has behind the point.
const FRACTION_DIGITS: usize = 9;
