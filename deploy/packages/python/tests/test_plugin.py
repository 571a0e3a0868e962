"""The pytest plugin, by runs of pytest of its own."""
import subprocess
import sys

pytest_plugins = ["pytester"]

MANY = """
import pytest

@pytest.mark.parametrize("number", range(200))
def test_many(sealgate, sealgate_bucket, number):
    body = b"secret words %d" % number
    sealgate.s3.put_object(Bucket=sealgate_bucket, Key="k", Body=body)
    assert sealgate.s3.get_object(Bucket=sealgate_bucket, Key="k")["Body"].read() == body
    assert sealgate.requests("PutObject") == 1
"""


def running(marker: str) -> int:
    """How many processes have the marker among their arguments."""
    listed = subprocess.run(["ps", "-eo", "args="], stdout=subprocess.PIPE, text=True, check=True).stdout
    return sum(" --fixture " in line and marker in line for line in listed.splitlines())


def test_four_workers_run_200_tests_and_leave_no_process(pytester):
    pytester.makepyfile(MANY)
    # A Region that no other test has: it is what the processes are found by.
    pytester.makeini("[pytest]\nsealgate_args = --region ap-southeast-7\n")
    result = pytester.runpytest_subprocess("-n", "4", "-q", timeout=300)
    result.assert_outcomes(passed=200)
    assert running("ap-southeast-7") == 0


def test_a_failure_is_reported_with_the_events_and_the_log(pytester):
    pytester.makepyfile("def test_it(sealgate):\n    sealgate.kms.list_aliases()\n    assert False\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*KMS events, newest first*", "*ListAliases OK", "*Sealgate's log*"])


def test_a_marker_that_would_have_no_effect_is_an_error(pytester):
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.sealgate(quota_scale=1)\ndef test_shared(sealgate): pass\n"
        "@pytest.mark.sealgate(quotas=1)\ndef test_misspelt(sealgate_fresh): pass\n"
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*for tests that request `sealgate_fresh`*", "*quotas is none of*"])


def test_nothing_is_started_and_boto3_is_not_imported_without_a_test_that_requests_it(pytester):
    pytester.makepyfile("import sys\ndef test_it(): assert 'boto3' not in sys.modules\n")
    pytester.makeini("[pytest]\n")
    result = pytester.runpytest_subprocess("--sealgate-binary", "/no/binary")
    result.assert_outcomes(passed=1)
    program = "import sys, sealgate; assert not {'boto3', 'http.client'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
