"""The KMS by Python's generated client (grpcio). Run by tests/clients/grpc/run."""
import json
import os
import sys
import time

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

sys.path.insert(0, sys.argv[1])
from kms.v1 import kms_pb2, kms_pb2_grpc  # noqa: E402 (generated into that folder)


def client(token, retry=None):
    """A client that sends the token with each call, and calls again by gRPC's own policy if `retry`."""
    policy = {"methodConfig": [{"name": [{}], "retryPolicy": {
        "maxAttempts": 5, "initialBackoff": "0.01s", "maxBackoff": "0.02s", "backoffMultiplier": 1,
        "retryableStatusCodes": ["RESOURCE_EXHAUSTED"]}}]}
    options = [("grpc.service_config", json.dumps(policy))] if retry else []
    channel = grpc.insecure_channel(os.environ["ENDPOINT"], options, compression=grpc.Compression.Gzip)

    class WithToken(grpc.UnaryUnaryClientInterceptor):
        def intercept_unary_unary(self, call, details, request):
            metadata = [("authorization", f"Bearer {token}")]
            return call(details._replace(metadata=metadata), request)

    return kms_pb2_grpc.KeyManagementStub(grpc.intercept_channel(channel, WithToken()))


def refusal(call, request, code):
    """The details of a refusal with that code, by their types."""
    try:
        call(request)
    except grpc.RpcError as error:
        assert error.code() == code, error
        details = {}
        for detail in rpc_status.from_call(error).details:
            for kind in (error_details_pb2.ErrorInfo, error_details_pb2.RetryInfo):
                message = kind()
                if detail.Unpack(message):
                    details[kind.__name__] = message
        return details
    return None


kms = client(os.environ["GRPC_TOKEN"])
key = kms.CreateKey(kms_pb2.CreateKeyRequest(description="by grpcio " * 50)).key_metadata
sealed = kms.Encrypt(kms_pb2.EncryptRequest(
    key_id=key.key_id, plaintext=b"a secret", encryption_context={"purpose": "test"}))
opened = kms.Decrypt(kms_pb2.DecryptRequest(
    ciphertext_blob=sealed.ciphertext_blob, encryption_context={"purpose": "test"}))
assert opened.plaintext == b"a secret" and opened.key_id == key.arn

nowhere = kms_pb2.DescribeKeyRequest(key_id="11111111-2222-3333-4444-555555555555")
info = refusal(kms.DescribeKey, nowhere, grpc.StatusCode.NOT_FOUND)["ErrorInfo"]
assert (info.reason, info.domain) == ("NotFoundException", "kms.amazonaws.com"), info
alt = client(os.environ["ALT_GRPC_TOKEN"])
refusal(alt.DescribeKey, kms_pb2.DescribeKeyRequest(key_id=key.arn), grpc.StatusCode.PERMISSION_DENIED)["ErrorInfo"]
refusal(client("guess").ListKeys, kms_pb2.ListKeysRequest(), grpc.StatusCode.UNAUTHENTICATED)["ErrorInfo"]

while not (details := refusal(kms.ListAliases, kms_pb2.ListAliasesRequest(), grpc.StatusCode.RESOURCE_EXHAUSTED)):
    pass
assert details["ErrorInfo"].metadata["quota_class"] == "ListAliases", details
delay = details["RetryInfo"].retry_delay.ToTimedelta().total_seconds()
assert 0 < delay <= 1, delay
time.sleep(delay)
kms.ListAliases(kms_pb2.ListAliasesRequest())
patient = client(os.environ["GRPC_TOKEN"], retry=True)
for _ in range(5):
    patient.ListAliases(kms_pb2.ListAliasesRequest())
