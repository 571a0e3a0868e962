//! The contract's style, and that no change breaks programs that were built with an earlier one.
//!
//! `kms/v1/kms.binpb` is the contract that programs may have been built with: a
//! `google.protobuf.FileDescriptorSet` without comments. What it has must stay, under its number and name.
//! After an addition, `cargo test --workspace --lib record_the_contract -- --ignored` adds it there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use prost::Message as _;
use prost_types::DescriptorProto;
use prost_types::FieldDescriptorProto;
use prost_types::FileDescriptorProto;
use prost_types::FileDescriptorSet;

use super::FILE_DESCRIPTOR_SET;

/// The contract as it is now.
fn current() -> FileDescriptorProto {
    only_file(FILE_DESCRIPTOR_SET)
}

/// The contract that must stay usable.
fn recorded() -> FileDescriptorProto {
    only_file(include_bytes!("../../kms/v1/kms.binpb"))
}

fn only_file(bytes: &[u8]) -> FileDescriptorProto {
    let set = FileDescriptorSet::decode(bytes).unwrap();
    let [file] = <[_; 1]>::try_from(set.file).unwrap();
    file
}

/// The contract without comments, which may change.
fn without_comments(mut file: FileDescriptorProto) -> FileDescriptorProto {
    file.source_code_info = None;
    file
}

/// What a program of the contract `old` could not do any more with a server of `new`.
fn breaking_changes(old: &FileDescriptorProto, new: &FileDescriptorProto) -> Vec<String> {
    let mut changes = Vec::new();
    if (old.package(), old.syntax()) != (new.package(), new.syntax()) {
        changes.push("the package or the syntax".to_owned());
    }
    let methods = |file: &FileDescriptorProto| -> BTreeMap<String, _> {
        let services = file.service.iter();
        let methods = services.flat_map(|service| {
            let path = move |name: &str| format!("{}/{name}", service.name());
            let methods = service.method.iter();
            methods.map(move |method| (path(method.name()), without_options(method)))
        });
        methods.collect()
    };
    let new_methods = methods(new);
    for (path, method) in methods(old) {
        if new_methods.get(&path) != Some(&method) {
            changes.push(path);
        }
    }
    let new_messages: BTreeMap<_, _> = messages("", &new.message_type).into_iter().collect();
    for (name, message) in messages("", &old.message_type) {
        match new_messages.get(&name) {
            Some(new) => changes.extend(changed_fields(&name, message, new)),
            None => changes.push(name),
        }
    }
    if old.enum_type != new.enum_type {
        changes.push("an enumeration".to_owned());
    }
    changes
}

/// Input, output and streams of a method.
fn without_options(method: &prost_types::MethodDescriptorProto) -> (String, String, bool, bool) {
    let (input, output) = (method.input_type(), method.output_type());
    let streams = (method.client_streaming(), method.server_streaming());
    (input.to_owned(), output.to_owned(), streams.0, streams.1)
}

/// All messages by their names, those within others too.
fn messages<'a>(within: &str, list: &'a [DescriptorProto]) -> Vec<(String, &'a DescriptorProto)> {
    let mut all = Vec::new();
    for message in list {
        let name = format!("{within}{}", message.name());
        all.extend(messages(&format!("{name}."), &message.nested_type));
        all.push((name, message));
    }
    all
}

/// Fields of `old` whose number, name or type is another one in `new`, or that are gone; and new fields
/// with the number or name of one that was reserved.
fn changed_fields(name: &str, old: &DescriptorProto, new: &DescriptorProto) -> Vec<String> {
    let mut changes = Vec::new();
    for field in &old.field {
        let same = |new: &&FieldDescriptorProto| new.number() == field.number();
        let stays = new.field.iter().find(same).is_some_and(|new| {
            (
                new.name(),
                new.json_name(),
                new.label(),
                new.r#type(),
                new.type_name(),
            ) == (
                field.name(),
                field.json_name(),
                field.label(),
                field.r#type(),
                field.type_name(),
            ) && new.proto3_optional() == field.proto3_optional()
                && new.oneof_index.is_some() == field.oneof_index.is_some()
        });
        if !stays {
            changes.push(format!("{name}.{} = {}", field.name(), field.number()));
        }
    }
    if old
        .reserved_range
        .iter()
        .any(|range| !new.reserved_range.contains(range))
        || old
            .reserved_name
            .iter()
            .any(|name| !new.reserved_name.contains(name))
    {
        changes.push(format!("{name}: what is reserved"));
    }
    changes
}

/// The rules that the contract breaks. They are those of Buf's categories STANDARD and COMMENTS that
/// concern it.
///
/// Source: <https://buf.build/docs/lint/rules/>
fn style_faults(file: &FileDescriptorProto) -> Vec<String> {
    let mut faults = Vec::new();
    let package = file.package();
    if !package.rsplit('.').next().is_some_and(is_version) {
        faults.push(format!("{package} has no version"));
    }
    let commented: BTreeSet<Vec<i32>> = file
        .source_code_info
        .iter()
        .flat_map(|info| &info.location)
        .filter(|location| !location.leading_comments().trim().is_empty())
        .map(|location| location.path.clone())
        .collect();
    let mut check = |name: &str, is_styled: bool, path: &[usize]| {
        let path: Vec<i32> = path
            .iter()
            .map(|part| i32::try_from(*part).unwrap())
            .collect();
        if !is_styled {
            faults.push(format!("{name} is written otherwise"));
        }
        if !commented.contains(&path) {
            faults.push(format!("{name} has no comment"));
        }
    };
    for (s, service) in file.service.iter().enumerate() {
        check(service.name(), is_pascal_case(service.name()), &[6, s]);
        for (m, method) in service.method.iter().enumerate() {
            let name = method.name();
            let package = format!(".{package}.{name}");
            let has_own_messages = method.input_type() == format!("{package}Request")
                && method.output_type() == format!("{package}Response");
            check(
                name,
                is_pascal_case(name) && has_own_messages,
                &[6, s, 2, m],
            );
        }
    }
    for (m, message) in file.message_type.iter().enumerate() {
        check(message.name(), is_pascal_case(message.name()), &[4, m]);
        for (f, field) in message.field.iter().enumerate() {
            let name = format!("{}.{}", message.name(), field.name());
            check(&name, is_snake_case(field.name()), &[4, m, 2, f]);
        }
    }
    faults
}

fn is_version(part: &str) -> bool {
    let number = part.strip_prefix('v').unwrap_or_default();
    number.parse::<u32>().is_ok_and(|number| number > 0)
}

fn is_pascal_case(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_snake_case(name: &str) -> bool {
    let within = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(within)
        && !name.contains("__")
        && !name.ends_with('_')
}

#[test]
fn the_contract_breaks_no_program_that_was_built_with_an_earlier_one() {
    let changes = breaking_changes(&recorded(), &current());
    assert!(changes.is_empty(), "changed or gone: {changes:#?}");
}

#[test]
fn the_recorded_contract_has_every_addition() {
    let is_recorded = without_comments(current()) == recorded();
    assert!(is_recorded, "record it: see the head of this file");
}

#[test]
fn the_contract_follows_the_style_and_every_part_has_a_comment() {
    let faults = style_faults(&current());
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_kind_of_breaking_change_is_noticed() {
    type Change = fn(&mut FileDescriptorProto);
    let changes: &[(&str, Change)] = &[
        ("package", |file| {
            file.package = Some("sealgate.kms.v2".to_owned())
        }),
        ("KeyManagement/CreateKey", |file| {
            file.service[0].method.remove(0);
        }),
        ("KeyManagement/CreateKey", |file| {
            file.service[0].method[0].server_streaming = Some(true);
        }),
        ("KeyManagement/CreateKey", |file| {
            let other = ".sealgate.kms.v1.EncryptRequest".to_owned();
            file.service[0].method[0].input_type = Some(other);
        }),
        ("CreateKeyRequest", |file| {
            file.message_type.remove(0);
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field.remove(0);
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field[0].number = Some(99);
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field[0].name = Some("rules".to_owned());
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field[0].json_name = Some("Rules".to_owned());
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field[0]
                .set_type(prost_types::field_descriptor_proto::Type::Bytes);
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            let repeated = prost_types::field_descriptor_proto::Label::Repeated;
            file.message_type[0].field[0].set_label(repeated);
        }),
        ("CreateKeyRequest.policy = 1", |file| {
            file.message_type[0].field[0].proto3_optional = None;
        }),
    ];
    for (named, change) in changes {
        let mut changed = current();
        change(&mut changed);
        let found = breaking_changes(&current(), &changed);
        assert!(
            found.iter().any(|found| found.contains(named)),
            "{named}: {found:?}"
        );
    }
    let mut added = current();
    let mut field = added.message_type[0].field[0].clone();
    (field.name, field.number) = (Some("new".to_owned()), Some(100));
    added.message_type[0].field.push(field);
    assert!(breaking_changes(&current(), &added).is_empty());
}

#[test]
fn every_fault_of_style_is_noticed() {
    type Change = fn(&mut FileDescriptorProto);
    let changes: &[Change] = &[
        |file| file.package = Some("sealgate.kms".to_owned()),
        |file| file.service[0].name = Some("key_management".to_owned()),
        |file| file.service[0].method[0].name = Some("createKey".to_owned()),
        |file| file.service[0].method[0].output_type = Some(".x.Anything".to_owned()),
        |file| file.message_type[0].name = Some("Create_Key".to_owned()),
        |file| file.message_type[0].field[0].name = Some("keyId".to_owned()),
        |file| file.source_code_info = None,
    ];
    for change in changes {
        let mut changed = current();
        change(&mut changed);
        assert!(!style_faults(&changed).is_empty());
    }
}

#[test]
#[ignore = "writes a file of the repository"]
fn record_the_contract() {
    let changes = breaking_changes(&recorded(), &current());
    assert!(changes.is_empty(), "programs depend on {changes:#?}");
    let file = vec![without_comments(current())];
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/kms/v1/kms.binpb");
    std::fs::write(path, FileDescriptorSet { file }.encode_to_vec()).unwrap();
}
