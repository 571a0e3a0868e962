"""Parquet by ranges: s3fs and pyarrow, as data analysts read it. Run by tests/clients/run."""
import os
import random

import boto3
import pyarrow
import pyarrow.fs
import pyarrow.parquet
import s3fs

CANARY, ROWS = os.environ["CANARY"], 200_000


def table():
    """A table of several row groups, with the canary in it."""
    draw = random.Random(7)
    return pyarrow.table({
        "number": list(range(ROWS)),
        "value": [draw.random() for _ in range(ROWS)],
        "text": [f"{CANARY} {n % 97}" for n in range(ROWS)],
    })


def by_s3fs(bucket, mode, written):
    """Whole, by column, by row group and by byte range."""
    files = s3fs.S3FileSystem(client_kwargs={"endpoint_url": os.environ["AWS_ENDPOINT_URL_S3"]})
    path = f"{bucket}/tables/part-0.parquet"
    with files.open(path, "wb", block_size=5 << 20) as out:
        pyarrow.parquet.write_table(written, out, row_group_size=20_000, compression="none")
    assert pyarrow.parquet.read_table(path, filesystem=files).equals(written)
    one = pyarrow.parquet.read_table(path, filesystem=files, columns=["number"])
    assert one.column("number").to_pylist() == list(range(ROWS))
    few = pyarrow.parquet.read_table(path, filesystem=files, filters=[("number", "<", 10)])
    assert few.num_rows == 10
    whole = files.cat_file(path)
    assert len(whole) == files.size(path)
    draw = random.Random(bucket)
    for _ in range(20):
        start = draw.randrange(len(whole))
        end = min(len(whole), start + draw.randrange(1, 70_000))
        assert files.cat_file(path, start=start, end=end) == whole[start:end], (start, end)
    files.copy(path, f"{bucket}/tables/part-1.parquet")
    assert pyarrow.parquet.ParquetDataset(f"{bucket}/tables", filesystem=files).read().num_rows == 2 * ROWS
    s3 = boto3.client("s3")
    for name in ("part-0", "part-1"):
        head = s3.head_object(Bucket=bucket, Key=f"tables/{name}.parquet")
        assert head["ServerSideEncryption"] == mode, head
    files.rm(f"{bucket}/tables/part-1.parquet")
    assert [name.rsplit("/", 1)[-1] for name in files.ls(f"{bucket}/tables", refresh=True)] == ["part-0.parquet"]


def by_arrow(bucket, written):
    """pyarrow's own client (AWS's C++ SDK) on the plain port; it uploads in parts as it writes."""
    files = pyarrow.fs.S3FileSystem(
        access_key=os.environ["AWS_ACCESS_KEY_ID"], secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        region=os.environ["AWS_DEFAULT_REGION"], scheme="http",
        endpoint_override=os.environ["S3_PLAIN_ENDPOINT"].removeprefix("http://"))
    path = f"{bucket}/arrow.parquet"
    pyarrow.parquet.write_table(written, path, filesystem=files, row_group_size=20_000)
    assert pyarrow.parquet.read_table(path, filesystem=files).equals(written)
    columns = pyarrow.parquet.read_table(path, filesystem=files, columns=["value"])
    assert columns.column("value").equals(written.column("value"))


def main():
    s3, kms = boto3.client("s3"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    written = table()
    for bucket, mode in (("sse-s3", "AES256"), ("sse-kms", "aws:kms")):
        s3.create_bucket(Bucket=bucket)
        if mode == "aws:kms":
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": mode, "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        by_s3fs(bucket, mode, written)
    by_arrow("sse-s3", written)


main()
