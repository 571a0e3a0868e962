//! Compiles `kms/v1/kms.proto` into Rust types that speak both protobuf and AWS JSON.
//!
//! AWS JSON needs four attributes per field, all derived from the contract itself: AWS's spelling
//! of the name, base64 for blobs, absent members left out, and `null` read as absent. Messages that
//! carry secrets get a `Debug` that leaves those fields out.

use std::env;
use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use prost::Message;
use prost_types::FieldDescriptorProto;
use prost_types::field_descriptor_proto::Label;
use prost_types::field_descriptor_proto::Type;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let contract = protox::compile(["kms/v1/kms.proto"], ["."])?;
    println!("cargo:rerun-if-changed=kms/v1/kms.proto");
    fs::write(out.join("kms_descriptor.bin"), contract.encode_to_vec())?;

    let mut debug = String::new();
    let mut builder = tonic_prost_build::configure()
        .btree_map(".")
        .generate_default_stubs(true)
        .emit_rerun_if_changed(false)
        .type_attribute(".", "#[derive(serde::Serialize, serde::Deserialize)]")
        .type_attribute(".", "#[serde(default, rename_all = \"PascalCase\")]");
    for file in &contract.file {
        for message in &file.message_type {
            let path = format!(".{}.{}", file.package(), message.name());
            let name = message.name();
            let lists = name == "MultiRegionConfiguration"
                || name.ends_with("Response")
                    && (name.starts_with("List") || name.starts_with("Describe"));
            let mut secret = false;
            let mut shown = Vec::new();
            for field in &message.field {
                let map = message
                    .nested_type
                    .iter()
                    .any(|entry| field.type_name() == format!("{path}.{}", entry.name()));
                let wire = serde_attributes(field, map, lists);
                builder = builder.field_attribute(format!("{path}.{}", field.name()), wire);
                if SECRETS.contains(&field.name()) {
                    secret = true;
                } else {
                    shown.push(field.name());
                }
            }
            if secret {
                builder = builder.skip_debug([path.as_str()]);
                write_debug(&mut debug, message.name(), &shown)?;
            }
        }
    }
    fs::write(out.join("kms_debug.rs"), debug)?;
    builder.compile_fds(contract)?;
    Ok(())
}

/// The AWS JSON attributes of one field.
///
/// The list that a List operation returns is always sent, even when empty; other empty lists are
/// left out, as AWS does.
fn serde_attributes(field: &FieldDescriptorProto, map: bool, lists: bool) -> String {
    let mut parts = vec!["deserialize_with = \"crate::aws_json::nullable\"".to_owned()];
    if field.label() == Label::Repeated {
        if map {
            parts.push("skip_serializing_if = \"std::collections::BTreeMap::is_empty\"".to_owned());
        } else if !lists {
            parts.push("skip_serializing_if = \"Vec::is_empty\"".to_owned());
        }
    } else {
        parts.push("skip_serializing_if = \"Option::is_none\"".to_owned());
        if field.r#type() == Type::Bytes {
            parts = vec![
                "with = \"crate::aws_json::blob\"".to_owned(),
                "skip_serializing_if = \"Option::is_none\"".to_owned(),
            ];
        }
    }
    if field.json_name().starts_with(char::is_uppercase) {
        parts.push(format!("rename = \"{}\"", field.json_name()));
    }
    format!("#[serde({})]", parts.join(", "))
}

fn write_debug(out: &mut String, message: &str, shown: &[&str]) -> Result<(), std::fmt::Error> {
    writeln!(out, "impl core::fmt::Debug for {message} {{")?;
    writeln!(
        out,
        "    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {{"
    )?;
    writeln!(out, "        f.debug_struct(\"{message}\")")?;
    for field in shown {
        writeln!(out, "            .field(\"{field}\", &self.{field})")?;
    }
    writeln!(out, "            .finish_non_exhaustive()\n    }}\n}}")
}

/// Fields that never appear in `Debug`.
const SECRETS: [&str; 6] = [
    "key_store_password",
    "message",
    "plaintext",
    "private_key_plaintext",
    "raw_secret_access_key",
    "shared_secret",
];
