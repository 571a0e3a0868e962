"""Refused writes on kept connections, by clients that are no SDK for S3 as well as boto3: each next request must be
itself, and each answer must arrive. Run by tests/clients/run.

Go, Java, Node and curl run where they are installed, by their standard libraries alone.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import threading

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

HERE = pathlib.Path(__file__).resolve().parent / "http"
REFUSED = int(os.environ.get("REFUSED", 10_000))
WORKERS = 4
SIZES = [1, 3_000, 70_000, 400_000]
ENDPOINTS = {"plain": os.environ["S3_PLAIN_ENDPOINT"], "TLS": os.environ["S3_TLS_ENDPOINT"]}

s3 = boto3.client("s3")
s3.create_bucket(Bucket="refused")
s3.put_object(Bucket="refused", Key="victim", Body=os.environ["CANARY"].encode() * 4_000)
s3.put_object(Bucket="refused", Key="next", Body=b"precious")


def with_boto3(endpoint, refused):
    """Conditional PUTs that fail, each followed by a GET; by all workers together."""
    failures = []

    def work(number):
        client = boto3.client("s3", endpoint_url=endpoint, config=Config(retries={"max_attempts": 0}))
        for count in range(refused // WORKERS):
            body = b"x" * SIZES[(number + count) % 4]
            try:
                client.put_object(Bucket="refused", Key="next", Body=body, IfNoneMatch="*")
                failures.append("not refused")
            except ClientError as error:
                if error.response["Error"]["Code"] != "PreconditionFailed":
                    failures.append(str(error))
            if client.get_object(Bucket="refused", Key="next")["Body"].read() != b"precious":
                failures.append("another object")

    def guarded(number):
        try:
            work(number)
        except Exception as error:  # noqa: BLE001 (whatever it is, an answer was lost)
            failures.append(repr(error))

    workers = [threading.Thread(target=guarded, args=(number,)) for number in range(WORKERS)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    if failures:
        sys.exit(f"boto3: {len(failures)} failures, such as {failures[0]}")


def with_program(name, command, endpoint, refused):
    """A program that is given the addresses of a PUT that is refused and of a GET, and how many of each."""
    get = boto3.client("s3", endpoint_url=endpoint).generate_presigned_url(
        "get_object", Params={"Bucket": "refused", "Key": "next"})
    arguments = [f"{endpoint}/refused/next", get, str(refused), str(WORKERS), *map(str, SIZES)]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=900)
    if done.returncode:
        sys.exit(f"{name}: {done.stdout[-2000:]} {done.stderr[-2000:]}")


def with_curl(endpoint, refused):
    """One process of curl for many transfers, which share connections where the server keeps them."""
    get = boto3.client("s3", endpoint_url=endpoint).generate_presigned_url(
        "get_object", Params={"Bucket": "refused", "Key": "next"})
    for size in SIZES:
        pathlib.Path(f"body-{size}").write_bytes(b"x" * size)
    transfers = []
    for count in range(refused // WORKERS):
        transfers.append(f'url = "{endpoint}/refused/next"\nupload-file = "body-{SIZES[count % 4]}"\n'
                         f'cacert = "{os.environ["AWS_CA_BUNDLE"]}"\nsilent\noutput = "/dev/null"\n'
                         'write-out = "%{http_code}\\n"\n')
        transfers.append(f'url = "{get}"\ncacert = "{os.environ["AWS_CA_BUNDLE"]}"\nsilent\n'
                         'write-out = " %{http_code}\\n"\n')
    pathlib.Path("transfers").write_text("next\n".join(transfers))
    command = ["curl", "--config", "transfers"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)]
    wanted = ["403", "precious 200"] * (refused // WORKERS)
    for run in runs:
        lines = run.communicate()[0].split("\n")[:-1]
        if wrong := [pair for pair in zip(lines, wanted) if pair[0] != pair[1]] or len(lines) != len(wanted):
            sys.exit(f"curl: {run.returncode}, {len(lines)} lines, wrong: {wrong if wrong is True else wrong[:3]}")


def programs():
    """The programs that this machine can run, as commands."""
    if shutil.which("go"):
        build = ["go", "build", "-o", "refused-go", HERE / "refused.go"]
        subprocess.run(build, check=True, env={**os.environ, "GOFLAGS": "-mod=mod", "GOCACHE": os.path.abspath("go")})
        yield "Go", ["./refused-go"]
    if shutil.which("java"):
        yield "Java", ["java", HERE / "Refused.java"]
    if shutil.which("node"):
        yield "Node", ["node", HERE / "refused.mjs"]


available = list(programs())
for way, endpoint in ENDPOINTS.items():
    with_boto3(endpoint, REFUSED)
    print(f"boto3, {way}: {REFUSED} refused")
    for name, command in available:
        with_program(name, command, endpoint, REFUSED)
        print(f"{name}, {way}: {REFUSED} refused")
    if shutil.which("curl"):
        with_curl(endpoint, REFUSED)
        print(f"curl, {way}: {REFUSED} refused")
for name in {"Go", "Java", "Node"} - {name for name, _ in available}:
    print(f"!!!!!! {name} IS NOT INSTALLED HERE: NOT RUN !!!!!!")
