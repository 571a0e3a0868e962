"""The packages of a release, made of binaries that exist: wheels, npm's tarballs, the image, the chart."""
import base64
import hashlib
import os
import pathlib
import re
import tomllib

from archive import File
from archive import tar
from archive import tar_gz
from archive import zipped
from commands import ROOT
from commands import ReleaseError
from commands import run
from layers import Layout

PYTHON = ROOT / "deploy/packages/python"


def wheel(target, binary, version, seconds, bill):
    """The name and bytes of the wheel of a target: binary, module and pytest plugin, as pyproject.toml says.

    maturin makes the same in one go with the build of the binary; here the binary exists. `bill` is the bill of
    materials, or None.
    """
    project = tomllib.loads((PYTHON / "pyproject.toml").read_text())["project"]
    # A static binary runs beside every libc: pip on glibc takes the first two tags, pip on musl the third.
    machine = target.machine
    platforms = [f"manylinux_2_17_{machine}", f"manylinux2014_{machine}", f"musllinux_1_1_{machine}"]
    information, data = f"sealgate-{version}.dist-info", f"sealgate-{version}.data"
    tags = "".join(f"Tag: py3-none-{platform}\n" for platform in platforms)
    points = []
    for group, entries in project["entry-points"].items():
        points += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()), ""]
    files = {
        f"{data}/scripts/sealgate": File(binary, 0o755),
        f"{information}/METADATA": File(metadata(project, version).encode()),
        f"{information}/WHEEL": File(
            f"Wheel-Version: 1.0\nGenerator: sealgate-release ({version})\nRoot-Is-Purelib: false\n{tags}".encode()),
        f"{information}/entry_points.txt": File("\n".join(points).encode()),
        f"{information}/licenses/LICENSE": File((ROOT / "LICENSE").read_bytes()),
    }
    for source in sorted((PYTHON / "src/sealgate").iterdir()):
        if source.suffix == ".py" or source.name == "py.typed":
            files[f"sealgate/{source.name}"] = File(source.read_bytes())
    if bill:
        files[f"{information}/sboms/sealgate.cdx.json"] = File(bill)
    files[f"{information}/RECORD"] = File(record(files, f"{information}/RECORD").encode())
    return f"sealgate-{version}-py3-none-{'.'.join(platforms)}.whl", zipped(files, seconds)


def metadata(project, version):
    """METADATA of the wheel, of the fields in pyproject.toml."""
    lines = [
        "Metadata-Version: 2.4", "Name: sealgate", f"Version: {version}", f"Summary: {project['description']}",
        f"Keywords: {','.join(project['keywords'])}", f"License-Expression: {project['license']}",
        "License-File: LICENSE", *(f"Classifier: {each}" for each in project["classifiers"]),
        f"Requires-Python: {project['requires-python']}",
    ]
    for extra, requirements in project["optional-dependencies"].items():
        lines.append(f"Provides-Extra: {extra}")
        lines += [f"Requires-Dist: {each}; extra == '{extra}'" for each in requirements]
    readme = (PYTHON / project["readme"]).read_text()
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def record(files, own_name):
    """RECORD of a wheel: the digest and size of each file but its own."""
    lines = []
    for name, file in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(file.content)}\n")
    return "".join(lines) + f"{own_name},,\n"


def npm(binaries, out):
    """npm's tarballs, in `out`. npm gives every file one time of its own and sorts them."""
    run("node", ROOT / "deploy/packages/npm/pack.mjs", out,
        *(f"{target.npm}={binary}" for target, binary in binaries.items()))


def image(binaries, builder, version, seconds, level, work):
    """An OCI archive of the image, of one architecture or of a list of both. `level` is zstd's."""
    # A storage of its own: no image of the machine is touched, and none is left there.
    (work / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{work}/graph"\nrunroot = "{work}/run"\n')
    environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(work / "storage.conf"), "BUILDER": builder,
                   "VERSION": version, "SOURCE_DATE_EPOCH": str(seconds)}
    tag, layout = f"localhost/sealgate:{version}", work / "layout"
    run(ROOT / "deploy/image/build", "--tag", tag, *binaries.values(), env=environment)
    push = [*(["manifest", "push", "--all"] if len(binaries) > 1 else ["push"]), "--compression-format", "gzip"]
    # With the whole name: it is what an engine calls the image that it loads.
    run(builder, *push, tag, f"oci:{layout}:{tag}", env=environment)
    # Files of the image's user can be removed by podman only, where it runs without root.
    run(builder, "rmi", "--all", "--force", env=environment)
    # podman's oci-archive has the times of its files.
    files = {str(path.relative_to(layout)): path.read_bytes() for path in layout.rglob("*") if path.is_file()}
    files = Layout(files, level).files
    return tar({name: File(content) for name, content in files.items()}, seconds)


def chart(version, seconds):
    """The Helm chart, as `helm package` lays it out."""
    folder = ROOT / "deploy/helm"
    text = (folder / "Chart.yaml").read_text()
    for field in ("version", "appVersion"):
        if not re.search(rf'^{field}: "?{re.escape(version)}"?$', text, re.MULTILINE):
            raise ReleaseError(f"{field} in deploy/helm/Chart.yaml is not {version}, the version of Cargo.toml")
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return tar_gz({f"sealgate/{path.relative_to(folder)}": File(path.read_bytes()) for path in paths}, seconds)


def pages(binary, work):
    """Completion scripts and manual pages, as the binary prints them."""
    shells = {"bash": "sealgate.bash", "elvish": "sealgate.elv", "fish": "sealgate.fish",
              "powershell": "_sealgate.ps1", "zsh": "_sealgate"}
    files = {f"completions/{name}": File((run(binary, "completions", shell) + "\n").encode())
             for shell, name in shells.items()}
    folder = pathlib.Path(work) / "man"
    run(binary, "man", folder)
    return files | {f"man/{page.name}": File(page.read_bytes()) for page in folder.iterdir()}
