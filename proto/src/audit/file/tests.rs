//! Lines are whole, whatever happens to those who write them.

use std::io;
use std::io::Write;
use std::sync::Arc;

use serde_json::Value;

use crate::audit::file::EventFile;
use crate::audit::latest::Kept;
use crate::audit::tests::event;

fn events(count: usize) -> Vec<Kept> {
    (0..count)
        .map(|n| Kept::Whole(Arc::new(event(&n.to_string()))))
        .collect()
}

fn key_ids(text: &str) -> Vec<Option<String>> {
    let parsed = text.lines().map(serde_json::from_str::<Value>);
    let key_id = |value: Value| {
        value["requestParameters"]["keyId"]
            .as_str()
            .map(str::to_owned)
    };
    parsed.map(|line| line.ok().and_then(key_id)).collect()
}

#[test]
fn a_line_that_a_killed_process_left_cut_off_hides_no_later_event() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail.jsonl");
    let whole = serde_json::to_string(&event("first")).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 1, whole.len()] {
        let before = format!("{whole}\n{}", &whole[..cut]);
        std::fs::write(&path, before).unwrap();
        assert_eq!(EventFile::open(&path).unwrap().append(&events(2)), 0);
        let text = std::fs::read_to_string(&path).unwrap();
        let found = key_ids(&text);
        let [first, .., third, last] = found.as_slice() else {
            panic!("{text}");
        };
        let ids = [first, third, last].map(|id| id.clone().unwrap());
        assert_eq!(ids, ["first", "0", "1"], "cut at {cut}");
        assert!(!text.contains("\n\n"), "cut at {cut}");
    }
}

#[test]
fn many_writers_of_one_file_leave_whole_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trail.jsonl");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // Each with a file of its own, as processes have.
            scope.spawn(|| {
                let mut file = EventFile::open(&path).unwrap();
                for batch in events(400).chunks(100) {
                    assert_eq!(file.append(batch), 0);
                }
            });
        }
    });
    let text = std::fs::read_to_string(&path).unwrap();
    let found = key_ids(&text);
    assert_eq!(found.len(), 3_200);
    assert!(found.iter().all(Option::is_some));
}

/// Takes some bytes, refuses the rest once, and works from then on.
struct FullDisk {
    taken: Vec<u8>,
    bytes_left: Option<usize>,
}

impl Write for FullDisk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.bytes_left {
            Some(0) => {
                self.bytes_left = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(left) => {
                let count = left.min(bytes.len());
                self.bytes_left = Some(left - count);
                self.taken.extend_from_slice(&bytes[..count]);
                Ok(count)
            }
            None => {
                self.taken.extend_from_slice(bytes);
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_fails_within_a_line_counts_as_lost_and_hides_no_later_event() {
    for bytes_left in [0, 100] {
        let disk = FullDisk {
            taken: Vec::new(),
            bytes_left: Some(bytes_left),
        };
        let mut file = EventFile::new(disk, false);
        assert_eq!(file.append(&events(3)), 3);
        assert_eq!(file.append(&events(2)), 0);
        let text = String::from_utf8(file.file.taken).unwrap();
        let found: Vec<String> = key_ids(&text).into_iter().flatten().collect();
        assert_eq!(found, ["0", "1"]);
        assert!(!text.starts_with('\n') && !text.contains("\n\n"));
    }
}
