//! The keys of log objects.
//!
//! Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerLogs.html>, "Log object key format".

use proto::time::Timestamp;

use crate::bucket::document::logging::KeyFormat;
use crate::bucket::document::logging::LoggingEnabled;

/// What a log object holds.
#[derive(Clone, Copy, Debug)]
pub struct LogObject<'a> {
    /// The account of the bucket that the records are about.
    pub account: &'a str,
    /// The Region of that bucket.
    pub region: &'a str,
    /// That bucket.
    pub bucket: &'a str,
    /// The first moment of the day that all records are of, where the key names the day of the events.
    pub day: Timestamp,
    /// When it is delivered.
    pub delivered: Timestamp,
    /// What no other log object has.
    pub unique: [u8; 8],
}

impl LogObject<'_> {
    /// Its key.
    ///
    /// `[prefix]YYYY-MM-DD-hh-mm-ss-UNIQUE`, or with account, Region, bucket and day before that.
    #[must_use]
    pub fn key(&self, logging: &LoggingEnabled) -> String {
        let time = match logging.is_by_event_day() {
            true => self.day,
            false => self.delivered,
        };
        let time = time.iso8601().replace(['T', ':'], "-");
        let time = time.trim_end_matches('Z');
        let unique = hex::encode_upper(self.unique);
        let prefix = &logging.target_prefix;
        match logging.key_format {
            None | Some(KeyFormat::Simple) => format!("{prefix}{time}-{unique}"),
            Some(KeyFormat::Partitioned(_)) => {
                let Self {
                    account,
                    region,
                    bucket,
                    ..
                } = self;
                let day: Vec<_> = time.split('-').take(3).collect();
                let day = day.join("/");
                format!("{prefix}{account}/{region}/{bucket}/{day}/{time}-{unique}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bucket::document::logging::DateSource;

    fn key(key_format: Option<KeyFormat>) -> String {
        let logging = LoggingEnabled {
            target_bucket: "logs".to_owned(),
            target_prefix: "p-".to_owned(),
            target_grants: None,
            key_format,
        };
        let object = LogObject {
            account: "111122223333",
            region: "eu-west-1",
            bucket: "src",
            day: Timestamp::from_unix_seconds(1_549_411_200),
            delivered: Timestamp::from_unix_seconds(1_549_501_238),
            unique: [0x3d, 0xe0, 0x11, 0xab, 0, 1, 2, 0xff],
        };
        object.key(&logging)
    }

    #[test]
    fn keys_have_the_forms_that_aws_documents() {
        let partitioned = |source| Some(KeyFormat::Partitioned(source));
        let simple = "p-2019-02-07-01-00-38-3DE011AB000102FF";
        let event = "p-111122223333/eu-west-1/src/2019/02/06/2019-02-06-00-00-00-3DE011AB000102FF";
        let delivery =
            "p-111122223333/eu-west-1/src/2019/02/07/2019-02-07-01-00-38-3DE011AB000102FF";
        for (format, expected) in [
            (None, simple),
            (Some(KeyFormat::Simple), simple),
            (partitioned(None), event),
            (partitioned(Some(DateSource::EventTime)), event),
            (partitioned(Some(DateSource::DeliveryTime)), delivery),
        ] {
            assert_eq!(key(format), expected, "{format:?}");
        }
    }
}
