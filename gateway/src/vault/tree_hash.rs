//! Tree hashes: SHA-256 of each mebibyte, joined in pairs up to one root.
//!
//! Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations.html>

use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;

/// The root of a tree of hashes, or one node in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct TreeHash([u8; 32]);

impl TreeHash {
    /// The hash of these 64 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Self(hash))
    }

    /// The root over parts that each fill a whole subtree, the last one excepted.
    pub(crate) fn join(parts: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut stack = Stack::default();
        for part in parts {
            stack.push(part);
        }
        stack.root()
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<TreeHash> for String {
    fn from(hash: TreeHash) -> Self {
        hash.to_string()
    }
}

impl TryFrom<String> for TreeHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("a tree hash has 64 hexadecimal digits")
    }
}

/// Complete subtrees from left to right, each with its height, the heights falling.
#[derive(Default)]
struct Stack(Vec<(u32, TreeHash)>);

impl Stack {
    fn push(&mut self, hash: TreeHash) {
        let (mut height, mut hash) = (0, hash);
        while let Some((_, left)) = self.0.pop_if(|(of_left, _)| *of_left == height) {
            hash = pair(left, hash);
            height += 1;
        }
        self.0.push((height, hash));
    }

    /// What has no partner goes up as it is.
    fn root(self) -> Option<TreeHash> {
        let hashes = self.0.into_iter().rev().map(|(_, hash)| hash);
        hashes.reduce(|right, left| pair(left, right))
    }
}

fn pair(left: TreeHash, right: TreeHash) -> TreeHash {
    let mut digest = Sha256::new();
    digest.update(left.0);
    digest.update(right.0);
    TreeHash(digest.finalize().into())
}

/// Computes a tree hash while bytes pass, in memory that does not grow with them.
#[derive(Default)]
pub(crate) struct TreeHasher {
    leaf: Sha256,
    /// Bytes in the leaf that is being filled.
    filled: usize,
    stack: Stack,
}

impl TreeHasher {
    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let free = LEAF_BYTES - self.filled;
            let (now, later) = bytes.split_at(free.min(bytes.len()));
            self.leaf.update(now);
            self.filled += now.len();
            bytes = later;
            if self.filled == LEAF_BYTES {
                self.end_leaf();
            }
        }
    }

    fn end_leaf(&mut self) {
        let leaf = std::mem::take(&mut self.leaf).finalize();
        self.filled = 0;
        self.stack.push(TreeHash(leaf.into()));
    }

    /// The tree hash of all bytes; of none it is their SHA-256.
    pub(crate) fn finish(mut self) -> TreeHash {
        if self.filled > 0 || self.stack.0.is_empty() {
            self.end_leaf();
        }
        let nothing = TreeHash(Sha256::digest([]).into());
        self.stack.root().unwrap_or(nothing)
    }
}

/// Whether the tree hash of a range is a node in the tree of all `total` bytes, so that it can be compared.
///
/// Source: <https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations-range.html>
pub(crate) fn is_aligned(range: &Range<u64>, total: u64) -> bool {
    if !is_leaf_aligned(range, total) {
        return false;
    }
    let first = range.start / LEAF;
    let leaves = range.end.div_ceil(LEAF) - first;
    let size = leaves.next_power_of_two();
    first.is_multiple_of(size) && (leaves == size || range.end == total)
}

/// Whether a range begins and ends at mebibytes, or at the end of all.
pub(crate) fn is_leaf_aligned(range: &Range<u64>, total: u64) -> bool {
    let ends = range.end == total || range.end.is_multiple_of(LEAF);
    range.start < range.end && range.end <= total && range.start.is_multiple_of(LEAF) && ends
}

/// Bytes under one leaf.
const LEAF_BYTES: usize = 1 << 20;
/// The same.
pub(crate) const LEAF: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn hash(bytes: &[u8], piece: usize) -> TreeHash {
        let mut hasher = TreeHasher::default();
        for piece in bytes.chunks(piece) {
            hasher.update(piece);
        }
        hasher.finish()
    }

    #[test]
    fn tree_hashes_are_those_that_clients_compute() {
        for (bytes, expected) in [
            (
                vec![b'a'; 1],
                "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb",
            ),
            (
                vec![0; MIB],
                "30e14955ebf1352266dc2ff8067e68104607e750abb9d3b36582b8af909fcb58",
            ),
            (
                vec![0; MIB + 1],
                "28638dab8d5e1754a4ecb38b0ebe6df66c844f94aed142d4d0283d208bb786cd",
            ),
            (
                vec![0; 3 * MIB],
                "ca6cc129a4514ec765de86a4e7a49adf44842c9cac213c383ebe4071271bdf21",
            ),
            (
                vec![b'a'; 5 * MIB + MIB / 2],
                "6fe91a2459edf2f97c31f3533905d61bcb91b434c244c5146fb2d92330db76ea",
            ),
        ] {
            for piece in [MIB, 300_007, 3 * MIB] {
                let computed = hash(&bytes, piece).to_string();
                assert_eq!(computed, expected, "{} in {piece}", bytes.len());
            }
        }
    }

    #[test]
    fn parts_that_fill_subtrees_join_to_the_hash_of_the_whole() {
        let bytes: Vec<u8> = (0..=250).cycle().take(7 * MIB + 5).collect();
        for part_mib in [1, 2, 4, 8] {
            let parts = bytes.chunks(part_mib * MIB).map(|part| hash(part, MIB));
            let joined = TreeHash::join(parts);
            assert_eq!(joined, Some(hash(&bytes, MIB)), "{part_mib}");
        }
        assert_eq!(TreeHash::join([]), None);
    }

    #[test]
    fn a_range_is_aligned_where_its_hash_is_a_node_of_the_tree() {
        let mib = |range: Range<u64>| range.start << 20..range.end << 20;
        // Nine mebibytes and a half.
        let total = (9 << 20) + (1 << 19);
        for (range, aligned) in [
            (mib(0..1), true),
            (mib(3..4), true),
            (mib(0..2), true),
            (mib(1..3), false),
            (mib(0..3), false),
            (mib(4..8), true),
            (mib(2..6), false),
            (8 << 20..total, true),
            (9 << 20..total, true),
            (0..total, true),
            (4 << 20..total, false),
            (1..11, false),
            (0..(1 << 20) - 1, false),
        ] {
            assert_eq!(is_aligned(&range, total), aligned, "{range:?}");
        }
    }
}
