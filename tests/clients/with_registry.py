"""A Docker registry that stores its images in a bucket: pushes in pieces, pulls, deletes. Run by tests/clients/run."""
import hashlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

import boto3

CANARY = os.environ["CANARY"]
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def config(bucket, port):
    """The registry's configuration, which is YAML and so takes JSON."""
    return json.dumps({
        "version": 0.1,
        "log": {"level": "error"},
        "http": {"addr": f"127.0.0.1:{port}"},
        "storage": {
            "delete": {"enabled": True},
            "s3": {"accesskey": os.environ["AWS_ACCESS_KEY_ID"], "secretkey": os.environ["AWS_SECRET_ACCESS_KEY"],
                   "region": os.environ["AWS_DEFAULT_REGION"], "bucket": bucket, "chunksize": 5 << 20,
                   "regionendpoint": os.environ["AWS_ENDPOINT_URL_S3"]},
        },
    })


class Registry:
    """The registry on a free port, as its API is called."""

    def __init__(self, bucket):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.file = pathlib.Path(f"{bucket}.yml")
        self.file.write_text(config(bucket, self.port))

    def __enter__(self):
        # Go's own variable for the certificate authority: the SDK in the registry fails with AWS's.
        environment = {name: value for name, value in os.environ.items() if name != "AWS_CA_BUNDLE"}
        environment["SSL_CERT_FILE"] = os.environ["AWS_CA_BUNDLE"]
        self.process = subprocess.Popen(["docker-registry", "serve", self.file], env=environment)
        for _ in range(100):
            try:
                self.call("GET", "/v2/")
                return self
            except urllib.error.URLError:
                time.sleep(0.1)
        raise TimeoutError("the registry does not answer")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()

    def call(self, method, path, body=None, **headers):
        """One request; returns the response, read whole."""
        url = path if path.startswith("http") else f"http://127.0.0.1:{self.port}{path}"
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data=body, headers=headers, method=method)
        # A blob is read from the bucket itself, to which the registry redirects.
        trusted = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"])
        with urllib.request.urlopen(request, context=trusted) as response:
            response.content = response.read()
            return response

    def push(self, blob, piece=4 << 20):
        """Uploads a blob in pieces; returns its digest."""
        place = self.call("POST", "/v2/app/blobs/uploads/", b"").headers["Location"]
        for start in range(0, len(blob), piece):
            part = blob[start:start + piece]
            reach = f"{start}-{start + len(part) - 1}"
            kind = "application/octet-stream"
            place = self.call("PATCH", place, part, Content_Type=kind, Content_Range=reach).headers["Location"]
        digest = "sha256:" + hashlib.sha256(blob).hexdigest()
        assert self.call("PUT", f"{place}{'&' if '?' in place else '?'}digest={digest}", b"").status == 201
        return digest


def image(registry, layer):
    """Pushes an image of one layer; returns its manifest's digest and its layer's."""
    about = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
                        "author": CANARY}).encode()
    layer_digest, about_digest = registry.push(layer), registry.push(about)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": len(about),
                   "digest": about_digest},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": len(layer),
                    "digest": layer_digest}],
    }).encode()
    registry.call("PUT", "/v2/app/manifests/v1", manifest, Content_Type=MANIFEST)
    pulled = registry.call("GET", "/v2/app/manifests/v1", Accept=MANIFEST)
    assert pulled.content == manifest
    return pulled.headers["Docker-Content-Digest"], layer_digest


def main():
    s3, kms = boto3.client("s3"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for bucket, mode in (("sse-s3", "AES256"), ("sse-kms", "aws:kms")):
        # The registry sends `x-amz-acl: private`, which AWS refuses where lists are disabled.
        s3.create_bucket(Bucket=bucket, ObjectOwnership="ObjectWriter")
        if mode == "aws:kms":
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": mode, "KMSMasterKeyID": key}}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        layer = CANARY.encode() + os.urandom(13_000_000)
        with Registry(bucket) as registry:
            manifest, digest = image(registry, layer)
        # Another process reads what this one stored.
        with Registry(bucket) as registry:
            assert registry.call("GET", f"/v2/app/blobs/{digest}").content == layer
            assert json.loads(registry.call("GET", "/v2/app/tags/list").content)["tags"] == ["v1"]
            assert json.loads(registry.call("GET", "/v2/_catalog").content)["repositories"] == ["app"]
            assert registry.call("DELETE", f"/v2/app/manifests/{manifest}").status == 202
        name = f"docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        assert s3.head_object(Bucket=bucket, Key=name)["ServerSideEncryption"] == mode


main()
