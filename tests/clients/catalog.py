"""The clients: the program that uses each, what it needs, and where it cannot run."""
import dataclasses
import functools
from collections.abc import Callable

import installing


@dataclasses.dataclass(frozen=True)
class Client:
    """How a client is run."""

    # Beside this file: by Bash, Python, Node or Ruby. `go NAME` and `java NAME` are programs in those folders.
    program: str
    # Installs what it needs; returns whether that is there.
    needs: Callable[[], bool] | None = None
    # Runs when no client is named; the others need large downloads or long builds.
    default: bool = True
    # Bytes that must be at the backend afterwards, or nothing was searched.
    stores: int = 100_000
    # Backends that lack what it needs; gateway/BACKENDS.md says what.
    cannot: tuple[str, ...] = ()


data = functools.partial(installing.python, "data")
CLIENTS = {
    "aws-s3": Client("aws-s3"),
    "aws-s3api": Client("aws-s3api"),
    "aws-2": Client("aws-2", installing.aws_2, default=False),
    "aws-kms": Client("aws-kms", stores=0),
    "kms-model": Client("kms_model.py", stores=0),
    "kms-services": Client("kms_services.py", stores=0),
    "boto3": Client("with_boto3.py"),
    "glacier": Client("with_glacier.py"),
    "encryption": Client("with_encryption.py"),
    "rclone": Client("rclone"),
    "s3cmd": Client("s3cmd"),
    "s5cmd": Client("s5cmd"),
    "restic": Client("restic", lambda: installing.debian("restic", "restic")),
    "tables": Client("with_tables.py", data),
    "lakes": Client("with_lakes.py", data),
    "iceberg": Client("with_iceberg.py", data),
    "registry": Client("with_registry.py", lambda: installing.debian("docker-registry", "docker-registry")),
    "pgbackrest": Client("pgbackrest", installing.pgbackrest),
    "s3fs-fuse": Client("s3fs-fuse", installing.s3fs_fuse, cannot=("seaweedfs",)),
    "sdk-v3": Client("with_sdk_v3.mjs", installing.node),
    "browser": Client("with_browser.mjs", installing.chromium),
    "ruby": Client("with_ruby.rb", installing.ruby),
    "go": Client("go sdk", installing.go),
    "terraform": Client("go terraform", installing.go),
    "terraform-cli": Client("terraform-cli", lambda: installing.on_path("terraform")),
    "minio-go": Client("go minio", installing.go),
    "refused": Client("with_http.py", default=False),
    "decoder": Client("../decoder/stored.py"),
    "mc": Client("mc", installing.mc),
    "java": Client("java Sdk2", installing.java, default=False),
    "java-crt": Client("java Crt", installing.java, default=False),
    "java-1": Client("java Sdk1", installing.java, default=False),
    "java-encryption": Client("java Encryption", installing.java, default=False),
    "s3a": Client("s3a", installing.hadoop, default=False, cannot=("seaweedfs",)),
}
