"""The services of an AWS SDK around KMS: CloudTrail, Service Quotas, STS and its sessions. Run by tests/clients/run."""
import datetime
import json
import os

import boto3
import botocore.config
import botocore.exceptions

ENDPOINT, ADMIN = os.environ["AWS_ENDPOINT_URL_KMS"], os.environ["KMS_ADMIN_ENDPOINT"]
once = botocore.config.Config(retries={"max_attempts": 0})
kms = boto3.client("kms", config=once)


def refused(code, call, **request):
    try:
        call(**request)
    except botocore.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"not refused with {code}")


# CloudTrail: which calls were made, with what parameters, and how they ended.
trail = boto3.client("cloudtrail", endpoint_url=ADMIN)
begun = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=1)
key = kms.create_key()["KeyMetadata"]
context = {"order": "7"}
sealed = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"secret of the trail", EncryptionContext=context)
opened = kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=context)
refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=sealed["CiphertextBlob"])


def events(**wanted):
    attributes = [{"AttributeKey": name, "AttributeValue": value} for name, value in wanted.items()]
    pages = trail.get_paginator("lookup_events").paginate(
        LookupAttributes=attributes, StartTime=begun, PaginationConfig={"PageSize": 2})
    return [event for page in pages for event in page["Events"]]


of_key = events(ResourceName=key["Arn"])
assert [event["EventName"] for event in of_key] == ["Decrypt", "Decrypt", "Encrypt", "CreateKey"], of_key
failed, decrypted = (json.loads(event["CloudTrailEvent"]) for event in of_key[:2])
assert failed["errorCode"] == "InvalidCiphertextException", failed
assert decrypted["requestParameters"] == {
    "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": context}, decrypted
assert decrypted["eventID"] == of_key[1]["EventId"] and decrypted["readOnly"] is True
assert decrypted["requestID"] == opened["ResponseMetadata"]["RequestId"], decrypted
assert decrypted["userIdentity"]["accessKeyId"] == os.environ["AWS_ACCESS_KEY_ID"], decrypted
assert decrypted["userAgent"].startswith("Boto3/"), decrypted
assert isinstance(of_key[0]["EventTime"], datetime.datetime) and of_key[0]["EventTime"] >= begun
assert of_key[0]["Resources"] == [{"ResourceType": "AWS::KMS::Key", "ResourceName": key["Arn"]}]
assert len(events(EventId=decrypted["eventID"])) == 1 and events(EventName="Sign") == []
assert "secret of the trail" not in json.dumps(of_key, default=str)
refused("InvalidTimeRangeException", trail.lookup_events, StartTime=datetime.datetime(2030, 1, 1),
        EndTime=datetime.datetime(2029, 1, 1))

# Service Quotas: read and raised.
quotas = boto3.client("service-quotas", endpoint_url=ENDPOINT)
pages = quotas.get_paginator("list_service_quotas").paginate(ServiceCode="kms")
listed = {quota["QuotaCode"]: quota for page in pages for quota in page["Quotas"]}
assert listed["L-6E3AF000"]["UsageMetric"]["MetricDimensions"]["Resource"] == "CryptographicOperationsSymmetric"
create_alias = quotas.get_service_quota(ServiceCode="kms", QuotaCode="L-F7504F73")["Quota"]
assert create_alias["Value"] == 5.0 and create_alias["Adjustable"] is True, create_alias
asked = quotas.request_service_quota_increase(ServiceCode="kms", QuotaCode="L-F7504F73", DesiredValue=50.0)
assert asked["RequestedQuota"]["DesiredValue"] == 50.0, asked
raised = quotas.get_service_quota(ServiceCode="kms", QuotaCode="L-F7504F73")["Quota"]
assert raised["Value"] == 50.0, raised
refused("NoSuchResourceException", quotas.get_service_quota, ServiceCode="kms", QuotaCode="L-00000000")

# STS: the caller's identity.
identity = boto3.client("sts", endpoint_url=ENDPOINT).get_caller_identity()
assert identity["Account"] == key["AWSAccountId"] and identity["Arn"] == decrypted["userIdentity"]["arn"], identity

# A session of the user: S3 and KMS accept it, and the trail shows its key.
session = boto3.client("sts", endpoint_url=ENDPOINT).get_session_token(DurationSeconds=900)["Credentials"]
temporary = boto3.Session(aws_access_key_id=session["AccessKeyId"], aws_session_token=session["SessionToken"],
                          aws_secret_access_key=session["SecretAccessKey"])
assert temporary.client("sts", endpoint_url=ENDPOINT).get_caller_identity()["Arn"] == identity["Arn"]
assert temporary.client("kms").describe_key(KeyId=key["KeyId"])["KeyMetadata"]["Arn"] == key["Arn"]
s3 = temporary.client("s3")
s3.create_bucket(Bucket="of-a-session")
s3.put_object(Bucket="of-a-session", Key="k", Body=b"body of the trail")
assert s3.get_object(Bucket="of-a-session", Key="k")["Body"].read() == b"body of the trail"
created, = events(ResourceName="of-a-session")
assert created["EventName"] == "CreateBucket" and created["AccessKeyId"] == session["AccessKeyId"], created
assert created["EventSource"] == "s3.amazonaws.com" and events(EventName="PutObject") == []
recorded = json.loads(created["CloudTrailEvent"])
assert recorded["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "false", recorded
assert recorded["userAgent"].startswith("[Boto3/") and session["SessionToken"] not in created["CloudTrailEvent"]
s3.delete_object(Bucket="of-a-session", Key="k")
s3.delete_bucket(Bucket="of-a-session")
