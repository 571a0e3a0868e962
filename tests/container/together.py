"""Services that run together: in a pod, by compose, by Helm's chart, and two gateways that are restarted in turn."""
import base64
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import select
import shutil
import subprocess
import sys
import threading
import time
import tomllib

from engine import HERE
from engine import IMAGE
from engine import PLAINTEXT
from engine import ROOT
from engine import Missing
from engine import certificate
from engine import clients
from engine import container
from engine import eventually
from engine import free_port
from engine import health
from engine import podman
from engine import run
from engine import status

ACCOUNT = "123456789012"
REQUESTS, WORKERS = 10_000, 8
# What an application of a pod does, in the pod's network. Plain HTTP on its loopback counts as TLS.
APPLICATION = """
import sys
import boto3
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:9070", region_name="us-east-1",
                  aws_access_key_id=sys.argv[1], aws_secret_access_key=sys.argv[2])
s3.create_bucket(Bucket="demo")
for key, mode in (("k", {}), ("c", {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}),
                  ("kms", {"ServerSideEncryption": "aws:kms"})):
    s3.put_object(Bucket="demo", Key=key, Body=sys.argv[3].encode(), **mode)
    read = {name: value for name, value in mode.items() if name.startswith("SSEC")}
    assert s3.get_object(Bucket="demo", Key=key, **read)["Body"].read() == sys.argv[3].encode()
"""
# Forwards ports of a network to its loopback.
FORWARDER = """
import asyncio
import sys

async def copy(source, target):
    try:
        while chunk := await source.read(1 << 16):
            target.write(chunk)
            await target.drain()
    except OSError:
        pass
    target.close()

async def main():
    for pair in sys.argv[1:]:
        port, to = map(int, pair.split("="))
        async def serve(reader, writer, to=to):
            inside = await asyncio.open_connection("127.0.0.1", to)
            await asyncio.gather(copy(reader, inside[1]), copy(inside[0], writer))
        await asyncio.start_server(serve, "0.0.0.0", port)
    print("ready", flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def access_key():
    return "SG" + secrets.token_hex(9).upper(), secrets.token_urlsafe(30)


def user(key):
    return f'access_key_id = "{key[0]}"\nsecret_access_key = "{key[1]}"\naccount = "{ACCOUNT}"\n'


@contextlib.contextmanager
def base(work, service):
    """A KMS and a backend for gateways that are tested: a fixture, of whose loopback two ports are forwarded. Its
    address, and the backend's access key."""
    folder = work / "base"
    folder.mkdir()
    (folder / "up.toml").write_text(f'[kms.authenticate]\nservice_secret = "{service}"\n')
    words = ["up", "--fixture", "--ephemeral", "--config", "/run/secrets/up.toml"]
    with container("base", *words, flags=["-v", f"{folder}:/run/secrets:ro"]):
        line = fixture_line("base")
        with forwarded("base", {9000: line["backend_endpoint"], 9080: line["kms_endpoint"]}):
            address = podman("inspect", "--format", "{{.NetworkSettings.IPAddress}}", "base")
            yield address, (line["backend_access_key_id"], line["backend_secret_access_key"])


def fixture_line(name):
    """What a fixture in a container announces."""
    output = eventually(lambda: podman("logs", name, ok=False).stdout.strip(), f"no line of the fixture {name}")
    return json.loads(output.splitlines()[0])


@contextlib.contextmanager
def forwarded(name, ports):
    """Has ports of a container's network lead to endpoints on its loopback."""
    process = podman("inspect", "--format", "{{.State.Pid}}", name)
    pairs = [f"{port}={endpoint.rsplit(':', 1)[1]}" for port, endpoint in ports.items()]
    command = ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c", FORWARDER, *pairs]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as forwarder:
        try:
            assert forwarder.stdout.readline(), "nothing is forwarded"
            yield
        finally:
            forwarder.kill()


def gateway_toml(address, key, listen, more=""):
    return (f'[listen]\nhttp = "{listen}:9070"\nadmin = "0.0.0.0:9090"\n{more}'
            f'[backend]\nurl = "http://{address}:9000"\n'
            f'[kms]\nurl = "grpc://{address}:9080"\nallow_plain = true\n'
            f'secret_file = "/run/secrets/sealgate/service"\n'
            f'account = "{ACCOUNT}"\n[state]\nbucket = "state-of-the-gateways"\nfirst_start = "any"\n'
            f'gateways = "many"\n[[users]]\n{user(key)}')


def test_helm(work, binary):
    """Helm's chart is valid, and has the configuration verbatim."""
    import yaml
    if not shutil.which("helm"):
        raise Missing("helm")
    chart, built, values = ROOT / "deploy/helm", work / "chart.yaml", work / "values.yaml"
    run("helm", "lint", "--strict", "--kube-version", "1.29.0", chart)
    # TOML that neither YAML nor a template leaves alone, if they may.
    config = '# {{ .Values.image }}\n[[users]]\naccess_key_id = "a: \'b\'"\n\n\tindented = """\n---\n"""\n# \u00e4\n'
    values.write_text(yaml.safe_dump({"gateway": {"config": config}}))
    for given in ([], ["--values", values], ["--set", "kms.enabled=false,networkPolicy.enabled=false"]):
        built.write_text(run("helm", "template", "sealgate", chart, "--kube-version", "1.29.0", *given) + "\n")
        for version in ("1.29", "1.37"):
            run(sys.executable, "-m", "kubernetes_validate", "-k", version, "--strict", built)
        objects = {(it["kind"], it["metadata"]["name"]): it for it in yaml.safe_load_all(built.read_text()) if it}
        written = base64.b64decode(objects["Secret", "sealgate-gateway-config"]["data"]["gateway.toml"]).decode()
        if given[:1] == ["--values"]:
            assert written == config, written
        else:
            # What the chart has by default is what Kustomize's has.
            kustomized = (ROOT / "deploy/kubernetes/gateway/gateway.toml").read_text()
            assert tomllib.loads(written) == tomllib.loads(kustomized)
    assert ("StatefulSet", "sealgate-kms") not in objects and ("Deployment", "sealgate-gateway") in objects


def pod(folder):
    """The pod of the component, with its sidecar among the containers: podman waits for an init container's end."""
    import yaml
    documents = yaml.safe_load_all((HERE / "kubernetes/expected.yaml").read_text())
    spec = next(it for it in documents if it["kind"] == "Deployment")["spec"]["template"]["spec"]
    (sidecar,) = spec["initContainers"]
    assert sidecar.pop("restartPolicy") == "Always", "it is no native sidecar"
    sidecar["image"] = IMAGE
    volumes = [{"name": "sealgate-secrets", "hostPath": {"path": str(folder), "type": "Directory"}}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "reports"},
            "spec": {"containers": [sidecar], "volumes": volumes, "restartPolicy": "Never"}}


def test_pod(work, binary):
    """A gateway beside an application in one pod: SSE-KMS and SSE-C over the plain HTTP of the pod's loopback."""
    import yaml
    key, service, folder = access_key(), secrets.token_urlsafe(24), work / "secret"
    folder.mkdir()
    with base(work, service) as (address, backend_key):
        sidecar = gateway_toml(address, key, "127.0.0.1", "loopback_is_secure = true\n")
        for name, text in (("gateway.toml", sidecar), ("service", service), ("backend-access-key-id", backend_key[0]),
                           ("backend-secret-access-key", backend_key[1])):
            (folder / name).write_text(text)
        manifest = work / "pod.yaml"
        manifest.write_text(yaml.safe_dump(pod(folder)))
        podman("kube", "play", manifest)
        try:
            process = eventually(lambda: podman("inspect", "--format", "{{.State.Pid}}", "reports-sealgate"), "no pod")
            inside = ["nsenter", f"--net=/proc/{process}/ns/net", sys.executable, "-c"]
            probe = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/readyz').status)"
            eventually(lambda: run(*inside, probe) == "200", "the sidecar is not ready")
            run(*inside, APPLICATION, *key, PLAINTEXT.decode())
        except AssertionError:
            print(podman("logs", "reports-sealgate", ok=False).stderr, file=sys.stderr)
            raise
        finally:
            podman("kube", "down", manifest, ok=False)


class Load:
    """Workers that PUT and GET through the gateways that are ready, as clients of a Service do; nobody tries again."""

    def __init__(self, gateways):
        # By admin port: the port of S3, and a URL for each method.
        self.gateways, self.ready = gateways, set(gateways)
        self.done, self.failures, self.enough = 0, [], threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(WORKERS)]
        self.threads.append(threading.Thread(target=self.probe))

    def probe(self):
        while not self.enough.is_set():
            for admin in self.gateways:
                try:
                    is_ready = status(admin, "/readyz") == 200
                except OSError:
                    is_ready = False
                (self.ready.add if is_ready else self.ready.discard)(admin)
            self.enough.wait(0.05)

    def work(self, number):
        connections, turn = {}, number
        while not self.enough.is_set():
            turn += 1
            ready = sorted(self.ready)
            admin = ready[turn % len(ready)] if ready else next(iter(self.gateways))
            port, urls = self.gateways[admin]
            method = "PUT" if turn % 4 == 0 else "GET"
            connection = connections.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=30))
            # As urllib3 and others do: an idle connection that can be read was closed by the other side.
            if connection.sock and select.select([connection.sock], [], [], 0)[0]:
                connection.close()
            try:
                connection.request(method, urls[method], PLAINTEXT if method == "PUT" else None)
                answer = connection.getresponse()
                body = answer.read()
                wrong = answer.status != 200 or (method == "GET" and body != PLAINTEXT)
                failure = f"{method} {answer.status} {body[:200]!r}" if wrong else None
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                failure = f"{method} {error!r}"
            with self.lock:
                self.done += 1
                if failure:
                    self.failures.append(f"{self.done}: port {port}: {failure}")


def presigned(port, key):
    """URLs of one object, for each method."""
    import boto3
    from botocore.config import Config
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id=key[0],
                      aws_secret_access_key=key[1], config=Config(signature_version="s3v4"))
    return {method: s3.generate_presigned_url(name, {"Bucket": "demo", "Key": "k"}, 3600).split(f":{port}", 1)[1]
            for method, name in (("PUT", "put_object"), ("GET", "get_object"))}


def test_rolling(work, binary):
    """Two gateways are restarted in turn under load: none of 10,000 requests fails."""
    key, service, folder = access_key(), secrets.token_urlsafe(24), work / "secret"
    folder.mkdir()
    ports = {name: {9070: free_port(), 9090: free_port()} for name in ("one", "two")}
    with base(work, service) as (address, backend_key), contextlib.ExitStack() as stack:
        (folder / "service").write_text(service)
        drain = "[limits]\ndrain_delay_ms = 1500\ndrain_timeout_ms = 10000\n"
        (folder / "gateway.toml").write_text(gateway_toml(address, key, "0.0.0.0") + drain)
        flags = ["-v", f"{folder}:/run/secrets/sealgate:ro", "-e", f"SEALGATE_BACKEND_ACCESS_KEY_ID={backend_key[0]}",
                 "-e", f"SEALGATE_BACKEND_SECRET_ACCESS_KEY={backend_key[1]}"]
        for name, published in ports.items():
            command = ["gateway", "--config", "/run/secrets/sealgate/gateway.toml"]
            stack.enter_context(container(name, *command, flags=flags, ports=published))
            eventually(lambda: status(published[9090], "/readyz") == 200, f"the gateway {name} is not ready")
        s3, _ = clients(f"http://127.0.0.1:{ports['one'][9070]}", None, None, key)
        s3.create_bucket(Bucket="demo")
        s3.put_object(Bucket="demo", Key="k", Body=PLAINTEXT)
        gateways = {each[9090]: (each[9070], presigned(each[9070], key)) for each in ports.values()}
        load = Load(gateways)
        began = time.monotonic()
        for thread in load.threads:
            thread.start()
        try:
            for name, published in ports.items():
                before = load.done
                eventually(lambda: load.done > before + 500, "the load stands still")
                podman("stop", "-t", "30", name)
                assert podman("inspect", "--format", "{{.State.ExitCode}}", name) == "0"
                podman("start", name)
                eventually(lambda: published[9090] in load.ready, f"the gateway {name} does not come back")
            eventually(lambda: load.done >= REQUESTS, "too slow", seconds=120)
        finally:
            load.enough.set()
            for thread in load.threads:
                thread.join()
        rate = load.done / (time.monotonic() - began)
        print(f"  {load.done} requests, {len(load.failures)} failed, {rate:.0f} a second")
        assert not load.failures, load.failures[:10]


def compose_files(work, key):
    """The files that deploy/CONTAINER.md has somebody make, and the port of the gateway."""
    folder, port = work / "secrets", free_port()
    folder.mkdir()
    text = (ROOT / "deploy/compose.yaml").read_text()
    # Podman with CNI resolves no names in an internal network.
    for written, here in (('"9443:9443"', f'"127.0.0.1:{port}:9443"'), ("inside: { internal: true }", "inside: {}")):
        assert written in text, written
        text = text.replace(written, here)
    (work / "compose.yaml").write_text(text)
    shutil.copy(HERE / "compose.yaml", work / "override.yaml")
    certificate(folder, "gateway")
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=kms", "-addext", "subjectAltName=DNS:kms", "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", folder / "kms.key", "-out", folder / "kms.pem")
    kms = ('listen = "0.0.0.0:9080"\n[store]\nfile = "/var/lib/sealgate/keys.redb"\n'
           'root_key_file = "/run/secrets/root.key"\n[tls]\ncertificate_file = "/run/secrets/kms.pem"\n'
           f'key_file = "/run/secrets/kms.key"\n[authenticate]\naccount = "{ACCOUNT}"\n'
           f'[[authenticate.credentials]]\n{user(key)}')
    gateway = ('[listen]\nhttps = "0.0.0.0:9443"\nadmin = "127.0.0.1:9090"\n'
               'certificate_file = "/run/secrets/gateway.pem"\nprivate_key_file = "/run/secrets/gateway.key"\n'
               '[backend]\nurl = "http://backend:9000"\n[kms]\nurl = "grpcs://kms:9080"\n'
               'ca_file = "/run/secrets/kms.pem"\nsecret_file = "/run/secrets/service.secret"\n'
               # Not that of the fixture's own gateway.
               f'account = "{ACCOUNT}"\n[state]\nbucket = "state-of-compose"\nfirst_start = "any"\n'
               f'[[users]]\n{user(key)}')
    for name, text in (("service.secret", secrets.token_urlsafe(24)), ("root.key", secrets.token_hex(32)),
                       ("kms.toml", kms), ("gateway.toml", gateway), ("backend.json", "{}")):
        (folder / name).write_text(text)
    for file in folder.iterdir():
        # Mounted as they are, for the user of the image.
        os.chmod(file, 0o644)
    return port


def test_compose(work, binary):
    """The compose file brings everything up, serves, and takes it down."""
    plugins = [pathlib.Path(folder) / "dnsname" for folder in ("/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni")]
    if not any(plugin.exists() for plugin in plugins) or not shutil.which("dnsmasq"):
        raise Missing("podman's plugin dnsname, or dnsmasq")
    key = access_key()
    port = compose_files(work, key)
    environment = {**os.environ, "SEALGATE_IMAGE": IMAGE, "BACKEND_ACCESS_KEY_ID": "-",
                   "BACKEND_SECRET_ACCESS_KEY": "-"}
    compose = [sys.executable, "-m", "podman_compose", "-p", "sealgate", "-f", work / "compose.yaml",
               "-f", work / "override.yaml"]
    # Where there is no systemd, podman starts no health check by itself.
    stop = threading.Event()
    checks = threading.Thread(target=check_health, args=("sealgate_kms_1", stop))
    checks.start()
    try:
        run(*compose, "up", "-d", "backend", env=environment, timeout=120)
        line = fixture_line("sealgate_backend_1")
        environment |= {"BACKEND_ACCESS_KEY_ID": line["backend_access_key_id"],
                        "BACKEND_SECRET_ACCESS_KEY": line["backend_secret_access_key"]}
        with forwarded("sealgate_backend_1", {9000: line["backend_endpoint"]}):
            run(*compose, "up", "-d", "--no-recreate", env=environment, timeout=120)
            s3, _ = clients(f"https://localhost:{port}", None, str(work / "secrets/gateway.pem"), key)
            eventually(lambda: health("sealgate_gateway_1")[0] == 0, "the gateway is not ready")
            s3.create_bucket(Bucket="demo")
            s3.put_object(Bucket="demo", Key="k", Body=PLAINTEXT, ServerSideEncryption="aws:kms")
            assert s3.get_object(Bucket="demo", Key="k")["Body"].read() == PLAINTEXT
    except Exception:
        for name in ("kms", "gateway"):
            print(podman("logs", f"sealgate_{name}_1", ok=False).stderr, file=sys.stderr)
        raise
    finally:
        stop.set()
        checks.join()
        down = run(*compose, "down", "-v", env=environment, ok=False)
    assert down.returncode == 0, down.stderr
    left = podman("ps", "-a", "-q", "--filter", "label=io.podman.compose.project=sealgate")
    assert not left, left


def check_health(name, stop):
    while not stop.is_set():
        subprocess.run(["podman", "healthcheck", "run", name], capture_output=True, check=False)
        stop.wait(0.5)
