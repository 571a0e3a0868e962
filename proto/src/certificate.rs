//! When a certificate ends, which clients compare with their clocks. Nothing else of it is read here.

use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use crate::time::Timestamp;

/// The end of the validity of an X.509 certificate in DER; none if it is not one.
#[must_use]
pub fn not_after(certificate: &[u8]) -> Option<Timestamp> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let end = certificate.tbs_certificate().validity().not_after;
    let seconds = end.to_unix_duration().as_secs();
    Some(Timestamp::from_unix_seconds(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(end: time::OffsetDateTime) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        parameters.not_after = end;
        let certificate = parameters.self_signed(&key).unwrap();
        certificate.der().to_vec()
    }

    #[test]
    fn the_end_is_read_in_both_forms_of_time() {
        // From 2050 on the year has four digits.
        for (year, expected) in [
            (2027, "2027-03-04T00:00:00Z"),
            (2051, "2051-03-04T00:00:00Z"),
        ] {
            let end = certificate(rcgen::date_time_ymd(year, 3, 4));
            assert_eq!(not_after(&end).unwrap().iso8601(), expected);
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        let whole = certificate(rcgen::date_time_ymd(2027, 3, 4));
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
    }
}
