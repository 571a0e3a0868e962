"""polars, DuckDB, Delta Lake, obstore: tables as data engineers keep them. Run by tests/clients/run."""
import os
import pathlib
import urllib.parse

import boto3
import deltalake
import duckdb
import duckdb_extension_httpfs
import obstore
import obstore.store
import polars
import pyarrow

CANARY, ROWS = os.environ["CANARY"], 200_000
ENDPOINT = os.environ["AWS_ENDPOINT_URL_S3"]
# object_store, which polars, Delta Lake and obstore are built on, reads a name of its own.
OPTIONS = {"aws_endpoint": ENDPOINT, "aws_allow_http": "true"}


def rows():
    return {"number": list(range(ROWS)), "text": [f"{CANARY} {n % 97}" for n in range(ROWS)]}


def by_polars(bucket):
    """A frame written and scanned, whole and by a filter."""
    frame, path = polars.DataFrame(rows()), f"s3://{bucket}/polars/rows.parquet"
    frame.write_parquet(path, storage_options=OPTIONS, compression="uncompressed")
    assert polars.read_parquet(path, storage_options=OPTIONS).equals(frame)
    few = polars.scan_parquet(f"s3://{bucket}/polars/*.parquet", storage_options=OPTIONS)
    assert few.filter(polars.col("number") < 10).collect().height == 10


def by_delta(bucket):
    """A table of Delta Lake, whose commits are PUTs with If-None-Match: appended, deleted from, compacted, vacuumed."""
    path, table = f"s3://{bucket}/delta", pyarrow.table(rows())
    for mode in ("error", "append"):
        deltalake.write_deltalake(path, table, mode=mode, storage_options=OPTIONS)
    opened = deltalake.DeltaTable(path, storage_options=OPTIONS)
    opened.delete("number < 10")
    opened.optimize.compact()
    opened.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert polars.scan_delta(path, storage_options=OPTIONS).collect().height == 2 * ROWS - 20
    assert len(opened.history()) >= 4


def by_duckdb(bucket):
    """SQL over HTTP: written by COPY, read by ranges and by pattern."""
    link, database = urllib.parse.urlsplit(ENDPOINT), duckdb.connect()
    extension = next(pathlib.Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension"))
    database.execute(f"LOAD '{extension}'")
    # The path's style must be set: it has no way to tell addresses from names.
    database.execute(f"SET ca_cert_file = '{os.environ['AWS_CA_BUNDLE']}'")
    database.execute(f"""CREATE SECRET (TYPE s3, ENDPOINT '{link.netloc}', URL_STYLE 'path',
        USE_SSL {link.scheme == "https"}, REGION '{os.environ["AWS_DEFAULT_REGION"]}',
        KEY_ID '{os.environ["AWS_ACCESS_KEY_ID"]}', SECRET '{os.environ["AWS_SECRET_ACCESS_KEY"]}')""")
    database.execute(f"""COPY (SELECT range AS number, '{CANARY} ' || range AS text FROM range({ROWS}))
        TO 's3://{bucket}/duck/rows.parquet' (FORMAT parquet, COMPRESSION uncompressed, ROW_GROUP_SIZE 20000)""")
    one = database.execute(f"SELECT count(*), max(number) FROM 's3://{bucket}/duck/*.parquet'").fetchone()
    assert one == (ROWS, ROWS - 1), one
    few = database.execute(f"SELECT text FROM 's3://{bucket}/duck/rows.parquet' WHERE number = 77").fetchone()
    assert few == (f"{CANARY} 77",), few


def by_obstore(bucket):
    """Parts, ranges, conditions, copies, listings, signed URLs."""
    store = obstore.store.S3Store(bucket, endpoint=ENDPOINT, client_options={"allow_http": True})
    body = os.urandom(12_000_000)
    obstore.put(store, "obstore/large", body, chunk_size=5 << 20)
    assert bytes(obstore.get(store, "obstore/large").bytes()) == body
    assert bytes(obstore.get_range(store, "obstore/large", start=5242870, end=5242890)) == body[5242870:5242890]
    obstore.put(store, "obstore/small", CANARY.encode(), mode="create")
    try:
        obstore.put(store, "obstore/small", b"again", mode="create")
        raise AssertionError("created twice")
    except obstore.exceptions.AlreadyExistsError:
        pass
    obstore.copy(store, "obstore/small", "obstore/copy")
    obstore.rename(store, "obstore/copy", "obstore/moved")
    sizes = {entry["path"]: entry["size"] for page in obstore.list(store, "obstore/") for entry in page}
    assert sizes == {"obstore/large": len(body), "obstore/small": len(CANARY), "obstore/moved": len(CANARY)}, sizes
    obstore.delete(store, ["obstore/moved"])


def main():
    s3, kms = boto3.client("s3"), boto3.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    for bucket, mode in (("sse-s3", "AES256"), ("sse-kms", "aws:kms")):
        s3.create_bucket(Bucket=bucket)
        if mode == "aws:kms":
            rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": mode, "KMSMasterKeyID": key},
                    "BucketKeyEnabled": True}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        for run in (by_polars, by_delta, by_duckdb, by_obstore):
            print(run.__name__, bucket, flush=True)
            run(bucket)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page["Contents"]:
                head = s3.head_object(Bucket=bucket, Key=entry["Key"])
                assert (head["ServerSideEncryption"], head["ContentLength"]) == (mode, entry["Size"]), entry["Key"]


main()
