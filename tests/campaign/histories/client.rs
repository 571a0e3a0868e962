//! One client: what it does by its dice, and what it saw.

use std::sync::Arc;
use std::sync::Mutex;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::types::MetadataDirective;

use crate::dice::Dice;
use crate::histories::BUCKET;
use crate::histories::KEYS;
use crate::histories::body;
use crate::histories::key_name;
use crate::histories::record::Fact;
use crate::histories::record::Failure;
use crate::histories::record::Record;
use crate::histories::up::Up;
use crate::histories::uploads::Unanswered;
use crate::linearizability::Operation;
use crate::linearizability::State;

/// A client of one life.
pub(crate) struct Client {
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) record: Arc<Record>,
    seed: u64,
}

/// What a request came to.
pub(crate) enum Answer<T> {
    /// A success.
    Good(T),
    /// An error with this code.
    Refused(String),
    /// None: the connection broke.
    Unknown,
}

/// What a write asked for.
#[derive(Clone)]
pub(crate) enum Condition {
    None,
    IfNoneMatch,
    IfMatch(String),
}

impl Condition {
    /// The header `If-None-Match`.
    pub(crate) fn none_match(&self) -> Option<String> {
        matches!(self, Self::IfNoneMatch).then(|| "*".to_owned())
    }

    /// The header `If-Match`.
    pub(crate) fn matches(&self) -> Option<String> {
        match self {
            Self::IfMatch(etag) => Some(etag.clone()),
            _ => None,
        }
    }
}

impl Client {
    /// A client of a process. Clients of a seed differ by their number.
    pub(crate) fn new(up: &Up, record: &Arc<Record>, seed: u64, number: usize) -> Self {
        Self {
            s3: up.s3.clone(),
            record: Arc::clone(record),
            seed: seed.wrapping_mul(1_009).wrapping_add(number as u64),
        }
    }

    /// Works until the process is killed, or in its last life until the operations are used up.
    pub(crate) async fn work(self, is_last: bool, unanswered: &Mutex<Vec<Unanswered>>) {
        let mut dice = Dice::new(self.seed);
        while !self.record.is_ending() && (self.record.take_operation() || !is_last) {
            self.record.count("operations");
            let key = dice.roll(KEYS);
            match dice.roll(100) {
                0..25 => {
                    self.read(key).await;
                }
                25..30 => self.head(key).await,
                30..48 => self.put(key, &mut dice, Condition::None).await,
                48..58 => self.put(key, &mut dice, Condition::IfNoneMatch).await,
                58..66 => {
                    if let Some(etag) = self.record.last_etag(key) {
                        self.put(key, &mut dice, Condition::IfMatch(etag)).await;
                    }
                }
                66..76 => self.delete(key, Condition::None).await,
                76..80 => {
                    if let Some(etag) = self.record.last_etag(key) {
                        self.delete(key, Condition::IfMatch(etag)).await;
                    }
                }
                80..88 => self.copy(dice.roll(KEYS), key).await,
                88..95 => {
                    if let Some(complete) = self.upload(key, &mut dice).await {
                        unanswered.lock().unwrap().push(complete);
                    }
                }
                _ => self.list().await,
            }
        }
    }

    /// Reads every key, one after the other, and lists them.
    pub(crate) async fn read_all(&self) {
        for key in 0..KEYS {
            self.read(key).await;
        }
        self.list().await;
    }

    /// Reads a key; the write that it is, unless it cannot be read.
    pub(crate) async fn read(&self, key: usize) -> Option<State> {
        let called = self.record.now();
        let get = self.s3.get_object().bucket(BUCKET).key(key_name(key));
        let state = match answer(get.send().await) {
            Answer::Good(got) => {
                let write = written_by(got.metadata());
                let etag = got.e_tag().unwrap_or_default().to_owned();
                let Ok(bytes) = got.body.collect().await else {
                    self.broken(key, "GET, within the body");
                    return None;
                };
                let whole = body::etag(&bytes.into_bytes());
                self.record.was_answered(key, write, &etag, Some(&whole));
                write
            }
            Answer::Refused(code) if code == "NoSuchKey" => State::ABSENT,
            other => {
                self.not_done(key, "GET", &other);
                return None;
            }
        };
        self.saw(key, called, Fact::Is(state));
        Some(state)
    }

    async fn head(&self, key: usize) {
        let called = self.record.now();
        let head = self.s3.head_object().bucket(BUCKET).key(key_name(key));
        match answer(head.send().await) {
            Answer::Good(got) => {
                let write = written_by(got.metadata());
                let etag = got.e_tag().unwrap_or_default();
                self.record.was_answered(key, write, etag, None);
                self.saw(key, called, Fact::Is(write));
            }
            Answer::Refused(code) if code == "NotFound" => self.saw(key, called, Fact::Absent),
            other => self.not_done(key, "HEAD", &other),
        }
    }

    async fn list(&self) {
        let called = self.record.now();
        let list = self.s3.list_objects_v2().bucket(BUCKET);
        let listed = match answer(list.send().await) {
            Answer::Good(listed) => listed,
            other => return self.not_done(0, "LIST", &other),
        };
        let objects = listed.contents().iter();
        let objects: Vec<_> = objects
            .map(|object| (object.key().unwrap_or_default(), object.e_tag()))
            .collect();
        let is_sorted = objects.windows(2).all(|two| two[0].0 < two[1].0);
        if !is_sorted || listed.is_truncated() == Some(true) {
            let text = format!("a LIST that is no list: {objects:?}");
            self.record.fail(Failure::Violation, text);
        }
        for key in 0..KEYS {
            let name = key_name(key);
            let found = objects.iter().find(|(key, _)| *key == name);
            let fact = match found {
                Some((_, etag)) => Fact::ETag(etag.unwrap_or_default().to_owned()),
                None => Fact::Absent,
            };
            self.saw(key, called, fact);
        }
    }

    async fn put(&self, key: usize, dice: &mut Dice, condition: Condition) {
        let length = [30, 900, 5_000, 40_000, 200_000][dice.roll(5)];
        let write = self.record.new_write();
        let bytes = body::content(write.0, length);
        let etag = body::etag(&bytes);
        self.record.has_body(write, &etag, &etag);
        let called = self.record.now();
        let put = self.s3.put_object().bucket(BUCKET).key(key_name(key));
        let put = put.metadata(WRITE, write.0.to_string());
        let put = put.set_if_none_match(condition.none_match());
        let put = put.set_if_match(condition.matches());
        let answer = answer(put.body(bytes.into()).send().await);
        if let Answer::Good(answered) = &answer {
            let etag = answered.e_tag().unwrap_or_default();
            self.record.was_answered(key, write, etag, None);
        }
        self.wrote(key, called, &condition, write, &answer);
    }

    async fn delete(&self, key: usize, condition: Condition) {
        let called = self.record.now();
        let delete = self.s3.delete_object().bucket(BUCKET).key(key_name(key));
        let delete = delete.set_if_match(condition.matches());
        let answer = answer(delete.send().await);
        self.wrote(key, called, &condition, State::ABSENT, &answer);
    }

    async fn copy(&self, source: usize, key: usize) {
        let write = self.record.new_write();
        let called = self.record.now();
        let copy = self.s3.copy_object().bucket(BUCKET).key(key_name(key));
        let copy = copy.copy_source(format!("{BUCKET}/{}", key_name(source)));
        let copy = copy
            .metadata_directive(MetadataDirective::Replace)
            .metadata(WRITE, write.0.to_string());
        let answer = answer(copy.send().await);
        match &answer {
            Answer::Good(answered) => {
                let result = answered.copy_object_result();
                let etag = result.and_then(|result| result.e_tag());
                let body = self.record.was_copied(write, etag.unwrap_or_default());
                self.saw(source, called, body.map_or(Fact::Present, Fact::Body));
            }
            Answer::Refused(code) if code == "NoSuchKey" => {
                return self.saw(source, called, Fact::Absent);
            }
            _ => {}
        }
        self.wrote(key, called, &Condition::None, write, &answer);
    }

    /// Something was seen of a key since `called`.
    fn saw(&self, key: usize, called: u64, fact: Fact) {
        let returned = Some(self.record.now());
        let operation = Operation {
            called,
            returned,
            fact,
            to: None,
        };
        self.record.add(key, operation);
    }

    /// A write was called, and came to this.
    pub(crate) fn wrote<T>(
        &self,
        key: usize,
        called: u64,
        condition: &Condition,
        write: State,
        answer: &Answer<T>,
    ) {
        let returned = match answer {
            Answer::Good(_) => Some(self.record.now()),
            Answer::Refused(code) => match (code.as_str(), condition) {
                ("PreconditionFailed", Condition::IfNoneMatch) => {
                    return self.saw(key, called, Fact::Present);
                }
                ("PreconditionFailed", Condition::IfMatch(etag)) => {
                    return self.saw(key, called, Fact::NotETag(etag.clone()));
                }
                ("NoSuchKey", Condition::IfMatch(_)) => {
                    return self.saw(key, called, Fact::Absent);
                }
                ("ConditionalRequestConflict" | "OperationAborted", _) => {
                    return self.record.count("conflicts");
                }
                _ => None,
            },
            Answer::Unknown => None,
        };
        if returned.is_none() {
            self.not_done(key, "a write", answer);
        }
        let fact = match condition {
            Condition::None => Fact::Any,
            Condition::IfNoneMatch => Fact::Absent,
            Condition::IfMatch(etag) if write == State::ABSENT => Fact::ETagOrAbsent(etag.clone()),
            Condition::IfMatch(etag) => Fact::ETag(etag.clone()),
        };
        let operation = Operation {
            called,
            returned,
            fact,
            to: Some(write),
        };
        self.record.add(key, operation);
    }

    /// Something was not done: as it must be when the process is killed, and not else.
    pub(crate) fn not_done<T>(&self, key: usize, what: &str, answer: &Answer<T>) {
        match answer {
            Answer::Refused(code) if code == "SlowDown" => self.record.count("slowed down"),
            Answer::Refused(code) => {
                let text = format!("{}: {what}: {code}", key_name(key));
                let failure = match what {
                    "GET" | "HEAD" => Failure::Unreadable,
                    _ => Failure::Unexpected,
                };
                self.record.fail(failure, text);
            }
            _ => self.broken(key, what),
        }
    }

    fn broken(&self, key: usize, what: &str) {
        if !self.record.is_ending() {
            let text = format!("{}: {what}: the connection broke", key_name(key));
            self.record.fail(Failure::Unexpected, text);
        }
    }
}

/// What a request came to.
pub(crate) fn answer<T, E, R>(outcome: Result<T, SdkError<E, R>>) -> Answer<T>
where
    SdkError<E, R>: ProvideErrorMetadata,
{
    match outcome {
        Ok(good) => Answer::Good(good),
        Err(error @ SdkError::ServiceError(_)) => {
            Answer::Refused(error.code().unwrap_or("without a code").to_owned())
        }
        Err(_) => Answer::Unknown,
    }
}

/// The write that an object is of.
fn written_by(metadata: Option<&std::collections::HashMap<String, String>>) -> State {
    let number = metadata.and_then(|metadata| metadata.get(WRITE)?.parse().ok());
    State(number.unwrap_or_default())
}

/// The metadata that holds the number of the write.
pub(crate) const WRITE: &str = "write";
