"""A local S3 and KMS for tests: `sealgate.start()`, and the pytest fixture of the same name.

Thin: all state is in the process that this starts. The process ends with its standard input, so it never outlives
the program that started it. boto3 is imported when a client is requested, and not before.
"""
from __future__ import annotations

import base64
import functools
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
import time
import urllib.parse
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

__all__ = ["Encryption", "Rule", "Sealgate", "SealgateError", "attach", "find_binary", "start"]

# How long a start, the end, and an answer of the admin ports may take, in seconds.
_PATIENCE = 30.0
_LOG_BYTES = 1 << 16
_SNAPSHOT = "sealgate-start"


class SealgateError(Exception):
    """Sealgate did not start, or refused a request on an admin port. The text is its own."""


class Encryption(NamedTuple):
    """How S3 reports that an object is encrypted."""

    algorithm: Optional[str]
    key_id: Optional[str]
    bucket_key: bool
    customer_algorithm: Optional[str]


class Rule(NamedTuple):
    """A failure or latency in force."""

    sealgate: "Sealgate"
    id: int

    def remove(self) -> int:
        """Ends it. Returns how many calls it was applied to."""
        return self.sealgate._kms_admin("POST", "/admin/faults/remove", {"id": self.id})["struck"]


def find_binary() -> str:
    """The binary: `SEALGATE_BINARY`, else that of this environment (the wheel has it), else the first on PATH."""
    named = os.environ.get("SEALGATE_BINARY")
    if named:
        return named
    scripts = sysconfig.get_path("scripts")
    found = shutil.which("sealgate", path=scripts) or shutil.which("sealgate")
    if not found:
        raise SealgateError(f"there is no `sealgate` in {scripts} or on PATH, and SEALGATE_BINARY names none")
    return found


def start(
    *,
    quota_scale: Optional[float] = None,
    seed: Optional[str] = None,
    clock: Optional[str] = None,
    config: Optional[str] = None,
    args: Sequence[str] = (),
    binary: Optional[str] = None,
    log: Optional[str] = None,
) -> "Sealgate":
    """Starts a Sealgate on free ports that stores nothing. Use it in `with`, or call `stop()`.

    `quota_scale`: all KMS quotas times this number. `seed`: a file of KMS keys. `clock`: a time of ISO 8601 at which
    the clock of the KMS stands still. `config`, `args`: a file and more flags for `sealgate up`. `log`: a file that
    the log is appended to; a temporary one otherwise.
    """
    command = [binary or find_binary(), "up", "--fixture", "--ephemeral"]
    for flag, value in (("--quota-scale", quota_scale), ("--seed", seed), ("--config", config)):
        if value is not None:
            command += [flag, str(value)]
    sealgate = Sealgate([*command, *args], log)
    if clock is not None:
        sealgate.freeze(clock)
    return sealgate


def attach(line: Dict[str, Any]) -> "Sealgate":
    """A Sealgate that runs already, such as in a container: `line` has the names of the fixture line."""
    sealgate = Sealgate.__new__(Sealgate)
    sealgate._process = None
    sealgate._log = tempfile.TemporaryFile()
    sealgate._begin(line)
    return sealgate


class Sealgate:
    """A Sealgate that runs."""

    #: The fixture line: endpoints, credentials, files.
    line: Dict[str, Any]
    #: None if another program started it.
    _process: Optional["subprocess.Popen[bytes]"]

    def __init__(self, command: Sequence[str], log: Optional[str] = None) -> None:
        self._log = open(log, "ab+") if log else tempfile.TemporaryFile()
        try:
            process = self._process = subprocess.Popen(
                list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
            )
        except OSError as error:
            self._log.close()
            raise SealgateError(f"{command[0]} does not start: {error}") from error
        assert process.stdout
        text = process.stdout.readline()
        if not text:
            process.wait(_PATIENCE)
            reason = self.log()
            self.stop()
            raise SealgateError(f"sealgate ended with status {process.returncode}:\n{reason}")
        self._begin(json.loads(text))

    def _begin(self, line: Dict[str, Any]) -> None:
        self.line = line
        self._clients: Dict[Tuple[str, bool], Any] = {}
        self._gateway_admin("GET", "/readyz")
        self._kms_admin("POST", "/admin/snapshots", {"name": _SNAPSHOT})
        self._quotas = self._kms_admin("GET", "/admin/quotas")["config"]
        self.mark()

    def __enter__(self) -> "Sealgate":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        """Ends it, if this program started it. Returns its exit status, which is 0. A second call does nothing."""
        if self._process is None:
            self._log.close()
            return 0
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._log.close()
        return status

    def reset(self) -> None:
        """Puts everything back to the start: keys, buckets, objects, quotas, faults, the clock. Sets a mark, too."""
        self._kms_admin("PUT", "/admin/faults", {})
        self._kms_admin("PUT", "/admin/quotas", self._quotas)
        self._kms_admin("POST", "/admin/reset", {})
        self._kms_admin("POST", "/admin/snapshots/restore", {"name": _SNAPSHOT})
        # The gateway makes its keys then, and not within what a test counts.
        self._gateway_admin("GET", "/readyz")
        self.mark()

    # Clients.

    @property
    def s3(self) -> Any:
        """A boto3 client of S3, over TLS."""
        return self.client("s3")

    @property
    def kms(self) -> Any:
        """A boto3 client of the KMS."""
        return self.client("kms")

    def client(self, name: str, *, alt: bool = False, **options: Any) -> Any:
        """A boto3 client: s3, glacier, kms, sts or cloudtrail. `alt`: as the user of the other account."""
        if options:
            return self._connect(name, alt, options)
        if (name, alt) not in self._clients:
            self._clients[name, alt] = self._connect(name, alt, options)
        return self._clients[name, alt]

    def session(self, *, alt: bool = False) -> Any:
        """A boto3 session of the main user, or of the one in the other account. It has no endpoints."""
        import boto3

        prefix = "alt_" if alt else ""
        if prefix + "access_key_id" not in self.line:
            raise SealgateError("the user of another account is made in the container and not known here")
        return boto3.Session(
            aws_access_key_id=self.line[prefix + "access_key_id"],
            aws_secret_access_key=self.line[prefix + "secret_access_key"],
            region_name=self.line["region"],
        )

    def env(self) -> Dict[str, str]:
        """Variables by which any AWS SDK or the CLI finds this Sealgate."""
        line = self.line
        tls, kms = line["s3_tls_endpoint"], line["kms_endpoint"]
        return {
            "AWS_ACCESS_KEY_ID": line["access_key_id"],
            "AWS_SECRET_ACCESS_KEY": line["secret_access_key"],
            "AWS_REGION": line["region"],
            "AWS_DEFAULT_REGION": line["region"],
            "AWS_ENDPOINT_URL_S3": tls,
            "AWS_ENDPOINT_URL_S3_CONTROL": line["s3_control_endpoint"],
            "AWS_ENDPOINT_URL_GLACIER": tls,
            "AWS_ENDPOINT_URL_KMS": kms,
            "AWS_ENDPOINT_URL_STS": kms,
            "AWS_ENDPOINT_URL_CLOUDTRAIL": line["kms_admin_endpoint"],
            "AWS_CA_BUNDLE": line["ca_file"],
            "NODE_EXTRA_CA_CERTS": line["ca_file"],
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # What was called.

    def mark(self) -> None:
        """Has `calls()` and `requests()` count from now on."""
        here = self._kms_admin("POST", "/admin/mark", {})["mark"]
        self._marks = (here, self._gateway_admin("POST", "/admin/mark")["mark"])

    def calls(
        self,
        operation: Optional[str] = None,
        *,
        key: Optional[str] = None,
        outcome: Optional[str] = None,
        caller: Optional[str] = None,
    ) -> int:
        """How often the KMS was called since the mark, S3's own calls and planned failures included; exact.

        `key`: an id, ARN or alias. `outcome`: `OK` or the name of an exception.
        """
        query = {"operation": operation, "key": key, "outcome": outcome, "caller": caller, "since": self._marks[0]}
        query = {name: value for name, value in query.items() if value is not None}
        return self._kms_admin("GET", "/admin/calls?" + urllib.parse.urlencode(query))["count"]

    def wait_for_calls(self, count: int, operation: Optional[str] = None, *, timeout: float = 10.0, **by: Any) -> int:
        """Waits until there were as many calls. Returns how many; raises `AssertionError` after `timeout` seconds."""
        end = time.monotonic() + timeout
        while True:
            seen = self.calls(operation, **by)
            if seen >= count:
                return seen
            if time.monotonic() > end:
                raise AssertionError(f"{seen} calls of {operation or 'any operation'} in {timeout} s, not {count}")
            time.sleep(0.01)

    def requests(self, operation: Optional[str] = None, *, status: Optional[int] = None) -> int:
        """How many S3 requests were answered since the mark; exact."""
        rows = self._gateway_admin("GET", f"/admin/requests?since={self._marks[1]}")["requests"]
        return sum(
            row["count"]
            for row in rows
            if operation in (None, row["operation"]) and status in (None, row["status"])
        )

    def events(self, name: Optional[str] = None, *, limit: int = 20) -> List[Dict[str, Any]]:
        """The latest events of the KMS as CloudTrail has them, newest first."""
        query = urllib.parse.urlencode({"limit": limit, **({"name": name} if name else {})})
        return self._kms_admin("GET", "/admin/events?" + query)["events"]

    def log(self, lines: int = 40) -> str:
        """The end of the log."""
        file = self._log.fileno()
        size = os.fstat(file).st_size
        text = os.pread(file, _LOG_BYTES, max(0, size - _LOG_BYTES))
        return "\n".join(text.decode(errors="replace").splitlines()[-lines:])

    # Failures, delays, quotas, the clock.

    def throttle_next(self, count: int, operation: Optional[str] = None, *, key: Optional[str] = None) -> Rule:
        """Has the next calls be answered `ThrottlingException`."""
        return self.fail_next(count, operation, key=key, error="ThrottlingException")

    def fail_next(
        self,
        count: int,
        operation: Optional[str] = None,
        *,
        key: Optional[str] = None,
        error: str = "KMSInternalException",
    ) -> Rule:
        """Has the next calls of the KMS fail with this exception."""
        return self._rule("fault", operation=operation, key=key, times=count, error=error)

    def latency(self, milliseconds: float, operation: Optional[str] = None, *, sigma: float = 0.0) -> Rule:
        """Has calls of the KMS take longer: the median, and the spread of a lognormal distribution."""
        return self._rule("latency", operation=operation, median_ms=milliseconds, sigma=sigma)

    def quota(self, quota_class: str, rate: float) -> None:
        """Sets the quota of a class, such as `CryptographicOperationsSymmetric`, in requests per second."""
        self._kms_admin("POST", "/admin/quotas/adjust", {"class": quota_class, "rate": rate})

    def freeze(self, at: Optional[str] = None) -> str:
        """Stops the clock of the KMS, at a time of ISO 8601 if one is given. Returns its time."""
        return self._move({"frozen": True, **({"set": at} if at else {})})

    def advance(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> str:
        """Moves the clock of the KMS forward. Returns its time."""
        return self._move({"advance_seconds": ((days * 24 + hours) * 60 + minutes) * 60 + seconds})

    # What is stored.

    def encryption_of(self, bucket: str, key: str, **request: Any) -> Encryption:
        """How S3 reports that an object is encrypted. `request`: more of HeadObject's parameters."""
        head = self.s3.head_object(Bucket=bucket, Key=key, **request)
        return Encryption(
            head.get("ServerSideEncryption"),
            head.get("SSEKMSKeyId"),
            head.get("BucketKeyEnabled", False),
            head.get("SSECustomerAlgorithm"),
        )

    def assert_backend_lacks(self, text: bytes) -> None:
        """Fails if any object at the backend has these bytes: as they are, in hex or in base64, or in its metadata."""
        needles = {text, text.hex().encode()}
        needles |= {base64.b64encode(b"x" * shift + text)[4:-4] for shift in range(3)} - {b""}
        s3 = self._backend
        for bucket in s3.list_buckets()["Buckets"]:
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
                for version in page.get("Versions", []):
                    named = {"Bucket": bucket["Name"], "Key": version["Key"], "VersionId": version["VersionId"]}
                    got = s3.get_object(**named)
                    stored = got["Body"].read() + json.dumps([version["Key"], got["Metadata"]]).encode()
                    if any(needle in stored for needle in needles):
                        raise AssertionError(f"the backend has it in {bucket['Name']}/{version['Key']}")

    @functools.cached_property
    def _backend(self) -> Any:
        import boto3

        if not self.line.get("backend_access_key_id"):
            raise SealgateError("the backend of a container, or another one, is not reached from here")
        return boto3.client(
            "s3",
            endpoint_url=self.line["backend_endpoint"],
            aws_access_key_id=self.line["backend_access_key_id"],
            aws_secret_access_key=self.line["backend_secret_access_key"],
            region_name=self.line["region"],
        )

    def _connect(self, name: str, alt: bool, options: Dict[str, Any]) -> Any:
        kms = {"endpoint_url": self.line["kms_endpoint"]}
        s3 = {"endpoint_url": self.line["s3_tls_endpoint"], "verify": self.line["ca_file"]}
        trail = {"endpoint_url": self.line["kms_admin_endpoint"]}
        services = {"s3": s3, "glacier": s3, "kms": kms, "sts": kms, "cloudtrail": trail}
        if name not in services:
            raise SealgateError(f"Sealgate does not serve {name}, only {', '.join(services)}")
        return self.session(alt=alt).client(name, **{**services[name], **options})

    def _rule(self, kind: str, **rule: Any) -> Rule:
        rule = {name: value for name, value in rule.items() if value is not None}
        return Rule(self, self._kms_admin("POST", "/admin/faults/add", {kind: rule})["id"])

    def _move(self, movement: Dict[str, Any]) -> str:
        return self._kms_admin("POST", "/admin/clock", movement)["now"]

    def _kms_admin(self, method: str, path: str, body: Optional[Dict[str, Any]] = None) -> Any:
        return self._admin(self.line["kms_admin_endpoint"], method, path, body)

    def _gateway_admin(self, method: str, path: str) -> Any:
        return self._admin(self.line["admin_endpoint"], method, path, None)

    def _admin(self, endpoint: str, method: str, path: str, body: Optional[Dict[str, Any]]) -> Any:
        import http.client

        headers = {"content-type": "application/json"}
        token = self.line.get("admin_token") or self.line.get("kms_admin_token")
        if token:
            headers["authorization"] = f"Bearer {token}"
        connection = http.client.HTTPConnection(endpoint.split("//", 1)[1], timeout=_PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError as error:
            raise SealgateError(f"{endpoint}{path}: {error}\n{self.log()}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise SealgateError(f"{method} {path}: {answer.status} {text.strip()}")
        is_json = answer.getheader("content-type") == "application/json"
        return json.loads(text) if is_json else text
