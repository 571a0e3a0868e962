"""boto3's and the AWS CLI's `glacier`: archives whole and in parts, jobs, ranges, Vault Lock. Run by
tests/clients/run."""
import hashlib
import json
import os
import pathlib
import subprocess

import boto3
import botocore.exceptions
from botocore.utils import calculate_tree_hash

glacier = boto3.client("glacier")
canary = os.environ["CANARY"].encode()
MIB = 1 << 20
content = (canary * (5 * MIB // len(canary) + 1))[:4 * MIB + 4711]


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except botocore.exceptions.ClientError as error:
        seen = error.response["Error"]["Code"]
        assert seen == code, f"expected {code}, got {seen}: {error}"
        assert error.response["ResponseMetadata"].get("RequestId"), "no request id"
        return
    raise AssertionError(f"not refused with {code}")


def aws(*words):
    """What `aws glacier` prints."""
    done = subprocess.run(["aws", "glacier", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None


def tree_hash(data):
    file = pathlib.Path("hashed")
    file.write_bytes(data)
    with file.open("rb") as opened:
        return calculate_tree_hash(opened)


def policy(vault, **statement):
    arn = glacier.describe_vault(vaultName=vault)["VaultARN"]
    statement = {"Principal": "*", "Resource": arn, **statement}
    return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})}


# Vaults.
for _ in range(2):
    made = glacier.create_vault(vaultName="v")
    assert made["location"].endswith("/vaults/v"), made
assert [vault["VaultName"] for vault in glacier.list_vaults()["VaultList"]] == ["v"]
refused("ResourceNotFoundException", glacier.describe_vault, vaultName="w")
glacier.add_tags_to_vault(vaultName="v", Tags={"a": "1"})
assert glacier.list_tags_for_vault(vaultName="v")["Tags"] == {"a": "1"}
glacier.remove_tags_from_vault(vaultName="v", TagKeys=["a"])
assert glacier.list_tags_for_vault(vaultName="v")["Tags"] == {}

# An archive that comes whole.
whole = glacier.upload_archive(vaultName="v", archiveDescription="a description", body=content)
assert whole["checksum"] == tree_hash(content), whole
refused("InvalidParameterValueException", glacier.upload_archive, vaultName="v", body=content, checksum="0" * 64)

# In parts, the last one first.
begun = glacier.initiate_multipart_upload(vaultName="v", partSize=str(MIB), archiveDescription="in parts")
upload = {"vaultName": "v", "uploadId": begun["uploadId"]}
for first in reversed(range(0, len(content), MIB)):
    part = content[first:first + MIB]
    sent = glacier.upload_multipart_part(range=f"bytes {first}-{first + len(part) - 1}/*", body=part, **upload)
    assert sent["checksum"] == tree_hash(part)
assert len(glacier.list_parts(**upload)["Parts"]) == 5
assert len(glacier.list_multipart_uploads(vaultName="v")["UploadsList"]) == 1
refused("InvalidParameterValueException", glacier.complete_multipart_upload, archiveSize=str(len(content)),
        checksum="0" * 64, **upload)
parts = glacier.complete_multipart_upload(archiveSize=str(len(content)), checksum=tree_hash(content), **upload)
assert parts["checksum"] == whole["checksum"]
aborted = glacier.initiate_multipart_upload(vaultName="v", partSize=str(MIB))
glacier.abort_multipart_upload(vaultName="v", uploadId=aborted["uploadId"])
described = glacier.describe_vault(vaultName="v")
assert (described["NumberOfArchives"], described["SizeInBytes"]) == (2, 2 * len(content)), described

# Jobs.
for archive in (whole, parts):
    job = glacier.initiate_job(vaultName="v", jobParameters={
        "Type": "archive-retrieval", "ArchiveId": archive["archiveId"], "Tier": "Expedited"})
    job = {"vaultName": "v", "jobId": job["jobId"]}
    assert glacier.describe_job(**job)["StatusCode"] == "Succeeded"
    output = glacier.get_job_output(**job)
    assert output["body"].read() == content
    assert (output["status"], output["checksum"]) == (200, whole["checksum"])
    ranged = glacier.get_job_output(range=f"bytes={2 * MIB}-{4 * MIB - 1}", **job)
    data = ranged["body"].read()
    assert data == content[2 * MIB:4 * MIB]
    assert (ranged["status"], ranged["checksum"]) == (206, tree_hash(data))
    ranged = glacier.get_job_output(range="bytes=1-10", **job)
    assert ranged["body"].read() == content[1:11] and "checksum" not in ranged
refused("ResourceNotFoundException", glacier.initiate_job, vaultName="v", jobParameters={
    "Type": "archive-retrieval", "ArchiveId": "none"})
job = glacier.initiate_job(vaultName="v", jobParameters={"Type": "inventory-retrieval", "Format": "JSON"})
inventory = json.load(glacier.get_job_output(vaultName="v", jobId=job["jobId"])["body"])
assert {it["ArchiveId"] for it in inventory["ArchiveList"]} == {whole["archiveId"], parts["archiveId"]}
assert len(glacier.list_jobs(vaultName="v", completed="true")["JobList"]) == 3

# Access policy and Vault Lock.
deny = policy("v", Effect="Deny", Action="glacier:DeleteArchive",
              Condition={"NumericLessThan": {"glacier:ArchiveAgeInDays": "365"}})
glacier.set_vault_access_policy(vaultName="v", policy=policy("v", Effect="Allow", Action="glacier:*"))
assert "Allow" in glacier.get_vault_access_policy(vaultName="v")["policy"]["Policy"]
lock = glacier.initiate_vault_lock(vaultName="v", policy=deny)
refused("AccessDeniedException", glacier.delete_archive, vaultName="v", archiveId=whole["archiveId"])
assert glacier.get_vault_lock(vaultName="v")["State"] == "InProgress"
refused("InvalidParameterValueException", glacier.complete_vault_lock, vaultName="v", lockId="other")
glacier.complete_vault_lock(vaultName="v", lockId=lock["lockId"])
glacier.complete_vault_lock(vaultName="v", lockId=lock["lockId"])
refused("AccessDeniedException", glacier.abort_vault_lock, vaultName="v")
refused("AccessDeniedException", glacier.initiate_vault_lock, vaultName="v", policy=deny)
assert glacier.get_vault_lock(vaultName="v")["State"] == "Locked"
glacier.delete_vault_access_policy(vaultName="v")
refused("InvalidParameterValueException", glacier.delete_vault, vaultName="v")
refused("BadRequest", glacier.get_vault_notifications, vaultName="v")

# The same by the command line.
pathlib.Path("archive").write_bytes(content)
own = ("--account-id", "-", "--vault-name", "cli")
aws("create-vault", *own)
sent = aws("upload-archive", *own, "--body", "archive")
assert sent["checksum"] == whole["checksum"]
begun = aws("initiate-multipart-upload", *own, "--part-size", str(4 * MIB))
for first, last in ((0, 4 * MIB - 1), (4 * MIB, len(content) - 1)):
    pathlib.Path("part").write_bytes(content[first:last + 1])
    aws("upload-multipart-part", *own, "--upload-id", begun["uploadId"], "--body", "part",
        "--range", f"bytes {first}-{last}/*")
done = aws("complete-multipart-upload", *own, "--upload-id", begun["uploadId"], "--checksum", tree_hash(content),
           "--archive-size", str(len(content)))
job = aws("initiate-job", *own, "--job-parameters",
          json.dumps({"Type": "archive-retrieval", "ArchiveId": done["archiveId"]}))
aws("get-job-output", *own, "--job-id", job["jobId"], "back")
assert hashlib.sha256(pathlib.Path("back").read_bytes()).digest() == hashlib.sha256(content).digest()
lock = aws("initiate-vault-lock", *own, "--policy", json.dumps(policy("cli", Effect="Deny",
                                                                     Action="glacier:DeleteVault")))
aws("complete-vault-lock", *own, "--lock-id", lock["lockId"])
assert aws("get-vault-lock", *own)["State"] == "Locked"
for archive in (sent, done):
    aws("delete-archive", *own, f"--archive-id={archive['archiveId']}")
for name in ("archive", "part", "back", "hashed"):
    pathlib.Path(name).unlink()
print("glacier: all done")
