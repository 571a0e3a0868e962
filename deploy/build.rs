//! What `sealgate --version --verbose` reports of this build.
//!
//! The commit comes from the environment of the build, `SEALGATE_COMMIT`: looking for it in a repository would make the
//! binary depend on where it was built.

#![allow(
    clippy::print_stdout,
    reason = "what a build script prints is for cargo"
)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SEALGATE_COMMIT");
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| "unknown".to_owned());
    let rustc = std::process::Command::new(variable("RUSTC"))
        .arg("--version")
        .output();
    let rustc = rustc
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok());
    let rustc = rustc.unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=SEALGATE_BUILD_RUSTC={}", rustc.trim());
    println!(
        "cargo::rustc-env=SEALGATE_BUILD_TARGET={}",
        variable("TARGET")
    );
    println!(
        "cargo::rustc-env=SEALGATE_BUILD_COMMIT={}",
        variable("SEALGATE_COMMIT")
    );
    // PROFILE has the profile that another one inherits from. The folder of a build has its own name:
    // `<profile>/build/<package>/out`.
    let out = variable("OUT_DIR");
    let profile = std::path::Path::new(&out).ancestors().nth(3);
    let profile = profile.and_then(|folder| folder.file_name()?.to_str());
    println!(
        "cargo::rustc-env=SEALGATE_BUILD_PROFILE={}",
        profile.unwrap_or("unknown")
    );
}
