//! A disk that remembers every write, and what may be left of them after a loss of power.

use std::io;
use std::sync::Arc;
use std::sync::Mutex;

use redb::StorageBackend;

/// What was done to a disk.
#[derive(Clone, Debug)]
pub(super) enum Act {
    Write {
        at: usize,
        data: Vec<u8>,
    },
    Length(usize),
    Sync,
    /// A sync that failed: what was written before is taken for clean, and never comes to the disk unless
    /// it is written again.
    FailedSync,
}

/// How a disk fails.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    /// How many acts succeed before.
    pub(super) after: usize,
    /// How many fail then.
    pub(super) lasts: usize,
    /// The system's number of the error.
    pub(super) errno: i32,
}

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    acts: Arc<Mutex<Vec<Act>>>,
    failure: Arc<Mutex<Option<Failure>>>,
}

impl Disk {
    /// A disk with these bytes on it, all of them durable.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: Arc::new(Mutex::new(bytes)),
            acts: Arc::default(),
            failure: Arc::default(),
        }
    }

    /// How much was done so far.
    pub(super) fn acts_done(&self) -> usize {
        self.acts.lock().unwrap().len()
    }

    /// All that was done so far.
    pub(super) fn acts(&self) -> Vec<Act> {
        self.acts.lock().unwrap().clone()
    }

    /// Fails from now on as `failure` says; `None`: no more.
    pub(super) fn fail(&self, failure: Option<Failure>) {
        *self.failure.lock().unwrap() = failure;
    }

    /// What is durable of all that was done so far.
    pub(super) fn durable(&self) -> Vec<u8> {
        let (mut durable, mut unsynced) = (Vec::new(), Vec::new());
        for act in self.acts() {
            match act {
                Act::Sync => unsynced.drain(..).for_each(|act| apply(&mut durable, &act)),
                Act::FailedSync => unsynced.clear(),
                act => unsynced.push(act),
            }
        }
        durable
    }

    fn act(&self, act: Act) -> io::Result<()> {
        let done = self.may_act();
        // A write that failed may have happened in part.
        let act = match (&done, act) {
            (Ok(()), act) => act,
            (Err(_), Act::Write { at, mut data }) => {
                data.truncate(data.len() / 2);
                Act::Write { at, data }
            }
            (Err(_), Act::Sync) => Act::FailedSync,
            (Err(_), _) => return done,
        };
        apply(&mut self.bytes.lock().unwrap(), &act);
        self.acts.lock().unwrap().push(act);
        done
    }

    fn may_act(&self) -> io::Result<()> {
        let mut failure = self.failure.lock().unwrap();
        let Some(failure) = failure.as_mut() else {
            return Ok(());
        };
        match (failure.after, failure.lasts) {
            (0, 0) => Ok(()),
            (0, _) => {
                failure.lasts -= 1;
                Err(io::Error::from_raw_os_error(failure.errno))
            }
            _ => {
                failure.after -= 1;
                Ok(())
            }
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let at = usize::try_from(offset).unwrap();
        let read = bytes.get(at..at + out.len());
        out.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.act(Act::Length(usize::try_from(len).unwrap()))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.act(Act::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.act(Act::Write {
            at: usize::try_from(offset).unwrap(),
            data: data.to_vec(),
        })
    }
}

/// Does to the bytes what was done to the disk.
pub(super) fn apply(bytes: &mut Vec<u8>, act: &Act) {
    match act {
        Act::Sync | Act::FailedSync => {}
        Act::Length(length) => bytes.resize(*length, 0),
        Act::Write { at, data } => {
            let end = at + data.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*at..end].copy_from_slice(data);
        }
    }
}

/// What may be left when the power fails after `unsynced` was done to a disk that durably held
/// `durable`: each act whole, not at all, or some of its sectors.
pub(super) fn left(durable: &[u8], unsynced: &[Act], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = durable.to_vec();
    for act in unsynced {
        match (dice.roll(3), act) {
            (0, _) => {}
            (1, Act::Write { at, data }) => {
                for (number, sector) in data.chunks(SECTOR_BYTES).enumerate() {
                    if dice.roll(2) == 0 {
                        let part = Act::Write {
                            at: at + number * SECTOR_BYTES,
                            data: sector.to_vec(),
                        };
                        apply(&mut bytes, &part);
                    }
                }
            }
            _ => apply(&mut bytes, act),
        }
    }
    bytes
}

/// Chance that is the same in every run: xorshift64*.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % sides
    }
}

/// What a disk writes whole or not at all.
const SECTOR_BYTES: usize = 512;
