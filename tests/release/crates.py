"""The packages for crates.io: what cargo would upload, and that it is whole."""
import pathlib
import posixpath
import re
import tarfile
import tomllib

from engine import ROOT
from engine import run

# What belongs in a package besides its sources, by the folder of its manifest.
FILES = {
    "proto": {"build.rs", "kms/v1/kms.binpb", "kms/v1/kms.proto"},
    "kms": {"CIPHERTEXT.md", "DESIGN.md", "DIFFERENCES.md", "FEATURES.md", "GRPC.md", "QUOTAS.md",
            "quotas/aws-2023.toml", "quotas/aws-2026.toml", "regions/aws-2026.toml"},
    "gateway": {"ACCESS_LOGS.md", "ACCESS_POINTS.md", "ACLS.md", "BACKENDS.md", "DESIGN.md", "DIFFERENCES.md",
                "FEATURES.md", "FORMAT.md", "OBJECT_LAMBDA.md", "VAULTS.md", "gateway.toml"},
    "deploy": {"build.rs", "gateway.toml", "kms.toml", "kubernetes/gateway/gateway.toml", "kubernetes/kms/kms.toml",
               "kubernetes/sidecar/gateway.toml", "load.schema.json", "src/chart/page.css", "src/console/script.js",
               "src/console/style.css", "src/report/sample.json"},
}
# In every package. Cargo writes the first four.
COMMON = {".cargo_vcs_info.json", "Cargo.lock", "Cargo.toml", "Cargo.toml.orig", "LICENSE", "README.md"}
FIELDS = ("description", "documentation", "readme", "keywords", "categories", "license")
INCLUDED = re.compile(r'include_(?:str|bytes)!\(\s*"([^"]+)"')


def check():
    """Cargo packages the four crates; each has its files and no other, and all that its sources include."""
    run("cargo", "package", "--workspace", "--exclude", "tests", "--exclude", "tidy", "--locked", "--offline",
        "--no-verify", "--allow-dirty", cwd=ROOT)
    for folder, expected in FILES.items():
        manifest = tomllib.loads((ROOT / folder / "Cargo.toml").read_text())
        name = manifest["package"]["name"]
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        files = unpacked(ROOT / f"target/package/{name}-{version}.crate", f"{name}-{version}/")
        check_files(name, set(files), expected | COMMON)
        package = tomllib.loads(files["Cargo.toml"].decode())["package"]
        absent = [field for field in FIELDS if not package.get(field)]
        assert not absent, f"{name} has no {', '.join(absent)}"
        assert "Apache License" in files["LICENSE"].decode(), f"the LICENSE of {name} is not the licence"
        check_includes(name, files)


def unpacked(archive, prefix):
    """The files of a package."""
    with tarfile.open(archive) as crate:
        return {member.name.removeprefix(prefix): crate.extractfile(member).read() for member in crate.getmembers()}


def check_files(name, found, expected):
    sources = {file for file in found if re.fullmatch(r"src/[a-z0-9_/]+\.rs", file)}
    # An archive of a work tree without a commit has no information about one.
    wrong = (found - sources) ^ expected
    assert wrong <= {".cargo_vcs_info.json"}, f"{name}: {sorted(wrong)} are there and not expected, or not there"
    in_repository = {str(path.relative_to(ROOT)) for path in (ROOT / folder_of(name) / "src").rglob("*.rs")}
    missing = in_repository - {f"{folder_of(name)}/{file}" for file in sources}
    assert not missing, f"{name} lacks {sorted(missing)}"


def folder_of(name):
    """The folder of a package's manifest."""
    return "deploy" if name == "sealgate" else name.removeprefix("sealgate-")


def check_includes(name, files):
    """Every file that a source includes is in the package, so that its unit tests compile, too."""
    for file, content in files.items():
        if not file.endswith(".rs"):
            continue
        for included in INCLUDED.findall(content.decode()):
            path = posixpath.normpath(posixpath.join(str(pathlib.PurePosixPath(file).parent), included))
            assert path in files, f"{name}: {file} includes {path}, which is not in the package"
