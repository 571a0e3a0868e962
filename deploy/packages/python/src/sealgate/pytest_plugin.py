"""The pytest plugin: fixtures that start Sealgate when a test requests one, and nothing otherwise."""
from __future__ import annotations

from typing import Any, Dict, Iterator

import pytest

import sealgate as package
from sealgate import Sealgate

_PARAMETERS = ("quota_scale", "seed", "clock", "config", "args")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("sealgate")
    group.addoption("--sealgate-binary", help="the binary; else SEALGATE_BINARY, this environment's, PATH")
    group.addoption("--sealgate-log", help="append the logs of all Sealgates to this file")
    parser.addini("sealgate_args", "more flags for `sealgate up`", type="args", default=[])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"sealgate({', '.join(_PARAMETERS)}): how `sealgate_fresh` starts")


def _start(config: pytest.Config, **parameters: Any) -> Sealgate:
    parameters["args"] = [*config.getini("sealgate_args"), *parameters.get("args", ())]
    binary, log = config.getoption("--sealgate-binary"), config.getoption("--sealgate-log")
    return package.start(binary=binary, log=log, **parameters)


def _marked(node: pytest.Item) -> Dict[str, Any]:
    parameters: Dict[str, Any] = {}
    for marker in node.iter_markers("sealgate"):
        unknown = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in _PARAMETERS)]
        if unknown:
            raise pytest.UsageError(f"sealgate: {', '.join(unknown)} is none of {', '.join(_PARAMETERS)}")
        parameters = {**marker.kwargs, **parameters}
    return parameters


@pytest.fixture(scope="session")
def sealgate_session(request: pytest.FixtureRequest) -> Iterator[Sealgate]:
    """The worker's Sealgate, which nothing puts back."""
    with _start(request.config) as running:
        yield running


@pytest.fixture
def sealgate(sealgate_session: Sealgate, request: pytest.FixtureRequest) -> Sealgate:
    """The worker's Sealgate, as it was at its start."""
    if _marked(request.node):
        raise pytest.UsageError("the marker `sealgate` is for tests that request `sealgate_fresh`")
    sealgate_session.reset()
    return sealgate_session


@pytest.fixture
def sealgate_fresh(request: pytest.FixtureRequest) -> Iterator[Sealgate]:
    """A process of the test's own, started as the marker `sealgate` says."""
    with _start(request.config, **_marked(request.node)) as running:
        yield running


@pytest.fixture
def sealgate_s3(sealgate: Sealgate) -> Any:
    """A boto3 client of S3."""
    return sealgate.s3


@pytest.fixture
def sealgate_kms(sealgate: Sealgate) -> Any:
    """A boto3 client of the KMS."""
    return sealgate.kms


@pytest.fixture
def sealgate_bucket(sealgate: Sealgate) -> str:
    """The name of an empty bucket."""
    sealgate.s3.create_bucket(Bucket="sealgate-test")
    sealgate.mark()
    return "sealgate-test"


@pytest.fixture
def sealgate_env(sealgate: Sealgate, monkeypatch: pytest.MonkeyPatch) -> Sealgate:
    """Has code that makes its own AWS clients find this Sealgate."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in sealgate.env().items():
        monkeypatch.setenv(name, value)
    return sealgate


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    arguments = getattr(item, "funcargs", {}).values()
    running = next((it for it in arguments if isinstance(it, Sealgate)), None)
    if running is not None and report.when == "call" and report.failed:
        try:
            events = [f"{it['eventTime']} {it['eventName']} {it.get('errorCode') or 'OK'}" for it in running.events()]
            report.sections.append(("KMS events, newest first", "\n".join(events)))
            report.sections.append(("Sealgate's log", running.log()))
        except (package.SealgateError, ValueError) as error:
            report.sections.append(("Sealgate", f"it does not answer: {error}"))
    return report
