"""Backends and gateways for the length of a test, for the scripts that compare them."""
import contextlib
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
BACKENDS = ["embedded", "seaweedfs", "moto", "garage", "ceph", "minio", "juicefs"]


def gateway_program():
    """The gateway to test: the one that SEALGATE names, else a release build."""
    if named := os.environ.get("SEALGATE"):
        return pathlib.Path(named).resolve()
    subprocess.run(["cargo", "build", "--release", "-p", "sealgate"], cwd=ROOT, check=True)
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release" / "sealgate"


def backend_program(kind):
    """The program of a backend, installed into target/backends; none for the embedded one, and False
    where it cannot be installed, which is reported."""
    if kind == "embedded":
        return None
    done = subprocess.run([HERE / "install", kind, ROOT / "target" / "backends"],
                          stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 3):
        sys.exit(f"{kind}: its installation ended with {done.returncode}")
    return done.stdout.strip() if done.returncode == 0 else False


@contextlib.contextmanager
def child(command, log, environment=None):
    """A process that ends when its standard input closes; gives its first line of output."""
    with open(log, "w") as errors:
        process = subprocess.Popen(command, env={**os.environ, **(environment or {})}, text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
        try:
            line = process.stdout.readline()
            if not line:
                sys.exit(f"{command[0]} did not start:\n{pathlib.Path(log).read_text()[-4000:]}")
            yield line
        finally:
            process.stdin.close()
            try:
                status = process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
        if status != 0:
            sys.exit(f"{command[0]} ended with {status} when its input closed")


@contextlib.contextmanager
def backend(kind, program, work, users=None):
    """Endpoint, access key id and secret access key of a backend; nothing for the embedded one."""
    if kind == "embedded":
        yield None
        return
    command = [HERE / kind, program, work / "backend", *([json.dumps(users)] if users else [])]
    with child(command, work / f"{kind}.log") as line:
        yield line.split()


@contextlib.contextmanager
def gateway(program, behind, work, *flags):
    """What a gateway prints that stands before this backend, or before its own."""
    command = [program, "up", "--fixture", "--data", work / "data", *flags]
    environment = {}
    if behind:
        command += ["--backend", behind[0]]
        environment = {"SEALGATE_BACKEND_ACCESS_KEY_ID": behind[1],
                       "SEALGATE_BACKEND_SECRET_ACCESS_KEY": behind[2]}
    with child(command, work / "sealgate.log", environment) as line:
        yield json.loads(line)
