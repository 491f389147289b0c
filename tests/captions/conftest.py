"""A tiny image-text-to-text model: untrained in a second, or trained once for all tests of a session."""

from __future__ import annotations

import fcntl
import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

_SCRIPT = Path(__file__).with_name("tiny_captioner.py")


@pytest.fixture(scope="session")
def tiny() -> ModuleType:
    """The module that builds and trains it, and draws its scenes."""
    spec = importlib.util.spec_from_file_location("tiny_captioner", _SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["tiny_captioner"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def untrained(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, as `save_pretrained` writes it, with weights that nothing was learnt with."""
    folder = tmp_path_factory.mktemp("untrained")
    model, processor = tiny.build()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder after training: one to two minutes, once for all workers of a session."""
    shared = tmp_path_factory.getbasetemp()
    folder = (shared.parent if shared.name.startswith("popen-") else shared) / "trained-captioner"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "config.json").exists():
            subprocess.run([sys.executable, str(_SCRIPT), str(folder)], check=True, stderr=subprocess.DEVNULL)
    return folder
