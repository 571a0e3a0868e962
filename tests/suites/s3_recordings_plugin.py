"""A plugin of pytest for LocalStack's S3 tests, whose answers were recorded from AWS: sends them to the S3 endpoint
on the port S3_PORT and to the KMS at KMS_ENDPOINT, and its host names to this machine."""
import os
import socket

PORT, KMS = int(os.environ["S3_PORT"]), os.environ["KMS_ENDPOINT"]
os.environ["LOCALSTACK_HOST"] = f"localhost.localstack.cloud:{PORT}"
os.environ["GATEWAY_LISTEN"] = f"127.0.0.1:{PORT}"

from localstack import constants  # noqa: E402 (it reads the environment)

constants.DEFAULT_PORT_EDGE = PORT
resolve = socket.getaddrinfo


def resolve_here(host, *arguments, **named):
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and name.endswith(("localstack.cloud", ".localhost")):
        host = "127.0.0.1"
    return resolve(host, *arguments, **named)


socket.getaddrinfo = resolve_here

import botocore.session  # noqa: E402

create_client = botocore.session.Session.create_client


def create_client_here(self, service_name, *arguments, **named):
    if service_name in ("kms", "sts"):
        named["endpoint_url"] = KMS
    return create_client(self, service_name, *arguments, **named)


botocore.session.Session.create_client = create_client_here

from localstack.services.s3 import constants as s3_constants  # noqa: E402

# The tests presign with this secret.
s3_constants.DEFAULT_PRE_SIGNED_SECRET_ACCESS_KEY = os.environ["TEST_AWS_SECRET_ACCESS_KEY"]
