"""The behaviours of tests/fixtures/behaviours.md, of a container. Not 3: a container is ended by Testcontainers' own
process for that. Not 18: the user of another account is made in the container and not known outside."""
import os
import pathlib
import re

import pytest
import test_behaviours as of_a_process
from test_behaviours import *  # noqa: F403 (each test runs with the fixtures of this file)

from sealgate import SealgateError
from sealgate.testcontainers import SealgateContainer

IMAGE = os.environ.get("SEALGATE_IMAGE", "localhost/sealgate:latest")
README = pathlib.Path(__file__).parents[2] / "README.md"

# Those of other processes than the fixture's, which are written anew below, and that of another account.
for number in ("01", "02", "03", "04", "05", "14", "15", "18"):
    for name in [name for name in globals() if name.startswith(f"test_{number}_")]:
        del globals()[name]


@pytest.fixture(scope="module")
def container():
    with SealgateContainer(IMAGE, region_name="us-east-1") as running:
        yield running


@pytest.fixture
def sealgate(container):
    container.sealgate.reset()
    return container.sealgate


def stored(container):
    """What is in the container's folder of objects, as it is on its disk."""
    archive, _ = container.get_wrapped_container().get_archive("/var/lib/sealgate/store")
    return b"".join(archive)


def test_01_and_02_two_share_nothing_and_end_with_status_0(container, sealgate):
    sealgate.s3.create_bucket(Bucket="only-here")
    with SealgateContainer(IMAGE, region_name="eu-central-1") as other:
        assert not other.get_client("s3").list_buckets()["Buckets"]
        assert other.get_client("kms").list_keys()["Keys"]
        assert (other.access_key, other.secret_key) != (container.access_key, container.secret_key)
        other.get_wrapped_container().stop(timeout=20)
        assert other.wait() == 0


def test_04_a_start_that_is_refused_is_an_error_with_sealgates_own_text():
    with pytest.raises(SealgateError, match="no-such-file"):
        with SealgateContainer(IMAGE).with_flags("--seed", "/no-such-file"):
            pass


def test_05_an_object_is_read_as_it_was_written_and_the_disk_lacks_its_plaintext(container, sealgate, sealgate_bucket):
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="a-name-in-clear", Body=b"secret words")
    assert sealgate.s3.get_object(Bucket=sealgate_bucket, Key="a-name-in-clear")["Body"].read() == b"secret words"
    assert b"secret words" not in stored(container)
    # The check can fail: the name of an object is no secret.
    assert b"a-name-in-clear" in stored(container)
    with pytest.raises(SealgateError, match="not reached from here"):
        sealgate.assert_backend_lacks(b"secret words")


def test_14_a_clock_that_is_moved_deletes_a_key_whose_waiting_period_is_over(sealgate):
    sealgate.freeze("2026-01-02T03:04:05Z")
    key = sealgate.kms.create_key()["KeyMetadata"]["KeyId"]
    sealgate.kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    assert sealgate.advance(days=8).startswith("2026-01-10T03:04:05")
    assert of_a_process.code(sealgate.kms.describe_key, KeyId=key) == "NotFoundException"


def test_15_keys_of_a_seed_file_are_there_and_quotas_are_scaled(tmp_path):
    file = tmp_path / "keys.toml"
    file.write_text(of_a_process.SEED)
    with SealgateContainer(IMAGE).with_seed(str(file)).with_quota_scale(0.001) as own:
        key = own.sealgate.kms.describe_key(KeyId="alias/seeded")["KeyMetadata"]["KeyId"]
        assert key == "testkey-1"
        own.sealgate.freeze()
        kms = of_a_process.without_retries(own.sealgate)
        with pytest.raises(kms.exceptions.ClientError, match="ThrottlingException"):
            for _ in range(101):
                kms.generate_random(NumberOfBytes=1)


def test_18_the_user_of_another_account_is_not_known(sealgate):
    with pytest.raises(SealgateError, match="not known here"):
        sealgate.client("s3", alt=True)


def test_the_example_of_the_readme_passes(container):
    (example,) = re.findall(r"```python\n(from sealgate.testcontainers.*?)```", README.read_text(), re.S)
    exec(compile(example.replace("localhost/sealgate:latest", IMAGE), str(README), "exec"), {})
