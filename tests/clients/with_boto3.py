"""boto3 without a Config: every mode, streaming, ranges, paging, presigned URLs. Run by tests/clients/run."""
import base64
import hashlib
import io
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request

import boto3
import botocore.exceptions
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

s3 = boto3.client("s3")
# It presigns with Signature Version 2 otherwise, by which AWS takes no KMS key and no customer's key.
s3v4 = boto3.client("s3", config=Config(signature_version="s3v4"))
kms = boto3.client("kms")
canary = os.environ["CANARY"].encode()
md5 = lambda data: hashlib.md5(data).hexdigest()  # noqa: E731


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        seen = error.response["Error"]["Code"]
        assert seen == code, f"expected {code}, got {seen}"
        assert error.response["ResponseMetadata"].get("RequestId"), "no request id"
        return
    raise AssertionError(f"not refused with {code}")


key = kms.create_key()["KeyMetadata"]
kms.create_alias(AliasName="alias/boto", TargetKeyId=key["KeyId"])
customer = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": os.urandom(32)}
MODES = {
    "default": ({}, {}),
    "sse-s3": ({"ServerSideEncryption": "AES256"}, {}),
    "sse-kms": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/boto"}, {}),
    "bucket-key": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"],
                    "BucketKeyEnabled": True}, {}),
    "context": ({"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["KeyId"],
                 "SSEKMSEncryptionContext": base64.b64encode(b'{"who":"me"}').decode()}, {}),
    "sse-c": (customer, customer),
}
SIZES = [0, 1, 16383, 16384, 16385, 32768, 1_000_003]

s3.create_bucket(Bucket="boto")
for mode, (write, read) in MODES.items():
    for size in SIZES:
        body = (canary * (size // len(canary) + 1))[:size]
        name = f"{mode}/{size:07}"
        put = s3.put_object(Bucket="boto", Key=name, Body=body, **write)
        head = s3.head_object(Bucket="boto", Key=name, **read)
        got = s3.get_object(Bucket="boto", Key=name, ChecksumMode="ENABLED", **read)
        assert got["Body"].read() == body, name
        assert put["ETag"] == head["ETag"] == got["ETag"], name
        assert head["ContentLength"] == got["ContentLength"] == size, name
        plain = mode in ("default", "sse-s3")
        assert (put["ETag"] == f'"{md5(body)}"') == plain, f"{name}: {put['ETag']}"
        if mode in ("sse-kms", "bucket-key", "context"):
            for answer in (put, head, got):
                assert answer["ServerSideEncryption"] == "aws:kms", name
                assert answer["SSEKMSKeyId"] == key["Arn"], name
        if mode == "bucket-key":
            assert put["BucketKeyEnabled"] and head["BucketKeyEnabled"], name
        if mode == "sse-c":
            assert head["SSECustomerAlgorithm"] == "AES256", name
            refused("InvalidRequest", s3.get_object, Bucket="boto", Key=name)
        for first, last in [(0, 0), (16383, 16384), (10, 40000)]:
            if first < size:
                part = s3.get_object(Bucket="boto", Key=name, Range=f"bytes={first}-{last}", **read)
                assert part["Body"].read() == body[first:last + 1], (name, first, last)
    listed = s3.list_objects_v2(Bucket="boto", Prefix=f"{mode}/")["Contents"]
    assert [each["Size"] for each in listed] == SIZES, mode
    heads = [s3.head_object(Bucket="boto", Key=each["Key"], **read) for each in listed]
    assert [each["ETag"] for each in listed] == [each["ETag"] for each in heads], mode

# Pages.
pages = s3.get_paginator("list_objects_v2").paginate(Bucket="boto", PaginationConfig={"PageSize": 5})
assert sum(len(page["Contents"]) for page in pages) == len(MODES) * len(SIZES)
groups = s3.list_objects_v2(Bucket="boto", Delimiter="/")["CommonPrefixes"]
assert {group["Prefix"] for group in groups} == {f"{mode}/" for mode in MODES}

# Checksums, as a trailer and as a header; a wrong one commits nothing.
for algorithm in ("CRC32", "SHA1", "SHA256"):
    put = s3.put_object(Bucket="boto", Key="sum", Body=canary, ChecksumAlgorithm=algorithm)
    got = s3.get_object(Bucket="boto", Key="sum", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"] == put[f"Checksum{algorithm}"], algorithm
    assert got["Body"].read() == canary
refused("BadDigest", s3.put_object, Bucket="boto", Key="bad", Body=canary,
        ContentMD5=base64.b64encode(bytes(16)).decode())
refused("404", s3.head_object, Bucket="boto", Key="bad")

# Presigned, both ways. boto3 signs a content type that urllib would add otherwise.
tls = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
params = {"Bucket": "boto", "Key": "signed", "ContentType": "text/plain"}
url = s3.generate_presigned_url("put_object", Params=params)
request = urllib.request.Request(url, data=canary, method="PUT", headers={"Content-Type": "text/plain"})
assert urllib.request.urlopen(request, context=tls).status == 200
url = s3.generate_presigned_url("get_object", Params={"Bucket": "boto", "Key": "signed"})
assert urllib.request.urlopen(url, context=tls).read() == canary

# Presigned in each mode: what a client must send along is signed.
SIGNED = {
    "sse-s3": ({"ServerSideEncryption": "AES256"}, {"x-amz-server-side-encryption": "AES256"}, {}),
    "sse-kms": (MODES["sse-kms"][0], {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/boto"}, {}),
    "sse-c": (customer, *[{
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": base64.b64encode(customer["SSECustomerKey"]).decode(),
        "x-amz-server-side-encryption-customer-key-MD5":
            base64.b64encode(hashlib.md5(customer["SSECustomerKey"]).digest()).decode()}] * 2),
}
for mode, (arguments, sent, read) in SIGNED.items():
    name = f"presigned/{mode}"
    url = s3v4.generate_presigned_url("put_object", Params={"Bucket": "boto", "Key": name, **arguments})
    request = urllib.request.Request(url, data=canary, method="PUT", headers=sent)
    assert urllib.request.urlopen(request, context=tls).status == 200, mode
    url = s3v4.generate_presigned_url("get_object", Params={
        "Bucket": "boto", "Key": name, **(arguments if mode == "sse-c" else {})})
    request = urllib.request.Request(url, headers=read)
    assert urllib.request.urlopen(request, context=tls).read() == canary, mode


# A presigned form.
def post(form, file):
    body = b""
    for field, value in [*form["fields"].items(), ("file", file)]:
        value = value.encode() if isinstance(value, str) else value
        named = f'name="{field}"' + ('; filename="f"' if field == "file" else "")
        body += f"--edge\r\nContent-Disposition: form-data; {named}\r\n\r\n".encode() + value + b"\r\n"
    request = urllib.request.Request(form["url"], data=body + b"--edge--\r\n", headers={
        "Content-Type": "multipart/form-data; boundary=edge"})
    return urllib.request.urlopen(request, context=tls)


for client, mode, size in ((s3, "AES256", len(canary)), (s3v4, "AES256", 3_000_000), (s3v4, "aws:kms", 3_000_000)):
    body = (canary * (size // len(canary) + 1))[:size]
    fields = {"x-amz-server-side-encryption": mode, "x-amz-meta-who": "me"}
    form = client.generate_presigned_post("boto", "posted/${filename}", Fields=fields, Conditions=[
        *[{name: value} for name, value in fields.items()], ["content-length-range", 1, 5_000_000]])
    answer = post(form, body)
    assert answer.status == 204 and answer.headers["x-amz-server-side-encryption"] == mode
    got = s3.get_object(Bucket="boto", Key="posted/f")
    assert got["Body"].read() == body and got["Metadata"] == {"who": "me"}
try:
    post({**form, "fields": {**form["fields"], "acl": "public-read"}}, canary)
    raise AssertionError("a field that no condition is about was let in")
except urllib.error.HTTPError as error:
    assert error.code == 403 and b"Extra input fields: acl" in error.read()

# Copies and other keys for objects that stay where they are.
s3.copy_object(Bucket="boto", Key="copied", CopySource={"Bucket": "boto", "Key": "presigned/sse-s3"},
               **MODES["sse-kms"][0])
assert s3.get_object(Bucket="boto", Key="copied")["Body"].read() == canary
if hasattr(s3, "update_object_encryption"):
    s3.update_object_encryption(Bucket="boto", Key="presigned/sse-s3", ObjectEncryption={
        "SSEKMS": {"KMSKeyArn": key["Arn"], "BucketKeyEnabled": True}})
    got = s3.get_object(Bucket="boto", Key="presigned/sse-s3")
    assert got["Body"].read() == canary and got["SSEKMSKeyId"] == key["Arn"]
    body = (canary * (13_000_000 // len(canary) + 1))[:13_000_000]
    parts = TransferConfig(multipart_threshold=1, multipart_chunksize=6_000_000)
    s3.upload_fileobj(io.BytesIO(body), "boto", "parted", Config=parts)
    s3.update_object_encryption(Bucket="boto", Key="parted", ObjectEncryption={
        "SSEKMS": {"KMSKeyArn": key["Arn"]}})
    got = s3.get_object(Bucket="boto", Key="parted")
    assert got["Body"].read() == body and got["SSEKMSKeyId"] == key["Arn"]
    listed = s3.list_objects_v2(Bucket="boto", Prefix="parted")["Contents"][0]
    assert listed["Size"] == len(body) and listed["ETag"] == got["ETag"], listed

# Virtual-hosted addressing, which boto3 uses for AWS's own endpoints.
if hosted := os.environ.get("S3_HOSTED_ENDPOINT"):
    named = boto3.client("s3", endpoint_url=hosted, config=Config(s3={"addressing_style": "virtual"}))
    named.create_bucket(Bucket="hosted")
    named.put_object(Bucket="hosted", Key="k", Body=canary)
    assert s3.get_object(Bucket="hosted", Key="k")["Body"].read() == canary
    url = named.generate_presigned_url("get_object", Params={"Bucket": "hosted", "Key": "k"})
    assert urllib.parse.urlsplit(url).hostname.startswith("hosted."), url
    assert urllib.request.urlopen(url, context=tls).read() == canary

# Another user's keys do not open it; a wrong secret opens nothing.
wrong = boto3.client("s3", aws_secret_access_key="wrong",
                     aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
refused("SignatureDoesNotMatch", wrong.get_object, Bucket="boto", Key="signed")

# Metadata and tags.
s3.put_object(Bucket="boto", Key="meta", Body=b"", Metadata={"one": "1"}, CacheControl="no-store",
              ContentType="text/x", ContentDisposition="attachment")
head = s3.head_object(Bucket="boto", Key="meta")
assert head["Metadata"] == {"one": "1"}, head["Metadata"]
assert head["CacheControl"] == "no-store" and head["ContentType"] == "text/x"
assert head["ContentDisposition"] == "attachment"

# Deleting. The objects above stay: the runner looks for their plaintext at the backend.
s3.create_bucket(Bucket="boto-gone")
for number in range(3):
    s3.put_object(Bucket="boto-gone", Key=f"k{number}", Body=canary)
keys = [{"Key": f"k{number}"} for number in range(3)]
assert len(s3.delete_objects(Bucket="boto-gone", Delete={"Objects": keys})["Deleted"]) == 3
s3.delete_bucket(Bucket="boto-gone")

# Access points by ARN and alias. boto3 puts account or access point before the host, so the gateway is its proxy.
if plain := os.environ.get("S3_PLAIN_ENDPOINT"):
    own = plain.replace("127.0.0.1", "localhost")
    proxied = {"endpoint_url": own, "config": Config(proxies={"http": plain}, signature_version="s3v4")}
    control, through = boto3.client("s3control", **proxied), boto3.client("s3", **proxied)
    sts = boto3.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_KMS"])
    account = sts.get_caller_identity()["Account"]
    point = control.create_access_point(AccountId=account, Name="boto-ap", Bucket="boto")
    arn, alias = point["AccessPointArn"], point["Alias"]
    refused("AccessPointAlreadyOwnedByYou", control.create_access_point, AccountId=account, Name="boto-ap", Bucket="boto")
    through.put_object(Bucket=arn, Key="through", Body=canary)
    assert s3.get_object(Bucket=alias, Key="through")["Body"].read() == canary
    s3.copy_object(Bucket="boto", Key="copied", CopySource={"Bucket": arn, "Key": "through"})
    assert s3.get_object(Bucket="boto", Key="copied")["Body"].read() == canary
    listed = control.list_access_points(AccountId=account, Bucket="boto")["AccessPointList"]
    assert [each["Alias"] for each in listed] == [alias], listed
    found = control.get_access_point(AccountId=account, Name="boto-ap")
    assert found["PublicAccessBlockConfiguration"]["BlockPublicPolicy"] is True, found
    control.tag_resource(AccountId=account, ResourceArn=arn, Tags=[{"Key": "team", "Value": "a"}])
    control.untag_resource(AccountId=account, ResourceArn=arn, TagKeys=["other", "another"])
    assert control.list_tags_for_resource(AccountId=account, ResourceArn=arn)["Tags"][0]["Value"] == "a"
    refused("BucketHasAccessPointsAttached", s3.delete_bucket, Bucket="boto")
    if "AWS_ENDPOINT_URL_S3_CONTROL" in os.environ:
        # Where the account before the host is found by its name, the endpoint that `up` prints needs no proxy.
        named = boto3.client("s3control").get_access_point(AccountId=account, Name="boto-ap")
        assert named["Alias"] == alias, named
    control.delete_access_point(AccountId=account, Name="boto-ap")
    refused("NoSuchAccessPoint", through.get_object, Bucket=arn, Key="through")
    refused("NoSuchAccessPoint", control.get_access_point, AccountId=account, Name="boto-ap")
