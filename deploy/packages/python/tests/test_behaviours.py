"""The behaviours of tests/fixtures/behaviours.md, by their numbers."""
import subprocess
import sys
import threading

import boto3
import botocore.exceptions
import pytest

import sealgate as package
from sealgate import Sealgate, SealgateError

SEED = '[[key]]\nid = "testkey-1"\naliases = ["alias/seeded"]\n'
KMS = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "alias/demo"}


def code(call, **parameters):
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]["Code"]


def without_retries(sealgate: Sealgate):
    from botocore.config import Config

    return sealgate.client("kms", config=Config(retries={"total_max_attempts": 1}))


def test_01_it_starts_on_free_ports_has_the_version_and_ends_with_status_0():
    sealgate = package.start()
    assert sealgate.line["version"]
    assert sealgate.calls() == 0, "what the gateway does at its start is not the test's"
    assert sealgate.kms.list_aliases()["Aliases"]
    assert sealgate.stop() == 0


def test_02_two_at_once_share_nothing(sealgate, sealgate_fresh):
    sealgate.s3.create_bucket(Bucket="only-here")
    assert not sealgate_fresh.s3.list_buckets()["Buckets"]
    assert sealgate.line["kms_endpoint"] != sealgate_fresh.line["kms_endpoint"]


def test_03_it_ends_when_the_process_that_started_it_is_killed():
    program = "import sealgate, os, signal; s = sealgate.start(); print(s._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    # The pipe is also the log's: it ends with the last process that writes to it.
    killed = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, timeout=30)
    assert killed.returncode == -9
    pid = int(killed.stdout)
    for _ in range(500):
        seen = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, text=True).stdout.strip()
        if not seen or seen.startswith("Z"):
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"process {pid} is still there: {seen}")


def test_04_a_start_that_is_refused_is_an_error_with_sealgates_own_text(tmp_path):
    with pytest.raises(SealgateError, match="no-such-file"):
        package.start(seed=str(tmp_path / "no-such-file"))
    with pytest.raises(SealgateError, match="does not start"):
        package.start(binary=str(tmp_path / "no-binary"))


def test_05_an_object_is_read_as_it_was_written_and_the_backend_lacks_its_plaintext(sealgate, sealgate_bucket):
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="k", Body=b"secret words")
    assert sealgate.s3.get_object(Bucket=sealgate_bucket, Key="k")["Body"].read() == b"secret words"
    sealgate.assert_backend_lacks(b"secret words")
    # The check can fail: the name of an object is no secret.
    with pytest.raises(AssertionError, match="the backend has it"):
        sealgate.s3.put_object(Bucket=sealgate_bucket, Key="a-name-in-clear", Body=b"")
        sealgate.assert_backend_lacks(b"a-name-in-clear")


def test_06_the_encryption_of_an_object_names_its_algorithm_and_its_key(sealgate, sealgate_bucket):
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="k", Body=b"x", **KMS)
    sealed = sealgate.encryption_of(sealgate_bucket, "k")
    demo = sealgate.kms.describe_key(KeyId="alias/demo")["KeyMetadata"]["Arn"]
    assert (sealed.algorithm, sealed.key_id, sealed.bucket_key) == ("aws:kms", demo, False)


def test_07_a_put_with_sse_kms_is_one_generate_data_key(sealgate, sealgate_bucket):
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="k", Body=b"x", **KMS)
    assert sealgate.calls("GenerateDataKey", key="alias/demo") == 1
    assert sealgate.requests("PutObject", status=200) == 1


def test_08_counts_begin_at_a_mark(sealgate):
    sealgate.kms.generate_random(NumberOfBytes=1)
    sealgate.mark()
    assert sealgate.calls() == 0
    sealgate.kms.generate_random(NumberOfBytes=1)
    assert sealgate.calls() == sealgate.calls("GenerateRandom", outcome="OK") == 1


def test_09_calls_are_counted_by_alias_and_id_and_a_misspelt_name_is_an_error(sealgate):
    key = sealgate.kms.describe_key(KeyId="alias/demo")["KeyMetadata"]["KeyId"]
    sealgate.kms.encrypt(KeyId=key, Plaintext=b"x")
    sealgate.kms.encrypt(KeyId="alias/demo", Plaintext=b"x")
    assert sealgate.calls("Encrypt", key=key) == sealgate.calls("Encrypt", key="alias/demo") == 2
    with pytest.raises(SealgateError, match="alias/dmo"):
        sealgate.calls("Encrypt", key="alias/dmo")
    with pytest.raises(SealgateError, match="Encript"):
        sealgate.calls("Encript")


def test_10_the_next_calls_are_throttled_and_counted_by_their_outcome(sealgate):
    kms = without_retries(sealgate)
    sealgate.throttle_next(2, "Encrypt")
    for _ in range(2):
        assert code(kms.encrypt, KeyId="alias/demo", Plaintext=b"x") == "ThrottlingException"
    kms.encrypt(KeyId="alias/demo", Plaintext=b"x")
    assert sealgate.calls("Encrypt", outcome="ThrottlingException", key="alias/demo") == 2
    assert sealgate.calls("Encrypt", outcome="OK") == 1


def test_11_a_failure_is_of_one_key_and_leaves_others_alone(sealgate):
    kms = without_retries(sealgate)
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    sealgate.fail_next(1, "Encrypt", key="alias/demo", error="KeyUnavailableException")
    kms.encrypt(KeyId=other, Plaintext=b"x")
    assert code(kms.encrypt, KeyId="alias/demo", Plaintext=b"x") == "KeyUnavailableException"


def test_12_a_latency_is_applied_to_calls_until_it_is_removed(sealgate):
    rule = sealgate.latency(1, "GenerateRandom")
    for _ in range(3):
        sealgate.kms.generate_random(NumberOfBytes=1)
    assert rule.remove() == 3
    with pytest.raises(SealgateError, match="no rule"):
        rule.remove()


def test_13_a_quota_serves_its_rate_in_a_second_and_throttles_the_next_call(sealgate):
    sealgate.freeze()
    sealgate.quota("CryptographicOperationsSymmetric", 3)
    kms = without_retries(sealgate)
    for _ in range(3):
        kms.encrypt(KeyId="alias/demo", Plaintext=b"x")
    assert code(kms.encrypt, KeyId="alias/demo", Plaintext=b"x") == "ThrottlingException"
    sealgate.advance(seconds=1)
    kms.encrypt(KeyId="alias/demo", Plaintext=b"x")


@pytest.mark.sealgate(clock="2026-01-02T03:04:05Z")
def test_14_a_clock_that_is_moved_deletes_a_key_whose_waiting_period_is_over(sealgate_fresh):
    key = sealgate_fresh.kms.create_key()["KeyMetadata"]
    assert key["CreationDate"].year == 2026
    sealgate_fresh.kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    assert sealgate_fresh.advance(days=8).startswith("2026-01-10T03:04:05")
    assert code(sealgate_fresh.kms.describe_key, KeyId=key["KeyId"]) == "NotFoundException"


def test_15_keys_of_a_seed_file_are_there(tmp_path):
    seed = tmp_path / "keys.toml"
    seed.write_text(SEED)
    with package.start(seed=str(seed)) as sealgate:
        described = sealgate.kms.describe_key(KeyId="alias/seeded")
        assert described["KeyMetadata"]["KeyId"] == "testkey-1"


def test_16_code_that_makes_its_own_clients_finds_it(sealgate_env):
    boto3.client("s3").create_bucket(Bucket="by-environment")
    buckets = [bucket["Name"] for bucket in sealgate_env.s3.list_buckets()["Buckets"]]
    assert buckets == ["by-environment"]
    boto3.client("kms").describe_key(KeyId="alias/demo")
    assert boto3.client("sts").get_caller_identity()["Account"]


def test_17_a_reset_puts_everything_back_to_the_start(sealgate):
    sealgate.s3.create_bucket(Bucket="gone")
    sealgate.s3.put_object(Bucket="gone", Key="k", Body=b"x")
    key = sealgate.kms.create_key()["KeyMetadata"]["KeyId"]
    sealgate.throttle_next(1)
    sealgate.quota("CryptographicOperationsSymmetric", 1)
    sealgate.reset()
    assert sealgate.calls() == 0
    sealgate.s3.list_buckets()
    assert sealgate.calls() == 0, "the gateway made its keys before"
    assert not sealgate.s3.list_buckets()["Buckets"]
    assert code(sealgate.kms.describe_key, KeyId=key) == "NotFoundException"
    sealgate.s3.create_bucket(Bucket="again")
    for body in (b"one", b"two"):
        sealgate.s3.put_object(Bucket="again", Key="k", Body=body, **KMS)
        sealgate.s3.put_object(Bucket="again", Key="s3", Body=body)
    assert sealgate.s3.get_object(Bucket="again", Key="s3")["Body"].read() == b"two"


def test_18_a_user_of_another_account_may_not_read(sealgate, sealgate_bucket):
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="k", Body=b"x")
    other = sealgate.client("s3", alt=True)
    assert code(other.get_object, Bucket=sealgate_bucket, Key="k") == "AccessDenied"
    arn = sealgate.kms.describe_key(KeyId="alias/demo")["KeyMetadata"]["Arn"]
    assert code(sealgate.client("kms", alt=True).describe_key, KeyId=arn) == "AccessDeniedException"


def test_19_events_name_what_was_called_the_newest_first(sealgate):
    sealgate.kms.generate_random(NumberOfBytes=1)
    sealgate.kms.list_aliases()
    assert [event["eventName"] for event in sealgate.events()[:2]] == ["ListAliases", "GenerateRandom"]
    assert sealgate.events("GenerateRandom", limit=1)[0]["eventName"] == "GenerateRandom"


def test_20_waiting_for_calls_ends_when_they_were_made_or_with_an_error(sealgate):
    call = threading.Timer(0.05, lambda: sealgate.client("kms").generate_random(NumberOfBytes=1))
    sealgate.kms.list_aliases()
    call.start()
    assert sealgate.wait_for_calls(1, "GenerateRandom") == 1
    call.join()
    with pytest.raises(AssertionError, match="1 calls of GenerateRandom"):
        sealgate.wait_for_calls(2, "GenerateRandom", timeout=0.05)
