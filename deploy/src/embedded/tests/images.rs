//! What may be left on a disk after a loss of power.

use std::collections::BTreeMap;

use crate::embedded::disk::FileId;
use crate::embedded::tests::disk::Act;
use crate::embedded::tests::disk::Image;

/// What is durable of what was done, and what is not.
#[derive(Clone, Debug, Default)]
pub(super) struct Durable {
    /// Synced.
    index: Image,
    /// Writes to the index since its last sync.
    unsynced: Vec<Act>,
    files: BTreeMap<FileId, File>,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// How many of the bytes were synced.
    synced: usize,
    /// Whether the name was.
    has_name: bool,
    is_removed: bool,
}

impl Durable {
    /// Takes in what was done next.
    pub(super) fn act(&mut self, act: &Act) {
        match act {
            Act::WriteIndex { .. } | Act::SetLength(_) => self.unsynced.push(act.clone()),
            Act::SyncIndex => {
                for act in self.unsynced.drain(..) {
                    self.index.apply(&act);
                }
            }
            Act::Create(id) => {
                self.files.insert(*id, File::default());
            }
            Act::Append(id, bytes) => self.files.entry(*id).or_default().bytes.extend(bytes),
            Act::SyncFile(id) => {
                let file = self.files.entry(*id).or_default();
                file.synced = file.bytes.len();
            }
            Act::Link(from, to) => {
                let mut file = self.files.get(from).cloned().unwrap_or_default();
                file.has_name = false;
                self.files.insert(*to, file);
            }
            Act::Remove(id) => {
                self.files.entry(*id).or_default().is_removed = true;
            }
            Act::SyncFolder(folder) => {
                let names = self.files.iter_mut();
                for (_, file) in names.filter(|(id, _)| id.folder == *folder) {
                    file.has_name = true;
                }
                let is_gone = |id: &FileId, file: &File| id.folder == *folder && file.is_removed;
                self.files.retain(|id, file| !is_gone(id, file));
            }
        }
    }

    /// All that was done.
    pub(super) fn whole(&self) -> Image {
        let mut image = self.index.clone();
        self.unsynced.iter().for_each(|act| image.apply(act));
        for (id, file) in self.files.iter().filter(|(_, file)| !file.is_removed) {
            image.files.insert(*id, file.bytes.clone());
        }
        image
    }

    /// Only what was synced.
    pub(super) fn least(&self) -> Image {
        let mut image = self.index.clone();
        for (id, file) in self.files.iter().filter(|(_, file)| file.has_name) {
            image.files.insert(*id, file.bytes[..file.synced].to_vec());
        }
        image
    }

    /// What was synced, and of the rest some in any order: writes whole, torn at sectors, or not at
    /// all; names there or not; bytes of files there or zero.
    pub(super) fn torn(&self, dice: &mut Dice) -> Image {
        let mut image = self.index.clone();
        for act in &self.unsynced {
            match (dice.roll(3), act) {
                (0, _) => {}
                (1, Act::WriteIndex { at, bytes }) => {
                    for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        if dice.roll(2) == 0 {
                            image.apply(&Act::WriteIndex {
                                at: at + number * SECTOR_BYTES,
                                bytes: sector.to_vec(),
                            });
                        }
                    }
                }
                _ => image.apply(act),
            }
        }
        for (id, file) in &self.files {
            let is_there = match (file.has_name, file.is_removed) {
                (true, false) => true,
                _ => dice.roll(2) == 0,
            };
            if is_there {
                let mut bytes = file.bytes.clone();
                let kept = file.synced + dice.roll(bytes.len() - file.synced + 1);
                bytes[kept..].fill(0);
                image.files.insert(*id, bytes);
            }
        }
        image
    }
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
