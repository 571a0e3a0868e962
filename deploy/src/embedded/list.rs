//! Pages of listings: objects, versions and uploads, in the order of their keys, with what lies
//! below a delimiter rolled up.
//!
//! Nothing is walked that is not shown, except delete markers.

use std::iter::Peekable;

use redb::AccessGuard;
use redb::Range;
use redb::ReadableTable;

use crate::embedded::fault::Outcome;
use crate::embedded::index::record;
use crate::embedded::index::record::Upload;
use crate::embedded::index::record::Version;
use crate::embedded::index::tables::Record;
use crate::embedded::index::tables::UploadKey;
use crate::embedded::index::tables::VersionKey;

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// Only keys that begin so.
    pub prefix: String,
    /// Where keys are rolled up; empty for nowhere.
    pub delimiter: String,
    /// Most entries of a page, rolled up ones included.
    pub max: usize,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the beginning.
    Beginning,
    /// After a key and all that is rolled up into the same name.
    After(String),
    /// After a key, whose name follows if more keys are rolled up into it.
    AfterKey(String),
    /// After the entry of this key that sorts so.
    AfterEntry(String, u128),
}

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Keys, each with what is shown of it.
    pub entries: Vec<(String, T)>,
    /// What keys were rolled up into.
    pub prefixes: Vec<String>,
    /// Where the next page begins; none for the last page.
    pub next: Option<Next>,
}

/// The last entry of a page that is not the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its key, or what keys were rolled up into.
    pub name: String,
    /// Whether it is an entry, and not rolled up.
    pub is_entry: bool,
}

/// A place between entries: a key, and how an entry sorts among those of its key.
type Position = (Vec<u8>, u128);

/// An entry at or after a position.
struct Entry<T> {
    key: Vec<u8>,
    /// Where among the entries of its key the search goes on behind it.
    next: u128,
    /// What is shown; none for what a page skips, as a delete marker.
    item: Option<T>,
}

/// A way through the versions of a bucket, from the front to the back.
///
/// What comes next is read on from where the last one was: to look for each costs more than all else
/// that a listing reads.
struct Walk<'t, T: ReadableTable<VersionKey, Record>> {
    table: &'t T,
    bucket: u64,
    rows: Peekable<Range<'t, VersionKey, Record>>,
}

/// Where a version stands in the table, and its record.
type Row<'t> = (AccessGuard<'t, VersionKey>, AccessGuard<'t, Record>);

impl<'t, T: ReadableTable<VersionKey, Record>> Walk<'t, T> {
    fn new(table: &'t T, bucket: u64) -> Outcome<Self> {
        Ok(Self {
            table,
            bucket,
            rows: Self::rows(table, bucket, (FIRST, 0))?,
        })
    }

    fn rows(
        table: &'t T,
        bucket: u64,
        (key, age): (&[u8], u64),
    ) -> Outcome<Peekable<Range<'t, VersionKey, Record>>> {
        let rows = table.range((bucket, key, age)..(bucket + 1, FIRST, 0))?;
        Ok(rows.peekable())
    }

    /// The first row at or after a place, which is behind all that was returned before.
    fn next_from(&mut self, key: &[u8], age: u64) -> Outcome<Option<Row<'t>>> {
        let is_before = |(place, _): &Row<'_>| {
            let (_, its_key, its_age) = place.value();
            (its_key, its_age) < (key, age)
        };
        if matches!(self.rows.peek(), Some(Ok(row)) if is_before(row)) {
            self.rows = Self::rows(self.table, self.bucket, (key, age))?;
        }
        Ok(self.rows.next().transpose()?)
    }
}

/// A page of the objects of a bucket: of each key the newest version, unless that is a delete marker.
///
/// # Errors
///
/// When the storage fails.
pub fn objects(
    table: &impl ReadableTable<VersionKey, Record>,
    bucket: u64,
    query: &Query,
    start: Start,
) -> Outcome<Page<Version>> {
    let mut walk = Walk::new(table, bucket)?;
    page(query, start, |(key, age)| {
        let Some((place, bytes)) = walk.next_from(key, sort(*age))? else {
            return Ok(None);
        };
        let version: Version = record::decode(bytes.value())?;
        Ok(Some(Entry {
            key: place.value().1.to_vec(),
            next: u128::from(u64::MAX),
            item: version.object.is_some().then_some(version),
        }))
    })
}

/// A page of the versions in a bucket, delete markers included; each with how it sorts, and whether
/// it is the newest of its key.
///
/// # Errors
///
/// When the storage fails.
pub fn versions(
    table: &impl ReadableTable<VersionKey, Record>,
    bucket: u64,
    query: &Query,
    start: Start,
) -> Outcome<Page<(Version, bool)>> {
    let mut walk = Walk::new(table, bucket)?;
    page(query, start, |(key, age)| {
        let Some((place, bytes)) = walk.next_from(key, sort(*age))? else {
            return Ok(None);
        };
        let (_, key, age) = place.value();
        let newer = table.range((bucket, key, 0)..(bucket, key, age))?.next();
        let is_latest = newer.transpose()?.is_none();
        let version = record::decode(bytes.value())?;
        Ok(Some(Entry {
            next: u128::from(age).saturating_add(1),
            item: Some((version, is_latest)),
            key: key.to_vec(),
        }))
    })
}

/// A page of the uploads in a bucket that are not completed; each with its id.
///
/// # Errors
///
/// When the storage fails.
pub fn uploads(
    table: &impl ReadableTable<UploadKey, Record>,
    bucket: u64,
    query: &Query,
    start: Start,
) -> Outcome<Page<(u128, Upload)>> {
    page(query, start, |(key, id)| {
        let from = (bucket, key.as_slice(), *id);
        let Some(entry) = table.range(from..(bucket + 1, FIRST, 0))?.next() else {
            return Ok(None);
        };
        let (place, bytes) = entry?;
        let (_, key, id) = place.value();
        Ok(Some(Entry {
            next: id.saturating_add(1),
            item: Some((id, record::decode(bytes.value())?)),
            key: key.to_vec(),
        }))
    })
}

fn page<T>(
    query: &Query,
    start: Start,
    mut seek: impl FnMut(&Position) -> Outcome<Option<Entry<T>>>,
) -> Outcome<Page<T>> {
    let mut page = Page {
        entries: Vec::new(),
        prefixes: Vec::new(),
        next: None,
    };
    if query.max == 0 {
        return Ok(page);
    }
    let mut last_is_entry = false;
    let mut position = begin(query, start);
    while let Some(at) = position.take() {
        let Some(entry) = seek(&at)? else { break };
        if !entry.key.starts_with(query.prefix.as_bytes()) {
            break;
        }
        let Some(item) = entry.item else {
            position = Some((entry.key, entry.next));
            continue;
        };
        if page.entries.len() + page.prefixes.len() >= query.max {
            page.next = page.last(last_is_entry);
            break;
        }
        let rolled = rolled_up(&entry.key, query);
        last_is_entry = rolled.is_none();
        match rolled {
            Some(rolled) => {
                page.prefixes.push(text(rolled));
                position = behind(rolled);
            }
            None => {
                page.entries.push((text(&entry.key), item));
                position = Some((entry.key, entry.next));
            }
        }
    }
    Ok(page)
}

impl<T> Page<T> {
    /// What was put in last: an entry, or what keys were rolled up into.
    fn last(&self, is_entry: bool) -> Option<Next> {
        let name = match is_entry {
            true => self.entries.last().map(|(key, _)| key),
            false => self.prefixes.last(),
        };
        let name = name?.clone();
        Some(Next { name, is_entry })
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Where the search begins; none if nothing can follow.
fn begin(query: &Query, start: Start) -> Option<Position> {
    let first = (query.prefix.clone().into_bytes(), 0);
    let after = match start {
        Start::Beginning => return Some(first),
        Start::After(name) => match rolled_up(name.as_bytes(), query) {
            Some(rolled) => behind(rolled)?,
            None => (name.into_bytes(), u128::MAX),
        },
        Start::AfterKey(name) => match rolled_up(name.as_bytes(), query) {
            Some(rolled) if rolled == name.as_bytes() => behind(rolled)?,
            _ => (name.into_bytes(), u128::MAX),
        },
        Start::AfterEntry(name, sort) => (name.into_bytes(), sort.saturating_add(1)),
    };
    Some(first.max(after))
}

/// What a key is rolled up into: itself to the end of the first delimiter behind the prefix.
fn rolled_up<'a>(key: &'a [u8], query: &Query) -> Option<&'a [u8]> {
    if query.delimiter.is_empty() {
        return None;
    }
    let prefix = query.prefix.as_bytes();
    let rest = key.strip_prefix(prefix)?;
    let delimiter = query.delimiter.as_bytes();
    let at = memchr::memmem::find(rest, delimiter)?;
    key.get(..prefix.len() + at + delimiter.len())
}

/// The first position behind all keys that begin with `prefix`; none if there is none.
fn behind(prefix: &[u8]) -> Option<Position> {
    let mut next = prefix.to_vec();
    while let Some(last) = next.pop() {
        if let Some(greater) = last.checked_add(1) {
            next.push(greater);
            return Some((next, 0));
        }
    }
    None
}

fn sort(age: u128) -> u64 {
    u64::try_from(age).unwrap_or(u64::MAX)
}

/// The least key.
const FIRST: &[u8] = b"";

#[cfg(test)]
mod tests {
    use super::*;

    fn list(keys: &[&str], query: &Query, start: Start) -> Page<()> {
        let seek = |(key, sort): &Position| {
            let found = keys.iter().find(|name| {
                let name = name.as_bytes();
                name > key.as_slice() || name == key.as_slice() && *sort == 0
            });
            Ok(found.map(|name| Entry {
                key: name.as_bytes().to_vec(),
                next: 1,
                item: (!name.ends_with('~')).then_some(()),
            }))
        };
        page(query, start, seek).unwrap()
    }

    fn query(prefix: &str, delimiter: &str, max: usize) -> Query {
        Query {
            prefix: prefix.to_owned(),
            delimiter: delimiter.to_owned(),
            max,
        }
    }

    fn names(page: &Page<()>) -> (Vec<&str>, Vec<&str>) {
        let keys = page.entries.iter().map(|(key, ())| key.as_str());
        (
            keys.collect(),
            page.prefixes.iter().map(String::as_str).collect(),
        )
    }

    const KEYS: &[&str] = &[
        "a", "a/", "a//b", "a/b", "a/c~", "b/x~", "é--1", "é--2", "é-3",
    ];

    #[test]
    fn keys_are_rolled_up_at_the_first_delimiter_behind_the_prefix() {
        let all = list(KEYS, &query("", "/", 9), Start::Beginning);
        let expected = (vec!["a", "é--1", "é--2", "é-3"], vec!["a/"]);
        assert_eq!(names(&all), expected);
        let below = list(KEYS, &query("a/", "/", 9), Start::Beginning);
        assert_eq!(names(&below), (vec!["a/", "a/b"], vec!["a//"]));
        let long = list(KEYS, &query("é", "--", 9), Start::Beginning);
        assert_eq!(names(&long), (vec!["é-3"], vec!["é--"]));
    }

    #[test]
    fn pages_in_a_row_show_each_name_once_whatever_their_size() {
        for delimiter in ["", "/", "--"] {
            let whole = list(KEYS, &query("", delimiter, 99), Start::Beginning);
            for max in 1..5 {
                let (mut entries, mut prefixes) = (Vec::new(), Vec::new());
                let mut start = Start::Beginning;
                loop {
                    let page = list(KEYS, &query("", delimiter, max), start);
                    assert!(page.entries.len() + page.prefixes.len() <= max);
                    entries.extend(page.entries);
                    prefixes.extend(page.prefixes);
                    match page.next {
                        Some(next) => start = Start::After(next.name),
                        None => break,
                    }
                }
                assert_eq!((&entries, &prefixes), (&whole.entries, &whole.prefixes));
            }
        }
    }

    #[test]
    fn a_page_of_nothing_is_the_last() {
        let page = list(KEYS, &query("", "", 0), Start::Beginning);
        assert_eq!((page.entries.len(), page.next), (0, None));
    }

    #[test]
    fn nothing_follows_the_greatest_prefix() {
        assert_eq!(behind(&[0xFF, 0xFF]), None);
        assert_eq!(behind(b"a\xFF"), Some((b"b".to_vec(), 0)));
    }
}
