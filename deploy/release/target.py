"""The targets of a release, and the binary of each: built, or given and checked."""
import os
import pathlib
import platform
import shutil
from typing import NamedTuple

from commands import ROOT
from commands import ReleaseError
from commands import run


class Target(NamedTuple):
    """What the world calls an architecture of Linux."""
    triple: str
    """The machine in the header of ELF."""
    elf: bytes
    """Of `uname -m`, and of wheels."""
    machine: str
    """Of npm packages."""
    npm: str


TARGETS = {each.triple: each for each in (
    Target("x86_64-unknown-linux-musl", b"\x3e\x00", "x86_64", "linux-x64"),
    Target("aarch64-unknown-linux-musl", b"\xb7\x00", "aarch64", "linux-arm64"),
)}


def is_native(target):
    """Whether this machine runs the target's binary."""
    return platform.system() == "Linux" and platform.machine() == target.machine


def missing_for_build(target):
    """What the build of a target needs and is not there."""
    installed = pathlib.Path(run("rustc", "--print", "sysroot")) / "lib/rustlib" / target.triple
    needs = {f"the standard library of {target.triple} (rustup target add {target.triple})": installed.is_dir()}
    if is_native(target):
        needs["musl-gcc (Debian's musl-tools)"] = shutil.which("musl-gcc")
    else:
        needs["cargo-zigbuild and zig (pip install cargo-zigbuild ziglang)"] = shutil.which("cargo-zigbuild")
    return [f"{name}, for {target.triple}" for name, found in needs.items() if not found]


def build(target, commit, seconds):
    """Builds the binary of a target from the crates that `cargo fetch` has brought."""
    cargo_home = os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo"
    renamed = {ROOT: "/sealgate", cargo_home: "/cargo"}
    name = target.triple.replace("-", "_")
    environment = {
        **os.environ, "SEALGATE_COMMIT": commit, "SOURCE_DATE_EPOCH": str(seconds), "CARGO_INCREMENTAL": "0",
        # Where it was built is in messages of panics and asserts otherwise.
        "RUSTFLAGS": " ".join(f"--remap-path-prefix={old}={new}" for old, new in renamed.items()),
        f"CFLAGS_{name}": " ".join(f"-ffile-prefix-map={old}={new}" for old, new in renamed.items()),
    }
    command = "build" if is_native(target) else "zigbuild"
    run("cargo", command, "--locked", "--offline", "--profile", "dist", "-p", "sealgate", "--target", target.triple,
        env=environment)
    folder = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return folder / target.triple / "dist/sealgate"


def check(target, binary, version, commit):
    """Fails unless it is a static binary of the target, and of the version. With a `commit`, also of that commit and
    of the profile `dist`."""
    try:
        content = binary.read_bytes()
    except OSError as error:
        raise ReleaseError(f"--binary {target.triple}={binary}: {error.strerror}") from error
    if content[:4] != b"\x7fELF" or content[18:20] != target.elf:
        raise ReleaseError(f"{binary} is no binary of {target.triple}")
    if b"/ld-" in content[:4096]:
        raise ReleaseError(f"{binary} is linked dynamically: build it with --target {target.triple}")
    if commit and commit.encode() not in content:
        raise ReleaseError(f"{binary} is not of commit {commit}: build it with SEALGATE_COMMIT={commit}, or leave "
                           "--binary out")
    if not is_native(target):
        return
    shown = run(binary, "--version", "--verbose").splitlines()
    if shown[0] != f"sealgate {version}":
        raise ReleaseError(f"{binary} is {shown[0]}, and Cargo.toml has version {version}")
    if commit and "profile: dist" not in shown:
        raise ReleaseError(f"{binary} is not of the profile dist: build it with --profile dist, or leave --binary out")
