"""What is in a binary: its packages as a bill of materials (CycloneDX), and their licences."""
import json
import os
import pathlib
import re
import shutil

from commands import ROOT
from commands import ReleaseError
from commands import run

LICENCE = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)([-._].*)?", re.IGNORECASE)


def bill_of_materials(target, version, seconds, work):
    """CycloneDX's JSON of the binary of a target, by cargo-cyclonedx, without the paths of this machine.

    cargo-cyclonedx writes beside each manifest, so it runs on a copy of what cargo reads.
    """
    copy = work / "sources"
    if not copy.exists():
        names = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in filter(lambda name: (ROOT / name).is_file(), names):
            if name.endswith((".rs", ".toml", ".lock")) and not name.startswith("tests/fuzz/"):
                (copy / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / name, copy / name)
    run("cargo", "cyclonedx", "--quiet", "--manifest-path", copy / "deploy/Cargo.toml", "--format", "json",
        "--spec-version", "1.5", "--describe", "binaries", "--target", target.triple, "--no-build-deps",
        cwd=copy, env={**os.environ, "SOURCE_DATE_EPOCH": str(seconds), "CARGO_NET_OFFLINE": "true"})
    written = list((copy / "deploy").glob("*.cdx.json"))
    if len(written) != 1:
        raise ReleaseError(f"cargo-cyclonedx wrote {len(written)} bills of materials for one binary")
    text = written[0].read_text().replace(f"file://{copy}/", "file:///")
    written[0].unlink()
    bill = json.loads(text)
    # A number of its own for each run; a bill of one release has no need of it.
    bill.pop("serialNumber", None)
    # It resolves the whole workspace, in which the tests switch on what the binary has not.
    linked = linked_packages(target)
    absent = {each["bom-ref"] for each in bill["components"] if (each["name"], each["version"]) not in linked}
    bill["components"] = [each for each in bill["components"] if each["bom-ref"] not in absent]
    bill["dependencies"] = [
        {**each, "dependsOn": [ref for ref in each["dependsOn"] if ref not in absent]} if "dependsOn" in each else each
        for each in bill["dependencies"] if each["ref"] not in absent]
    found = bill["metadata"]["component"]
    if (found["name"], found["version"]) != ("sealgate", version) or str(copy) in text:
        raise ReleaseError(f"the bill of materials is of {found['name']} {found['version']}, or names {copy}")
    return (json.dumps(bill, indent=2, sort_keys=True) + "\n").encode()


def licences(target):
    """The licences of all packages in the binary of a target, each text once."""
    shown = run("cargo", "metadata", "--locked", "--offline", "--format-version", "1",
                "--filter-platform", target.triple)
    names = linked_packages(target)
    linked = sorted((each for each in json.loads(shown)["packages"]
                     if each["source"] and (each["name"], each["version"]) in names),
                    key=lambda each: (each["name"], each["version"]))
    texts = {}
    lines = ["The binary of Sealgate is made of these packages, and of Rust's standard library (MIT OR Apache-2.0).", ""]
    for package in linked:
        named = f"{package['name']} {package['version']}"
        found = licence_texts(pathlib.Path(package["manifest_path"]).parent)
        authors = ", ".join(package["authors"]) or "its contributors"
        without = "" if found else f" (without a text in its package; by {authors})"
        lines.append(f"{named}: {package['license'] or 'see the text below'}{without}")
        for text in found:
            texts.setdefault(text, []).append(named)
    for text, names in sorted(texts.items(), key=lambda entry: entry[1]):
        lines += ["", "=" * 100, ", ".join(dict.fromkeys(names)), "-" * 100, text]
    return ("\n".join(lines) + "\n").encode()


def linked_packages(target):
    """Name and version of the packages that `sealgate` depends on with the features that it is built with, without
    those that only its build or its tests need."""
    shown = run("cargo", "tree", "--locked", "--offline", "-p", "sealgate", "--edges", "normal",
                "--target", target.triple, "--prefix", "none", "--format", "{p}")
    packages = {tuple(line.split()[:2]) for line in shown.splitlines() if line}
    return {(name, version.removeprefix("v")) for name, version in packages}


def licence_texts(folder):
    """The texts in a package's folder, and in those of libraries of C that it brings."""
    files = [path for path in folder.rglob("*") if LICENCE.fullmatch(path.name) and path.is_file()]
    return [path.read_text(errors="replace").strip() for path in sorted(files)]
