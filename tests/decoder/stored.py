"""Opens what the gateway stored, straight from the backend, by the decoder alone. Run by tests/clients/run.

SSE-C objects open with the customer's key, SSE-KMS objects with what the KMS decrypts; the root keys of SSE-S3 stay
in the gateway, so that mode is left to tests/decoder/run.
"""
import hashlib
import os

import boto3
from botocore.config import Config

import sealed_object

HEADER = "sealgate"
SIZES = [0, 1, 16383, 16384, 16385, 32768, 1_000_003]

once = Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"})
s3 = boto3.client("s3", config=once)
kms = boto3.client("kms", config=once)


backend = boto3.client("s3", endpoint_url=os.environ["BACKEND_ENDPOINT"], config=once,
                       aws_access_key_id=os.environ["BACKEND_ACCESS_KEY_ID"],
                       aws_secret_access_key=os.environ["BACKEND_SECRET_ACCESS_KEY"])


def from_backend(key):
    """(envelope, body) as they lie at the backend."""
    stored = backend.get_object(Bucket="decoded", Key=key)
    return stored["Metadata"][HEADER], stored["Body"].read()


def arn(key):
    return f"arn:aws:s3:::decoded/{key}"


def decrypt(blob, context, resource):
    context = {**dict(context), "aws:s3:arn": resource}
    return kms.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]


def keys(envelope, key):
    """What the decoder needs besides: the customer's key, or what the KMS gives."""
    mode = sealed_object.MODES[envelope.mode]
    if mode == "SSE-C":
        return {"wrapping_key": CUSTOMER}
    if mode == "BUCKET-KEY":
        return {"wrapping_key": decrypt(envelope.fields[10], envelope.context, "arn:aws:s3:::decoded")}
    inner = {"data_key": decrypt(envelope.fields[10], envelope.context, arn(key))}
    if mode == "DSSE-KMS":
        return {**inner, "outer_key": decrypt(envelope.fields[11], envelope.context, arn(key))}
    return inner


CUSTOMER = os.urandom(32)
key_id = kms.create_key()["KeyMetadata"]["KeyId"]
MODES = {
    "sse-kms": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id},
    "context": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id,
                "SSEKMSEncryptionContext": "eyJ0ZWFtIjoiYmx1ZSIsImEiOiJiIn0="},
    "bucket-key": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key_id, "BucketKeyEnabled": True},
    "dsse": {"ServerSideEncryption": "aws:kms:dsse", "SSEKMSKeyId": key_id},
    "sse-c": {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": CUSTOMER},
}

s3.create_bucket(Bucket="decoded")
opened = 0
for mode, arguments in MODES.items():
    for size in SIZES:
        key = f"{mode}-{size}"
        plaintext = (os.environ["CANARY"].encode() * (size // 8 + 1))[:size]
        s3.put_object(Bucket="decoded", Key=key, Body=plaintext, ChecksumAlgorithm="SHA256", **arguments)
        header, body = from_backend(key)
        assert len(body) == sealed_object.stored_bytes(size), key
        envelope = sealed_object.Envelope(header)
        decoded, record = sealed_object.open_object(header, arn(key), body, **keys(envelope, key))
        assert decoded == plaintext, key
        assert (record["algorithm"], record["checksum"]) == (5, hashlib.sha256(plaintext).hexdigest()), record
        opened += 1
print(f"opened {opened} objects from the backend")
