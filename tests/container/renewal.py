"""Files of a mounted Secret that change while a gateway serves: its certificate is the one that is read again."""
import contextlib
import hashlib
import os
import pathlib
import secrets
import shutil
import socket
import ssl
import threading

from engine import certificate
from engine import container
from engine import eventually
from engine import free_port
from engine import podman
from engine import status
from together import access_key
from together import base
from together import gateway_toml

SWAPS = 1_000
# The gateway looks every five seconds, and uses what it saw twice.
NOTICED_SECONDS = 40


class Secret:
    """A folder as a kubelet mounts a Secret: names lead through the link `..data` to the newest version."""

    def __init__(self, folder, files):
        self.folder, self.version = folder, 0
        folder.mkdir()
        self.swap(files)
        for name in files:
            (folder / name).symlink_to(pathlib.Path("..data") / name)

    def swap(self, files):
        """Puts a version in the place of the one before, in one step."""
        self.version += 1
        version, old = self.folder / f"..{self.version}", self.folder / f"..{self.version - 1}"
        version.mkdir()
        for name, content in files.items():
            (version / name).write_bytes(content)
        (self.folder / "..new").symlink_to(version.name)
        os.replace(self.folder / "..new", self.folder / "..data")
        shutil.rmtree(old, ignore_errors=True)


def served(port):
    """The digest of the certificate of a new connection, on which a request is answered."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw, context.wrap_socket(raw) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        answer = connection.recv(64)
        assert answer.startswith(b"HTTP/1.1 "), answer
        return hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()


def digest(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode())).hexdigest()


def pair(work, name):
    """The files of a new certificate."""
    certificate(work, name)
    return {"tls.crt": (work / f"{name}.pem").read_bytes(), "tls.key": (work / f"{name}.key").read_bytes()}


def test_renewal(work, binary):
    """A certificate is renewed under 1,000 swaps without an error, and a bad file leaves the one before in use."""
    key, service = access_key(), secrets.token_urlsafe(24)
    first, second = pair(work, "first"), pair(work, "second")
    ports = {name: {9443: free_port(), 9090: free_port()} for name in ("renewed", "spoilt")}
    with base(work, service) as (address, backend_key), contextlib.ExitStack() as stack:
        more = ('https = "0.0.0.0:9443"\ncertificate_file = "/run/secrets/sealgate/tls.crt"\n'
                'private_key_file = "/run/secrets/sealgate/tls.key"\n')
        others = {"service": service.encode(), "gateway.toml": gateway_toml(address, key, "127.0.0.1", more).encode()}
        mounted = {}
        for name, published in ports.items():
            mounted[name] = Secret(work / f"secret-{name}", {**others, **first})
            flags = ["-v", f"{work}/secret-{name}:/run/secrets/sealgate:ro",
                     "-e", f"SEALGATE_BACKEND_ACCESS_KEY_ID={backend_key[0]}",
                     "-e", f"SEALGATE_BACKEND_SECRET_ACCESS_KEY={backend_key[1]}"]
            command = ["gateway", "--config", "/run/secrets/sealgate/gateway.toml"]
            stack.enter_context(container(name, *command, flags=flags, ports=published))
            eventually(lambda: status(published[9090], "/readyz") == 200, f"the gateway {name} is not ready")
            assert served(published[9443]) == digest(first["tls.crt"])
        mounted["spoilt"].swap({**others, "tls.crt": b"no certificate\n", "tls.key": first["tls.key"]})
        count, errors = swap_under_load(mounted["renewed"], ports["renewed"][9443], others, first, second)
        print(f"  {SWAPS} swaps, {count} connections, {len(errors)} errors")
        assert count > 0 and not errors, errors[:5]
        renewed = ports["renewed"][9443]
        eventually(lambda: served(renewed) == digest(second["tls.crt"]), "it has the old one", NOTICED_SECONDS)
        kept = "the certificate of the HTTPS port: what was read before stays in use"
        eventually(lambda: kept in podman("logs", "spoilt", ok=False).stderr, "nobody says so", NOTICED_SECONDS)
        assert served(ports["spoilt"][9443]) == digest(first["tls.crt"])


def swap_under_load(secret, port, others, first, second):
    """Swaps between two certificates, the second of which is the last; how many connections there were, and errors."""
    errors, enough, counts = [], threading.Event(), [0, 0]

    def connect(number):
        while not enough.is_set():
            try:
                served(port)
                counts[number] += 1
            except (OSError, AssertionError) as error:
                errors.append(repr(error))

    workers = [threading.Thread(target=connect, args=(number,)) for number in range(len(counts))]
    for worker in workers:
        worker.start()
    for number in range(SWAPS):
        secret.swap({**others, **(second if number % 2 else first)})
    enough.set()
    for worker in workers:
        worker.join()
    return sum(counts), errors
