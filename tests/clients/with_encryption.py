"""Encryption at the client under the KMS: S3 Encryption Client and AWS Encryption SDK. Run by tests/clients/run."""
import os

import aws_encryption_sdk
import boto3
from s3_encryption import S3EncryptionClient
from s3_encryption import S3EncryptionClientConfig
from s3_encryption.materials.kms_keyring import KmsKeyring

TEXT = (os.environ["CANARY"] + " line\n").encode() * 4000


def s3_encryption_client(key):
    """An object that the client encrypts, and the gateway on top of it, in each mode."""
    s3 = boto3.client("s3")
    # It hooks into the client that it is given.
    keyring = KmsKeyring(boto3.client("kms"), key)
    client = S3EncryptionClient(boto3.client("s3"), S3EncryptionClientConfig(keyring=keyring))
    modes = {"default": {}, "sse-s3": {"ServerSideEncryption": "AES256"},
             "bucket-key": {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key, "BucketKeyEnabled": True}}
    s3.create_bucket(Bucket="encrypted")
    for name, mode in modes.items():
        client.put_object(Bucket="encrypted", Key=name, Body=TEXT, **mode)
        assert client.get_object(Bucket="encrypted", Key=name)["Body"].read() == TEXT
        raw = s3.get_object(Bucket="encrypted", Key=name)
        assert TEXT[:40] not in raw["Body"].read(), "the client did not encrypt"
        assert raw["ServerSideEncryption"] == mode.get("ServerSideEncryption", "AES256"), raw
        copy = {"Bucket": "encrypted", "Key": name}
        s3.copy_object(Bucket="encrypted", Key=f"{name}-copy", CopySource=copy, **mode)
        assert client.get_object(Bucket="encrypted", Key=f"{name}-copy")["Body"].read() == TEXT


def encryption_sdk(key):
    """A message of the AWS Encryption SDK, stored as an object."""
    s3 = boto3.client("s3")
    client = aws_encryption_sdk.EncryptionSDKClient()
    provider = aws_encryption_sdk.StrictAwsKmsMasterKeyProvider(key_ids=[key])
    message, _ = client.encrypt(source=TEXT, key_provider=provider, encryption_context={"purpose": "test"})
    s3.put_object(Bucket="encrypted", Key="message", Body=message)
    stored = s3.get_object(Bucket="encrypted", Key="message")["Body"].read()
    text, header = client.decrypt(source=stored, key_provider=provider)
    assert text == TEXT and header.encryption_context["purpose"] == "test"


def main():
    key = boto3.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3_encryption_client(key)
    encryption_sdk(key)


main()
