"""Iceberg tables by pyiceberg: appended, filtered, deleted from, overwritten, dropped. Run by tests/clients/run."""
import os

import boto3
import pyarrow
from pyiceberg.catalog.sql import SqlCatalog

CANARY, ROWS = os.environ["CANARY"], 20_000


def life_of_a_table():
    """A table on pyarrow's client, which takes no certificate authority of its own: on the plain port."""
    catalog = SqlCatalog("tests", **{
        "uri": "sqlite:///catalog.db", "warehouse": "s3://warehouse",
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO", "s3.endpoint": os.environ["S3_PLAIN_ENDPOINT"],
        "s3.region": os.environ["AWS_DEFAULT_REGION"],
        "s3.access-key-id": os.environ["AWS_ACCESS_KEY_ID"],
        "s3.secret-access-key": os.environ["AWS_SECRET_ACCESS_KEY"]})
    catalog.create_namespace("tests")
    rows = pyarrow.table({"number": list(range(ROWS)), "text": [f"{CANARY} {n % 97}" for n in range(ROWS)]})
    table = catalog.create_table("tests.rows", schema=rows.schema)
    table.append(rows)
    table.append(rows)
    assert table.scan().to_arrow().num_rows == 2 * ROWS
    assert table.scan(row_filter="number < 10").to_arrow().num_rows == 20
    table.delete("number < 10")
    assert catalog.load_table("tests.rows").scan().to_arrow().num_rows == 2 * ROWS - 20
    table.overwrite(rows)
    assert table.scan(selected_fields=("text",)).to_arrow().num_rows == ROWS
    assert len(table.history()) >= 4


def main():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="warehouse")
    life_of_a_table()
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket="warehouse")
    files = [entry["Key"] for page in pages for entry in page["Contents"]]
    assert any(name.endswith(".parquet") for name in files), files
    for name in files:
        assert s3.head_object(Bucket="warehouse", Key=name)["ServerSideEncryption"] == "AES256", name


main()
