"""What is in the files of a release."""
import hashlib
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from typing import NamedTuple

from engine import MIB
from engine import ROOT
from engine import Missing
from engine import run

VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
# In every archive of a target, besides its manual pages.
ARCHIVED = {
    "sealgate", "LICENSE", "THIRD-PARTY-LICENSES.txt", "README.md", "CHANGELOG.md", "kms.toml", "gateway.toml",
    "quotas/aws-2023.toml", "quotas/aws-2026.toml", "systemd/sealgate-kms.service",
    "systemd/sealgate-gateway.service", "completions/sealgate.bash", "completions/sealgate.elv",
    "completions/sealgate.fish", "completions/_sealgate", "completions/_sealgate.ps1",
}
NPM = {"x86_64-unknown-linux-musl": "linux-x64", "aarch64-unknown-linux-musl": "linux-arm64"}
IMAGE_NAME = f"localhost/sealgate:{VERSION}"
OCI = {"x86_64-unknown-linux-musl": "amd64", "aarch64-unknown-linux-musl": "arm64"}


class Made(NamedTuple):
    """A draft: its folder, and the binaries that it was made of."""
    work: pathlib.Path
    folder: pathlib.Path
    binaries: dict
    """The target of this machine, whose binary runs."""
    triple: str
    """The other one, whose binary is a header."""
    other: str

    def wheel(self, triple):
        machine = triple.split("-")[0]
        return self.folder / (f"sealgate-{VERSION}-py3-none-manylinux_2_17_{machine}.manylinux2014_{machine}"
                              f".musllinux_1_1_{machine}.whl")


def members(archive):
    """Names, bytes and modes of a tar archive, which has files of user 0 and of one time only."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        entries = opened.getmembers()
        files = {entry.name: (opened.extractfile(entry).read(), entry.mode) for entry in entries if entry.isfile()}
    assert len(files) == len(entries), "there are entries that are no files"
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries} == {(0, 0, "")}
    assert len({entry.mtime for entry in entries}) == 1, "the files have several times"
    return files


def test_files(made):
    """The folder has the expected files and no other, and SHA256SUMS is of all of them."""
    expected = {"SHA256SUMS", f"sealgate-chart-{VERSION}.tgz"}
    for triple in made.binaries:
        expected |= {f"sealgate-{triple}.tar.gz", f"sealgate-{triple}.zip", made.wheel(triple).name}
    if shutil.which("npm"):
        expected |= {f"sealgate-{VERSION}.tgz", *(f"sealgate-{npm}-{VERSION}.tgz" for npm in NPM.values())}
    if has_image():
        expected.add("sealgate-image.oci.tar")
    if shutil.which("cargo-cyclonedx"):
        expected |= {f"sealgate-{triple}.cdx.json" for triple in made.binaries}
    found = {path.name for path in made.folder.iterdir()}
    assert found == expected, found ^ expected
    run("sha256sum", "--check", "--strict", "SHA256SUMS", cwd=made.folder)
    named = {line.split("  ")[1] for line in (made.folder / "SHA256SUMS").read_text().splitlines()}
    assert named == expected - {"SHA256SUMS"}, named ^ expected


def test_archives(made):
    """Both archives of a target have the same files, those of the list; the binary in them starts."""
    run(made.binaries[made.triple], "man", made.work / "man")
    manual = {f"man/{page.name}" for page in (made.work / "man").iterdir()}
    assert "man/sealgate.1" in manual and "man/sealgate-up.1" in manual, manual
    for triple, binary in made.binaries.items():
        prefix = f"sealgate-{triple}/"
        files = members((made.folder / f"sealgate-{triple}.tar.gz").read_bytes())
        assert set(files) == {prefix + name for name in ARCHIVED | manual}, files.keys()
        executable = [name for name, (_, mode) in files.items() if mode != 0o644]
        assert executable == [prefix + "sealgate"] and files[executable[0]] == (binary.read_bytes(), 0o755)
        texts = files[prefix + "THIRD-PARTY-LICENSES.txt"][0].decode()
        for named in ("\nrustls ", "\ntokio ", "\naws-lc-sys ", "Permission is hereby granted"):
            assert named in texts, f"{named} is not among the licences"
        assert "aws-sdk" not in texts, "a package of the tests is among the licences"
        with zipfile.ZipFile(made.folder / f"sealgate-{triple}.zip") as archive:
            same = {entry.filename: (archive.read(entry), entry.external_attr >> 16 & 0o777)
                    for entry in archive.infolist()}
        assert same == files, "the zip archive differs from that of tar"
    run("tar", "-xzf", made.folder / f"sealgate-{made.triple}.tar.gz", "-C", made.work)
    assert run(made.work / f"sealgate-{made.triple}/sealgate", "--version") == f"sealgate {VERSION}"
    print(f"  {(made.folder / f'sealgate-{made.triple}.tar.gz').stat().st_size / MIB:.1f} MiB compressed")


def test_wheel(made):
    """pip installs it without a network: the command runs, and pytest would find the plugin."""
    venv = made.work / "venv"
    run(sys.executable, "-m", "venv", venv)
    run(venv / "bin/pip", "install", "-q", "--disable-pip-version-check", "--no-index", made.wheel(made.triple))
    assert run(venv / "bin/sealgate", "--version") == f"sealgate {VERSION}"
    question = ("import importlib.metadata as m, sealgate; d = m.distribution('sealgate'); print(d.version, "
                "[e.value for e in d.entry_points if e.group == 'pytest11'], d.metadata['License-Expression'])")
    expected = f"{VERSION} ['sealgate.pytest_plugin'] Apache-2.0"
    assert run(venv / "bin/python", "-c", question) == expected
    for triple in made.binaries:
        with zipfile.ZipFile(made.wheel(triple)) as wheel:
            names = {name for name in wheel.namelist() if not name.endswith("RECORD")}
            rows = wheel.read(f"sealgate-{VERSION}.dist-info/RECORD").decode().splitlines()
            assert {row.split(",")[0] for row in rows if not row.endswith(",,")} == names
            tags = wheel.read(f"sealgate-{VERSION}.dist-info/WHEEL").decode()
            machine = triple.split("-")[0]
            assert f"Tag: py3-none-musllinux_1_1_{machine}\n" in tags and tags.count("Tag: ") == 3, tags


def test_npm(made):
    """The tarball of each platform has its binary, for its system only; `sealgate` names both, of this version."""
    if not shutil.which("npm"):
        raise Missing("npm")
    for triple, binary in made.binaries.items():
        files = npm_files(made.folder / f"sealgate-{NPM[triple]}-{VERSION}.tgz")
        assert set(files) == {"package/package.json", "package/LICENSE", "package/bin/sealgate"}, files.keys()
        content, mode = files["package/bin/sealgate"]
        assert content == binary.read_bytes() and mode == 0o755, f"the mode of {triple}'s binary is {mode:o}"
        manifest = json.loads(files["package/package.json"][0])
        assert (manifest["os"][0], manifest["cpu"][0]) == tuple(NPM[triple].split("-")), manifest
    manifest = json.loads(npm_files(made.folder / f"sealgate-{VERSION}.tgz")["package/package.json"][0])
    assert manifest["optionalDependencies"] == {f"@sealgate/{npm}": VERSION for npm in NPM.values()}


def npm_files(path):
    with tarfile.open(path) as opened:
        return {entry.name: (opened.extractfile(entry).read(), entry.mode) for entry in opened}


def has_image():
    """Whether this machine has what the image is made with."""
    return all(map(shutil.which, ("podman", "zstd")))


def test_image(made):
    """The OCI archive has an image of each architecture, with that architecture's binary; podman loads its own."""
    if not has_image():
        raise Missing("podman or zstd")
    archive = members((made.folder / "sealgate-image.oci.tar").read_bytes())
    files = {name: content for name, (content, _) in archive.items()}
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}", f"{name} is another blob"
    assert json.loads(files["oci-layout"])["imageLayoutVersion"] == "1.0.0"

    def blob(description):
        return files["blobs/" + description["digest"].replace(":", "/")]

    [listed] = json.loads(files["index.json"])["manifests"]
    assert listed["annotations"]["org.opencontainers.image.ref.name"] == IMAGE_NAME, listed
    found = {}
    for described in json.loads(blob(listed))["manifests"]:
        manifest = json.loads(blob(described))
        config = json.loads(blob(manifest["config"]))
        assert config["architecture"] == described["platform"]["architecture"] and config["os"] == "linux"
        assert config["config"]["Labels"]["org.opencontainers.image.version"] == VERSION
        [layer] = manifest["layers"]
        assert layer["mediaType"] == "application/vnd.oci.image.layer.v1.tar+zstd", layer
        unpacked = subprocess.run(["zstd", "-dc"], input=blob(layer), capture_output=True, check=True).stdout
        assert config["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(unpacked).hexdigest()}"]
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as opened:
            found[config["architecture"]] = opened.extractfile("usr/bin/sealgate").read()
        print(f"  {config['architecture']}: {layer['size'] / MIB:.1f} MiB compressed")
    assert found == {OCI[triple]: binary.read_bytes() for triple, binary in made.binaries.items()}, found.keys()
    run("podman", "load", "-q", "-i", made.folder / "sealgate-image.oci.tar")
    assert run("podman", "image", "inspect", "--format", "{{.Architecture}}", IMAGE_NAME) == OCI[made.triple]


def test_chart(made):
    """The chart has the files of deploy/helm, below its name."""
    files = members((made.folder / f"sealgate-chart-{VERSION}.tgz").read_bytes())
    folder = ROOT / "deploy/helm"
    expected = {f"sealgate/{path.relative_to(folder)}": (path.read_bytes(), 0o644)
                for path in folder.rglob("*") if path.is_file()}
    assert files == expected, files.keys() ^ expected.keys()


def test_materials(made):
    """The bill of materials names what is in the binary, nothing of the tests, and no path of this machine."""
    if not shutil.which("cargo-cyclonedx"):
        raise Missing("cargo-cyclonedx")
    for triple in made.binaries:
        text = (made.folder / f"sealgate-{triple}.cdx.json").read_text()
        bill = json.loads(text)
        assert bill["bomFormat"] == "CycloneDX" and bill["metadata"]["component"]["version"] == VERSION
        names = {component["name"] for component in bill["components"]}
        assert {"rustls", "redb", "sealgate-gateway", "sealgate-kms"} <= names, names
        assert not any(name.startswith("aws-sdk") for name in names), "a package of the tests is in it"
        for path in (str(ROOT), str(pathlib.Path.home()), "/tmp/"):
            assert path not in text, f"{path} is in it"
        print(f"  {triple}: {len(names)} packages")
    with zipfile.ZipFile(made.wheel(made.triple)) as wheel:
        assert json.loads(wheel.read(f"sealgate-{VERSION}.dist-info/sboms/sealgate.cdx.json"))["components"]
