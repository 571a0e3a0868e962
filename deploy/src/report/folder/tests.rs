//! Folders with reports, and with what else somebody could put there.

use std::os::unix::fs::symlink;

use super::*;
use crate::report::sample;

/// A data folder, and the folder of reports in it.
fn folder() -> (tempfile::TempDir, Folder) {
    let data = tempfile::tempdir().unwrap();
    let folder = Folder::of(data.path());
    (data, folder)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn write(folder: &Folder, file: &str, bytes: &[u8]) {
    std::fs::create_dir_all(&folder.path).unwrap();
    std::fs::write(folder.path.join(file), bytes).unwrap();
}

#[test]
fn a_report_is_kept_for_its_owner_alone_listed_and_read() {
    let (_data, folder) = folder();
    assert_eq!(folder.list(0).unwrap().count, 0, "there is no folder yet");
    let name = folder
        .keep(&sample::of_objects(), at(1_800_000_000))
        .unwrap();
    assert!(name.starts_with("20270115T080000Z-s3-"), "{name}");
    assert_eq!(files::mode(&folder.path), 0o700);
    assert_eq!(
        files::mode(&folder.path.join(format!("{name}.json"))),
        0o600
    );
    let listing = folder.list(0).unwrap();
    let entry = listing.entries.first().unwrap();
    assert_eq!((listing.count, &entry.name), (1, &name));
    let results = folder.read(&name).unwrap();
    assert_eq!(results.summary.served, sample::of_objects().summary.served);
    let files = std::fs::read_dir(&folder.path).unwrap().count();
    assert_eq!(files, 1, "nothing is left of the writing");
}

#[test]
fn two_reports_of_one_second_have_two_names() {
    let (_data, folder) = folder();
    let keep = || folder.keep(&sample::of_kms(), at(1_800_000_000)).unwrap();
    assert_ne!(keep(), keep());
    assert_eq!(folder.list(0).unwrap().count, 2);
}

#[test]
fn reports_are_kept_only_in_a_data_folder_that_is_there() {
    let (data, folder) = folder();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), &folder.path).unwrap();
    let keep = || {
        folder
            .keep(&sample::of_kms(), at(0))
            .unwrap_err()
            .to_string()
    };
    assert!(keep().contains("symbolic link"), "{}", keep());
    assert!(folder.list(0).unwrap_err().contains("symbolic link"));
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    data.close().unwrap();
    assert!(keep().contains("is not there any more"), "{}", keep());
}

#[test]
fn what_would_not_be_shown_is_not_kept() {
    let (_data, folder) = folder();
    let mut results = sample::of_kms();
    let stream = || crate::report::results::StreamResult {
        name: "x".to_owned(),
        offered: 0,
        sent: 0,
        served: 0,
        throttled: 0,
        given_up: 0,
    };
    results.streams = (0..101).map(|_| stream()).collect();
    let refusal = folder.keep(&results, at(0)).unwrap_err().to_string();
    assert!(refusal.contains("--json"), "{refusal}");
    assert!(!folder.path.exists());
}

#[test]
fn a_name_that_leads_elsewhere_is_no_report() {
    let (data, folder) = folder();
    folder.keep(&sample::of_kms(), at(0)).unwrap();
    std::fs::write(data.path().join("secret.json"), sample::TEXT).unwrap();
    let long = "a".repeat(81);
    let absolute = data.path().join("secret");
    for name in [
        "../secret",
        "..",
        ".",
        "",
        "a/b",
        "a\0b",
        "é",
        "%2e%2e%2fsecret",
        long.as_str(),
        absolute.to_str().unwrap(),
        "not-there",
    ] {
        assert_eq!(folder.read(name).err(), Some(Unreadable::Absent), "{name}");
    }
}

#[test]
fn what_is_no_regular_file_of_a_report_is_listed_with_the_reason_and_not_followed() {
    let (data, folder) = folder();
    write(&folder, "good.json", sample::TEXT.as_bytes());
    write(&folder, "text.json", b"<script>alert(1)</script>");
    let large = File::create(folder.path.join("large.json")).unwrap();
    large.set_len(100 << 20).unwrap();
    std::fs::create_dir(folder.path.join("folder.json")).unwrap();
    let secret = data.path().join("secret");
    std::fs::write(&secret, sample::TEXT).unwrap();
    symlink(&secret, folder.path.join("link.json")).unwrap();
    let fifo = folder.path.join("fifo.json");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    // Neither is looked at.
    write(&folder, "half.new", b"{");
    write(&folder, "no name.json", b"{");
    let listing = folder.list(0).unwrap();
    assert_eq!((listing.count, listing.is_cut), (6, false));
    for (name, expected) in [
        ("text", "It is no report"),
        ("large", "It has 104857600 bytes"),
        ("folder", "It is no regular file."),
        ("link", "It is a symbolic link."),
        ("fifo", "It is no regular file."),
    ] {
        let entry = listing.entries.iter().find(|entry| entry.name == name);
        let reason = entry.unwrap().outline.as_ref().unwrap_err();
        assert!(reason.contains(expected), "{name}: {reason}");
        let refused = Unreadable::Refused(reason.clone());
        assert_eq!(folder.read(name).err(), Some(refused), "{name}");
    }
    let mut entries = listing.entries.iter();
    assert!(entries.any(|entry| entry.name == "good" && entry.outline.is_ok()));
}

#[test]
fn a_list_has_parts_and_reads_no_more_than_its_bound() {
    let (_data, folder) = folder();
    let mut large = sample::of_kms();
    large.histogram = "A".repeat(7 << 20);
    let large = serde_json::to_vec(&large).unwrap();
    for number in 0..30 {
        let bytes = if number < 3 {
            large.as_slice()
        } else {
            sample::TEXT.as_bytes()
        };
        let file = format!("report-{number:02}.json");
        write(&folder, &file, bytes);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000 - number);
        File::options()
            .write(true)
            .open(folder.path.join(file))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    let listing = folder.list(0).unwrap();
    assert_eq!((listing.count, listing.entries.len()), (30, PAGE));
    let shown: Vec<_> = listing.entries.iter().take(4).collect();
    let is_shown: Vec<_> = shown.iter().map(|entry| entry.outline.is_ok()).collect();
    assert_eq!(is_shown, [true, true, false, true]);
    assert_eq!(shown[0].name, "report-00", "the last one first");
    let why = shown[2].outline.as_ref().unwrap_err();
    assert!(why.contains("open it"), "{why}");
    assert!(folder.read("report-02").is_ok());
    let again = folder.list(0).unwrap();
    let is_shown = again.entries.iter().all(|entry| entry.outline.is_ok());
    assert!(is_shown, "what was read before is not read again");
    assert_eq!(folder.list(PAGE).unwrap().entries.len(), 5);
    assert!(folder.list(usize::MAX).unwrap().entries.is_empty());
}

#[test]
fn a_file_that_stays_the_same_is_read_for_the_list_once_and_another_of_its_name_again() {
    let (_data, folder) = folder();
    write(&folder, "report.json", sample::TEXT.as_bytes());
    let served = || {
        let listing = folder.list(0).unwrap();
        let entry = listing.entries.into_iter().next().unwrap();
        entry.outline.map(|outline| outline.served)
    };
    assert_eq!(served(), Ok(40));
    // What it remembers is what it shows.
    let mut outlines = folder.outlines.lock().unwrap();
    let (_, outline) = outlines.get_mut("report").unwrap();
    outline.as_mut().unwrap().served = 7;
    drop(outlines);
    assert_eq!(served(), Ok(7));

    let file = folder.path.join("report.json");
    let written = std::fs::metadata(&file).unwrap().modified().unwrap();
    let other = sample::TEXT.replace("\"served\": 40", "\"served\": 39");
    assert_eq!(other.len(), sample::TEXT.len());
    std::fs::write(folder.path.join("new"), other).unwrap();
    std::fs::rename(folder.path.join("new"), &file).unwrap();
    let opened = File::options().write(true).open(&file).unwrap();
    opened.set_modified(written).unwrap();
    assert_eq!(
        served(),
        Ok(39),
        "of the same length and the same time of writing"
    );
}
