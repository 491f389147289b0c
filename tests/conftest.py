"""Every test starts without the user's settings."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Models of tests are tiny: on a machine with as many workers as cores, a second thread spins while it waits for a core,
# and training one takes twenty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell that starts a job in the background lets it ignore Ctrl-C, and so all that it starts: tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The limit of time is for tests that are meant to be short."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(0))


@pytest.fixture(autouse=True)
def clean_environment(tmp_path: Path) -> Iterator[None]:
    """No AGENTVID_* variable and no settings file of the person who runs the tests."""
    before = {name: value for name, value in os.environ.items() if name.startswith("AGENTVID_")}
    for name in before:
        del os.environ[name]
    os.environ["AGENTVID_CONFIG"] = str(tmp_path / "no-config.toml")
    os.environ["AGENTVID_LIBRARY"] = str(tmp_path / "library")
    yield
    for name in [name for name in os.environ if name.startswith("AGENTVID_")]:
        del os.environ[name]
    os.environ.update(before)


@pytest.fixture(autouse=True)
def ordinary_thread() -> Iterator[None]:
    """No test leaves its thread with another way of getting a core: what is real-time starves all other processes."""
    if sys.platform != "linux":
        yield
        return
    before = os.sched_getscheduler(0)
    yield
    after = os.sched_getscheduler(0)
    if after != before:
        os.sched_setscheduler(0, before, os.sched_param(0))
    assert after == before, "the test has changed how its thread is scheduled"
