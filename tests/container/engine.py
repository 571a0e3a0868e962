"""What the tests of containers are made with: podman with storage of its own, the image, containers without rights."""
import contextlib
import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MIB = 1 << 20
IMAGE = "localhost/sealgate:test"
PLAINTEXT = b"CANARY-of-the-container-" + secrets.token_hex(16).encode()


class Missing(Exception):
    """What one test needs and is not there: it is not run, which is reported."""


def run(*words, ok=True, **options):
    """A command's output; fails with everything that it wrote."""
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, **options)
    if ok and done.returncode:
        raise AssertionError(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done if not ok else done.stdout.strip()


def podman(*words, **options):
    return run("podman", *words, **options)


def own_podman(work):
    """Storage and settings of our own. The limits are those of a machine without systemd, whose hard ones are lower
    than podman's defaults."""
    (work / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[network]\nnetwork_config_dir = "{work}/net"\n')
    (work / "storage.conf").write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{work}/graph"\nrunroot = "{work}/run"\n')
    os.environ["CONTAINERS_CONF"] = str(work / "containers.conf")
    os.environ["CONTAINERS_STORAGE_CONF"] = str(work / "storage.conf")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def content():
    """Layers and configuration of the image. Not its digest: podman writes the id of the container that it was built
    in into an image of Docker's format, the only one with a HEALTHCHECK."""
    image = json.loads(podman("image", "inspect", IMAGE))[0]
    return {name: image[name] for name in ("Created", "RootFS", "Config", "Labels", "History", "Healthcheck")}


def eventually(check, what, seconds=20):
    """Waits until the check holds; what it last saw, if it never does."""
    end, seen = time.monotonic() + seconds, None
    while time.monotonic() < end:
        with contextlib.suppress(OSError, AssertionError, urllib.error.URLError):
            seen = check()
            if seen:
                return seen
        time.sleep(0.05)
    raise AssertionError(f"{what}: {seen}")


def status(port, path, token=None, method="GET"):
    headers = {"content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method, headers=headers,
                                     data=b"{}" if method == "POST" else None)
    try:
        return urllib.request.urlopen(request, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code


def build(binary):
    return run(ROOT / "deploy/image/build", "--tag", IMAGE, binary)


@contextlib.contextmanager
def container(name, *words, flags=(), network=None, ports=None):
    """A container that may do nothing that a cluster forbids."""
    published = [word for inside, outside in (ports or {}).items() for word in ("-p", f"127.0.0.1:{outside}:{inside}")]
    joined = ["--network", network] if network else []
    podman("run", "-d", "-i", "--name", name, "--read-only", "--cap-drop", "all", "--memory", "64m",
           "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={ROOT}/deploy/seccomp.json",
           *published, *joined, *flags, IMAGE, *words)
    try:
        yield name
    except BaseException:
        print(podman("logs", name, ok=False).stderr, file=sys.stderr)
        raise
    finally:
        podman("rm", "-f", "-t", "0", name, ok=False)


def health(name, *words):
    done = podman("exec", name, "/usr/bin/sealgate", "health", *words, ok=False)
    return done.returncode, (done.stdout + done.stderr).strip()


def resident(name):
    """What the process has of memory, in bytes: its own part is limited by the container."""
    pid = podman("inspect", "--format", "{{.State.Pid}}", name)
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    assert int(fields["CapEff"], 16) == 0 and fields["NoNewPrivs"].strip() == "1", fields
    assert fields["Seccomp"].strip() == "2" and fields["Uid"].split()[0] == "65532", fields
    return int(fields["VmRSS"].split()[0]) * 1024


def stop(name):
    """Ends a container as an engine does; its exit status."""
    began = time.monotonic()
    podman("stop", "-t", "20", name)
    print(f"  {name} stopped in {time.monotonic() - began:.1f} s")
    return int(podman("inspect", "--format", "{{.State.ExitCode}}", name))


def clients(endpoint, kms_endpoint, ca, key):
    import boto3
    from botocore.config import Config
    common = {"aws_access_key_id": key[0], "aws_secret_access_key": key[1], "region_name": "us-east-1"}
    config = Config(retries={"total_max_attempts": 1})
    return (boto3.client("s3", endpoint_url=endpoint, verify=ca, config=config, **common),
            boto3.client("kms", endpoint_url=kms_endpoint, verify=ca, config=config, **common))


def put_and_get(s3, alias):
    s3.create_bucket(Bucket="demo")
    for mode in ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": alias}, {"ServerSideEncryption": "AES256"},
                 {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}):
        s3.put_object(Bucket="demo", Key="k", Body=PLAINTEXT, **mode)
        read = {name: value for name, value in mode.items() if name.startswith("SSEC")}
        assert s3.get_object(Bucket="demo", Key="k", **read)["Body"].read() == PLAINTEXT


def certificate(work, name):
    """A certificate for loopback that signs itself."""
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", work / f"{name}.key", "-out", work / f"{name}.pem")
    os.chmod(work / f"{name}.key", 0o644)
