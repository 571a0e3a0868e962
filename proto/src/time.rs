//! The one type of time, its wire forms, and the clock that is passed in.
//!
//! A [`Timestamp`] is UTC, counted in milliseconds since 1970-01-01T00:00:00Z, and lies within the
//! years 0000 to 9999, so that each wire form can write it. No other module and no other crate
//! reads a clock: code that needs the time receives a [`Clock`].

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// An instant in UTC, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// The instant `millis` milliseconds after 1970-01-01T00:00:00Z; an instant outside the years
    /// 0000 to 9999 becomes the nearest one within.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        if millis < MILLIS_MIN {
            Self(MILLIS_MIN)
        } else if millis > MILLIS_MAX {
            Self(MILLIS_MAX)
        } else {
            Self(millis)
        }
    }

    /// The instant `seconds` seconds after 1970-01-01T00:00:00Z, clamped to the years 0000 to 9999.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self::from_unix_millis(seconds.saturating_mul(1_000))
    }

    /// Milliseconds since 1970-01-01T00:00:00Z; negative before it.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01T00:00:00Z, rounded towards the past.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since 1970-01-01T00:00:00Z with the milliseconds behind the point, as AWS JSON
    /// writes times.
    #[must_use]
    pub fn unix_seconds_f64(self) -> f64 {
        let whole = i32::try_from(self.unix_seconds());
        let millis = i16::try_from(self.0.rem_euclid(1_000)).unwrap_or_default();
        match whole {
            Ok(whole) => f64::from(whole) + f64::from(millis) / 1_000.0,
            // Beyond 2038: two exact halves, as no lossless conversion from i64 exists.
            Err(_) => {
                let days = i32::try_from(self.unix_seconds().div_euclid(86_400));
                let rest = i32::try_from(self.unix_seconds().rem_euclid(86_400));
                f64::from(days.unwrap_or_default()) * 86_400.0
                    + f64::from(rest.unwrap_or_default())
                    + f64::from(millis) / 1_000.0
            }
        }
    }

    /// This instant, `duration` later; at most the end of the year 9999.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// This instant, `duration` earlier; at least the start of the year 0000.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self::from_unix_millis(self.0.saturating_sub(millis))
    }

    /// How long after `earlier` this instant is; zero when it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// How far apart the two instants are, whichever comes first.
    #[must_use]
    pub const fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }

    /// `20250101T000000Z`, the form of SigV4's `X-Amz-Date`.
    #[must_use]
    pub fn basic(self) -> String {
        // Every request's signature needs it, so it is not left to the formatter of any format.
        let instant = self.date_time();
        let (hour, minute, second) = instant.to_hms();
        let mut text = String::with_capacity(BASIC_BYTES);
        push_date8(&mut text, instant);
        text.push('T');
        for part in [hour, minute, second] {
            push_two_digits(&mut text, part);
        }
        text.push('Z');
        text
    }

    /// `20250101`, the date of a credential scope.
    #[must_use]
    pub fn date8(self) -> String {
        let mut text = String::with_capacity(BASIC_BYTES);
        push_date8(&mut text, self.date_time());
        text
    }

    /// `2025-01-01T00:00:00.000Z`, ISO 8601 with milliseconds, as S3 writes times in XML.
    #[must_use]
    pub fn iso8601_millis(self) -> String {
        // By hand, as in `basic`: a listing has a thousand.
        let instant = self.date_time();
        let (hour, minute, second) = instant.to_hms();
        let mut text = String::with_capacity(ISO8601_MILLIS_BYTES);
        push_year(&mut text, instant);
        let month = u8::from(instant.month());
        let parts = [('-', month), ('-', instant.day()), ('T', hour)];
        for (mark, part) in parts.into_iter().chain([(':', minute), (':', second)]) {
            text.push(mark);
            push_two_digits(&mut text, part);
        }
        let millis = instant.millisecond();
        text.push('.');
        text.push(char::from(
            b'0' + u8::try_from(millis / 100 % 10).unwrap_or_default(),
        ));
        push_two_digits(&mut text, u8::try_from(millis % 100).unwrap_or_default());
        text.push('Z');
        text
    }

    /// `2025-01-01T00:00:00Z`, ISO 8601 to the second, as S3 writes times in errors.
    #[must_use]
    pub fn iso8601(self) -> String {
        self.write(ISO8601)
    }

    /// `Wed, 01 Jan 2025 00:00:00 GMT`, the form of HTTP header fields (RFC 9110, 5.6.7).
    #[must_use]
    pub fn http_date(self) -> String {
        self.write(HTTP_DATE)
    }

    /// Reads `20250101T000000Z`.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] for any other form and for a day or a time that does not exist.
    pub fn parse_basic(text: &str) -> Result<Self, TimestampError> {
        // By hand, as in `basic`: every signed request has one.
        let bytes = text.as_bytes();
        let number = |at: usize| match bytes.get(at..at + 2)? {
            [high @ b'0'..=b'9', low @ b'0'..=b'9'] => Some((high - b'0') * 10 + (low - b'0')),
            _ => None,
        };
        let instant = || {
            if (bytes.len(), bytes.get(8), bytes.get(15)) != (BASIC_BYTES, Some(&b'T'), Some(&b'Z'))
            {
                return None;
            }
            let year = i32::from(number(0)?) * 100 + i32::from(number(2)?);
            let month = time::Month::try_from(number(4)?).ok()?;
            let date = time::Date::from_calendar_date(year, month, number(6)?).ok()?;
            let time = time::Time::from_hms(number(9)?, number(11)?, number(13)?).ok()?;
            Some(PrimitiveDateTime::new(date, time).assume_utc())
        };
        Self::from_date_time(instant().ok_or(TimestampError)?)
    }

    /// Reads ISO 8601 as RFC 3339 narrows it: `2025-01-01T00:00:00Z`, with or without a fraction,
    /// with `Z` or an offset. Digits finer than a millisecond are cut off.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] for any other form and for a day or a time that does not exist.
    pub fn parse_iso8601(text: &str) -> Result<Self, TimestampError> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimestampError)?;
        Self::from_date_time(instant)
    }

    /// Reads a date of an HTTP header field in any of RFC 9110's three forms:
    /// `Wed, 01 Jan 2025 00:00:00 GMT`, `Wednesday, 01-Jan-25 00:00:00 GMT` and
    /// `Wed Jan  1 00:00:00 2025`. A year of two digits lies within 1970 to 2069.
    ///
    /// # Errors
    ///
    /// [`TimestampError`] for any other form and for a day or a time that does not exist.
    pub fn parse_http_date(text: &str) -> Result<Self, TimestampError> {
        if let Ok(instant) = Self::read(text, HTTP_DATE) {
            return Ok(instant);
        }
        if let Ok(instant) = Self::read(text, ASCTIME) {
            return Ok(instant);
        }
        Self::parse_rfc850(text)
    }

    fn parse_rfc850(text: &str) -> Result<Self, TimestampError> {
        let (weekday, rest) = text.split_once(", ").ok_or(TimestampError)?;
        let mut parts = rest.splitn(3, '-');
        let (Some(day), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(TimestampError);
        };
        let (year, clock) = rest.split_once(' ').ok_or(TimestampError)?;
        let (weekday, digits) = (weekday.get(..3).ok_or(TimestampError)?, year.as_bytes());
        if digits.len() != 2 || !digits.iter().all(u8::is_ascii_digit) {
            return Err(TimestampError);
        }
        let century = if year >= "70" { "19" } else { "20" };
        Self::read(
            &format!("{weekday}, {day} {month} {century}{year} {clock}"),
            HTTP_DATE,
        )
    }

    fn read(text: &str, format: &[BorrowedFormatItem<'_>]) -> Result<Self, TimestampError> {
        let instant = PrimitiveDateTime::parse(text, format).map_err(|_| TimestampError)?;
        Self::from_date_time(instant.assume_utc())
    }

    fn from_date_time(instant: OffsetDateTime) -> Result<Self, TimestampError> {
        let millis = instant.unix_timestamp() * 1_000 + i64::from(instant.millisecond());
        if !(MILLIS_MIN..=MILLIS_MAX).contains(&millis) {
            return Err(TimestampError);
        }
        Ok(Self(millis))
    }

    fn write(self, format: &[BorrowedFormatItem<'_>]) -> String {
        self.date_time()
            .format(format)
            .expect("each format of this module names only parts that every instant has")
    }

    fn date_time(self) -> OffsetDateTime {
        let millis = u16::try_from(self.0.rem_euclid(1_000)).unwrap_or_default();
        OffsetDateTime::from_unix_timestamp(self.unix_seconds())
            .and_then(|instant| instant.replace_millisecond(millis))
            .expect("a timestamp lies within the years 0000 to 9999")
    }
}

fn push_year(text: &mut String, instant: OffsetDateTime) {
    let year = instant.year().unsigned_abs();
    let (century, year) = (year / 100 % 100, year % 100);
    for part in [century, year] {
        push_two_digits(text, u8::try_from(part).unwrap_or_default());
    }
}

fn push_date8(text: &mut String, instant: OffsetDateTime) {
    push_year(text, instant);
    push_two_digits(text, u8::from(instant.month()));
    push_two_digits(text, instant.day());
}

fn push_two_digits(text: &mut String, number: u8) {
    text.push(char::from(b'0' + number / 10 % 10));
    text.push(char::from(b'0' + number % 10));
}

/// Bytes of `20250101T000000Z`.
const BASIC_BYTES: usize = 16;

/// Bytes of `2025-01-01T00:00:00.000Z`.
const ISO8601_MILLIS_BYTES: usize = 24;

/// ISO 8601 with milliseconds, as [`Timestamp::iso8601_millis`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iso8601_millis())
    }
}

/// The source of the time.
pub trait Clock: Send + Sync {
    /// The time now. May step backwards, as the clocks of machines do.
    fn now(&self) -> Timestamp;

    /// The time since some moment of this process. Never steps backwards: for ages and deadlines.
    fn monotonic(&self) -> Duration {
        START.elapsed()
    }
}

/// Where [`Clock::monotonic`] counts from.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis)
            }
        };
        Timestamp::from_unix_millis(millis)
    }
}

/// A clock that moves only when it is set or advanced: for tests, and to freeze or advance the time
/// of an emulator.
#[derive(Debug)]
pub struct ManualClock {
    millis: AtomicI64,
    /// By how many milliseconds it was advanced.
    advanced: AtomicU64,
}

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self {
            millis: AtomicI64::new(now.unix_millis()),
            advanced: AtomicU64::new(0),
        }
    }

    /// Sets it to `now`, earlier or later, as a step of a machine's clock: no time passes.
    pub fn set(&self, now: Timestamp) {
        self.millis.store(now.unix_millis(), Ordering::SeqCst);
    }

    /// Advances by `duration`; at most to the end of the year 9999.
    pub fn advance(&self, duration: Duration) {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.advanced.fetch_add(millis, Ordering::SeqCst);
        let mut seen = self.millis.load(Ordering::SeqCst);
        loop {
            let next = Timestamp(seen).plus(duration).unix_millis();
            match self
                .millis
                .compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst)
            {
                Ok(_) => return,
                Err(other) => seen = other,
            }
        }
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.millis.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.advanced.load(Ordering::SeqCst))
    }
}

/// A text that is not a time in the expected form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a time in the expected form")]
pub struct TimestampError;

/// 0000-01-01T00:00:00.000Z.
const MILLIS_MIN: i64 = -62_167_219_200_000;

/// 9999-12-31T23:59:59.999Z.
const MILLIS_MAX: i64 = 253_402_300_799_999;

const ISO8601: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
const ASCTIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short] [month repr:short] [day padding:space] [hour]:[minute]:[second] [year]"
);

#[cfg(test)]
mod tests {
    use super::*;

    /// 2013-05-24T00:00:00Z, the instant of AWS's published examples.
    const EXAMPLE: Timestamp = Timestamp::from_unix_seconds(1_369_353_600);

    #[test]
    fn each_wire_form_writes_the_same_instant() {
        assert_eq!(EXAMPLE.basic(), "20130524T000000Z");
        assert_eq!(EXAMPLE.date8(), "20130524");
        assert_eq!(EXAMPLE.iso8601(), "2013-05-24T00:00:00Z");
        assert_eq!(EXAMPLE.iso8601_millis(), "2013-05-24T00:00:00.000Z");
        assert_eq!(EXAMPLE.http_date(), "Fri, 24 May 2013 00:00:00 GMT");
        assert_eq!(EXAMPLE.to_string(), "2013-05-24T00:00:00.000Z");
    }

    #[test]
    fn each_wire_form_reads_back() {
        assert_eq!(Timestamp::parse_basic("20130524T000000Z"), Ok(EXAMPLE));
        assert_eq!(
            Timestamp::parse_iso8601("2013-05-24T00:00:00Z"),
            Ok(EXAMPLE)
        );
        assert_eq!(
            Timestamp::parse_iso8601("2013-05-24T02:00:00+02:00"),
            Ok(EXAMPLE)
        );
        assert_eq!(
            Timestamp::parse_http_date("Fri, 24 May 2013 00:00:00 GMT"),
            Ok(EXAMPLE)
        );
        assert_eq!(
            Timestamp::parse_http_date("Friday, 24-May-13 00:00:00 GMT"),
            Ok(EXAMPLE)
        );
        assert_eq!(
            Timestamp::parse_http_date("Fri May 24 00:00:00 2013"),
            Ok(EXAMPLE)
        );
    }

    #[test]
    fn a_day_below_ten_is_padded_with_a_space_in_asctime() {
        let read = Timestamp::parse_http_date("Sun Nov  6 08:49:37 1994").unwrap();
        assert_eq!(read.http_date(), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn milliseconds_survive_iso_8601() {
        let instant = Timestamp::from_unix_millis(1_369_353_600_042);
        assert_eq!(instant.iso8601_millis(), "2013-05-24T00:00:00.042Z");
        assert_eq!(
            Timestamp::parse_iso8601(&instant.iso8601_millis()),
            Ok(instant)
        );
    }

    #[test]
    fn what_is_almost_the_basic_form_is_refused() {
        for text in [
            "",
            "20130524",
            "20130524T000000",
            "20130524T000000z",
            "20130524T000000Z ",
            " 20130524T000000Z",
            "20130230T000000Z",
            "20130524T240000Z",
            "20130524T006000Z",
            "2013-05-24T00:00:00Z",
            "+2013524T000000Z",
            "20130524 000000Z",
            "20130524T0000000Z",
        ] {
            assert_eq!(Timestamp::parse_basic(text), Err(TimestampError), "{text}");
        }
    }

    #[test]
    fn dates_that_do_not_exist_are_refused() {
        for text in [
            "Fri, 31 Feb 2013 00:00:00 GMT",
            "tomorrow",
            "Fri, 24 May 2013 00:00:00 PST",
        ] {
            assert_eq!(
                Timestamp::parse_http_date(text),
                Err(TimestampError),
                "{text}"
            );
        }
        assert_eq!(Timestamp::parse_iso8601("2013-05-24"), Err(TimestampError));
    }

    #[test]
    fn arithmetic_stops_at_the_years_that_can_be_written() {
        let last = Timestamp::from_unix_millis(i64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(last.iso8601_millis(), "9999-12-31T23:59:59.999Z");
        let first = Timestamp::from_unix_millis(i64::MIN);
        assert_eq!(first.minus(Duration::MAX), first);
        assert_eq!(first.iso8601(), "0000-01-01T00:00:00Z");
        assert_eq!(Timestamp::from_unix_seconds(i64::MAX), last);
    }

    #[test]
    fn since_is_zero_backwards_and_distance_is_not() {
        let later = EXAMPLE.plus(Duration::from_secs(5));
        assert_eq!(later.since(EXAMPLE), Duration::from_secs(5));
        assert_eq!(EXAMPLE.since(later), Duration::ZERO);
        assert_eq!(EXAMPLE.distance(later), Duration::from_secs(5));
    }

    #[test]
    fn seconds_round_towards_the_past_and_floats_keep_the_milliseconds() {
        assert_eq!(Timestamp::from_unix_millis(-1).unix_seconds(), -1);
        assert_eq!(
            Timestamp::from_unix_millis(1_500)
                .unix_seconds_f64()
                .to_string(),
            "1.5"
        );
        assert_eq!(
            Timestamp::from_unix_millis(-500)
                .unix_seconds_f64()
                .to_string(),
            "-0.5"
        );
        let far = Timestamp::from_unix_millis(4_102_444_800_250);
        assert_eq!(far.unix_seconds_f64().to_string(), "4102444800.25");
    }

    #[test]
    fn a_manual_clock_moves_only_when_it_is_moved() {
        let clock = ManualClock::new(EXAMPLE);
        assert_eq!(clock.now(), EXAMPLE);
        clock.advance(Duration::from_millis(1));
        assert_eq!(clock.now().unix_millis(), EXAMPLE.unix_millis() + 1);
        clock.set(Timestamp::UNIX_EPOCH);
        assert_eq!(clock.now(), Timestamp::UNIX_EPOCH);
        assert_eq!(clock.monotonic(), Duration::from_millis(1));
    }
}
