"""A plugin of pytest for ceph/s3-tests: after a test whose buckets could not be removed, the next ones
get another prefix. Else one bucket that cannot be deleted fails every test that comes after it. It also
marks in the report the tests about encryption."""
import inspect
import random
import re
import string

import pytest


def other_prefix():
    try:
        import s3tests.functional as suite
    except ImportError:
        return
    if getattr(suite, "prefix", None):
        suite.prefix = "st-" + "".join(random.choices(string.ascii_lowercase + string.digits, k=16)) + "-"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    if (yield).excinfo:
        other_prefix()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(item):
    if (yield).excinfo:
        other_prefix()


def source(function, depth=2):
    """A test's text, and that of the suite's own functions that it calls."""
    text = inspect.getsource(function)
    for name in function.__code__.co_names if depth else ():
        called = function.__globals__.get(name)
        if name.startswith("_") and inspect.isfunction(called):
            text += source(called, depth - 1)
    return text


def pytest_collection_modifyitems(items):
    for item in items:
        marked = any(item.get_closest_marker(mark) for mark in ("encryption", "sse_s3", "bucket_encryption"))
        named = re.search("encrypt|sse_|enc_conflict|obj_(s3|kms)_", item.name)
        text = "ServerSideEncryption|SSECustomer|SSEKMS|x-amz-server-side-encryption|bucket_encryption"
        if marked or named or re.search(text, source(item.function)):
            item.user_properties.append(("encryption", "true"))
