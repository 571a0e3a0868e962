"""Sealgate in a container, by Testcontainers: `SealgateContainer`. `pip install sealgate[testcontainers]`.

Names are those of LocalStack's class. The credentials are random for each container; none is built in.
"""
from __future__ import annotations

import os
import pathlib
import secrets
import tempfile
import time
from typing import Any, Dict, List, Optional

import sealgate as package
from sealgate import Sealgate, SealgateError
from testcontainers.core.container import DockerContainer
from testcontainers.core.waiting_utils import WaitStrategy, WaitStrategyTarget

__all__ = ["SealgateContainer"]

_S3, _S3_TLS, _KMS, _GATEWAY_ADMIN, _KMS_ADMIN = 9070, 9443, 9080, 9090, 9091


class SealgateContainer(DockerContainer):
    """Sealgate in a container. Use it in `with`; `sealgate` controls, counts and has clients."""

    #: As of one that this program started, except its backend and the user of another account.
    sealgate: Sealgate

    def __init__(
        self, image: str = "localhost/sealgate:latest", region_name: Optional[str] = None, **options: Any
    ) -> None:
        super().__init__(image, **options)
        self.region_name = region_name or os.environ.get("AWS_DEFAULT_REGION", "us-east-1")
        self.access_key = "SG" + secrets.token_hex(9).upper()
        self.secret_key = secrets.token_hex(20)
        self.admin_token = secrets.token_hex(16)
        self._hosts: List[str] = []
        self._flags = ["up", "--region", self.region_name]
        self.with_exposed_ports(_S3, _S3_TLS, _KMS, _GATEWAY_ADMIN, _KMS_ADMIN)
        self.with_env("SEALGATE_ACCESS_KEY_ID", self.access_key)
        self.with_env("SEALGATE_SECRET_ACCESS_KEY", self.secret_key)
        self.with_env("SEALGATE_ADMIN_TOKEN", self.admin_token)
        self.waiting_for(_Readiness())

    def with_quota_scale(self, factor: float) -> "SealgateContainer":
        """Multiplies all quotas of the KMS."""
        return self.with_flags("--quota-scale", str(factor))

    def with_seed(self, file: str) -> "SealgateContainer":
        """Creates the KMS keys of a file."""
        inside = f"/tmp/{pathlib.Path(file).name}"
        self.with_copy_into_container(pathlib.Path(file), inside)
        return self.with_flags("--seed", inside)

    def with_host(self, name: str) -> "SealgateContainer":
        """Adds a name by which other containers reach this one: it is in the certificate."""
        self._hosts.append(name)
        return self

    def with_flags(self, *flags: str) -> "SealgateContainer":
        """Adds flags for `sealgate up`."""
        self._flags += flags
        return self

    def _configure(self) -> None:
        self.with_command(self._flags)
        own = self.get_docker_client().host()
        others = [] if own in ("localhost", "127.0.0.1") else [own]
        # With names, it answers to these and to loopback's only; without, to all.
        names = [*self._hosts, *(self._network_aliases or []), *others]
        if names:
            self.with_env("SEALGATE_HOSTS", ",".join(names))

    def start(self) -> "SealgateContainer":
        """Starts it, and waits until it is ready."""
        super().start()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="sealgate-ca-"))
        self._authority = folder / "ca.pem"
        self.copy_from_container("/var/lib/sealgate/ca.pem", self._authority)
        self.sealgate = package.attach(self._line())
        return self

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Ends it."""
        super().stop(force, delete_volume)
        if hasattr(self, "sealgate"):
            self.sealgate.stop()
        if hasattr(self, "_authority"):
            self._authority.unlink(missing_ok=True)
            self._authority.parent.rmdir()
            del self._authority

    def _line(self) -> Dict[str, Any]:
        return {
            "s3_endpoint": self.get_url(),
            "s3_tls_endpoint": self.get_s3_url(),
            # Whatever the host's name is, loopback is among those of the certificate.
            "s3_control_endpoint": f"https://s3.localhost:{self.get_exposed_port(_S3_TLS)}",
            "kms_endpoint": self.get_kms_url(),
            "admin_endpoint": self._url("http", _GATEWAY_ADMIN),
            "kms_admin_endpoint": self._url("http", _KMS_ADMIN),
            "admin_token": self.admin_token,
            "region": self.region_name,
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "ca_file": str(self._authority),
        }

    def _url(self, scheme: str, port: int) -> str:
        return f"{scheme}://{self.get_container_host_ip()}:{self.get_exposed_port(port)}"

    def get_url(self) -> str:
        """S3 over plain HTTP, where SSE-KMS and SSE-C are refused, as at AWS."""
        return self._url("http", _S3)

    def get_s3_url(self) -> str:
        """S3 over TLS, by the authority of `get_ca_certificate()`."""
        return self._url("https", _S3_TLS)

    def get_kms_url(self) -> str:
        """The KMS: AWS JSON and gRPC."""
        return self._url("http", _KMS)

    def get_ca_certificate(self) -> str:
        """The authority that signed the certificate of S3, in PEM."""
        return self._authority.read_text()

    def get_client(self, name: str, **options: Any) -> Any:
        """A boto3 client: s3, glacier, kms or sts; S3's over TLS."""
        return self.sealgate.client(name, **options)


class _Readiness(WaitStrategy):
    """Waits until both services are ready by HTTP. A container that ended is reported at once, with its log."""

    def wait_until_ready(self, container: WaitStrategyTarget) -> None:
        end = time.monotonic() + self._startup_timeout
        ports = [_KMS_ADMIN, _GATEWAY_ADMIN]
        while ports:
            container.reload()
            status = container.status
            if status in ("exited", "dead") or time.monotonic() > end:
                out, log = container.get_logs()
                text = (out + log).decode(errors="replace")
                raise SealgateError(f"the container of sealgate is not ready, but {status}:\n{text}")
            if self._is_ready(container, ports[0]):
                ports.pop(0)
            else:
                time.sleep(0.05)

    def _is_ready(self, container: WaitStrategyTarget, port: int) -> bool:
        import http.client

        try:
            # A container that ended has no ports, for which Testcontainers raises StopIteration.
            host, published = container.get_container_host_ip(), container.get_exposed_port(port)
            connection = http.client.HTTPConnection(host, int(published), timeout=5)
            connection.request("GET", "/readyz")
            status = connection.getresponse().status
            connection.close()
            return status == 200
        except (OSError, http.client.HTTPException, StopIteration):
            return False
