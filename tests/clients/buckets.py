"""The buckets of `prepare`, and how their objects are sealed.

    buckets.py make                             prints the id of the key of `sse-kms`
    buckets.py sealed_as BUCKET PREFIX ALGORITHM
"""
import sys

import boto3


def make():
    s3, key = boto3.client("s3"), boto3.client("kms").create_key()["KeyMetadata"]["KeyId"]
    for bucket in ("sse-s3", "sse-kms"):
        s3.create_bucket(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket="sse-kms", ServerSideEncryptionConfiguration={"Rules": [rule]})
    print(key)


def sealed_as(bucket, prefix, algorithm):
    s3 = boto3.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
    assert keys, f"nothing below {prefix} in {bucket}"
    for key in keys:
        seen = s3.head_object(Bucket=bucket, Key=key)["ServerSideEncryption"]
        assert seen == algorithm, f"{key} is sealed as {seen}, not {algorithm}"


{"make": make, "sealed_as": sealed_as}[sys.argv[1]](*sys.argv[2:])
