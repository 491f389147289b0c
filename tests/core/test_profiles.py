"""Profiles set what the user does not; the report of models asks and loads nothing; offline refuses what would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agentvid.config import Settings, load_settings
from agentvid.errors import UsageError
from agentvid.model_report import ROLES, model_report
from agentvid.profiles import model_facts, profiles


@pytest.mark.parametrize("name", profiles())
def test_a_profile_names_settings_that_exist_and_models_that_are_described(name: str, tmp_path: Path) -> None:
    loaded = load_settings({"profile": name}, environ={}, file=tmp_path / "none")
    values = loaded.settings.model_dump()
    for setting, value in profiles()[name].settings.items():
        assert values[setting] == value
        assert loaded.origins[setting] == f"profile {name}"
        if setting in ROLES and not value.startswith("openai:"):
            assert value in model_facts(), f"{value}: say its size and licence in profiles.toml"


def test_what_the_user_sets_wins_over_the_profile(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('profile = "gpu"\nembedder = "minilm"\n')
    loaded = load_settings({}, environ={"AGENTVID_RERANKER": ""}, file=file)
    assert loaded.settings.embedder == "minilm"
    assert loaded.settings.reranker == ""
    assert loaded.settings.model == profiles()["gpu"].settings["model"]
    assert load_settings({"profile": "lite"}, environ={}, file=file).settings.model == ""


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"profile = 'huge' is not allowed; allowed: lite, cpu, gpu, api"):
        load_settings({"profile": "huge"}, environ={}, file=tmp_path / "none")


def test_the_default_profile_needs_nothing(tmp_path: Path) -> None:
    report = model_report(load_settings({}, environ={}, file=tmp_path / "none"))
    assert [entry.setting for entry in report] == list(ROLES)
    assert {entry.setting: entry.runs for entry in report} == {**dict.fromkeys(ROLES, "off"), "embedder": "here"}
    assert not any(entry.missing for entry in report)


def test_what_is_missing_comes_with_the_command_that_brings_it(tmp_path: Path) -> None:
    flags = {
        "embedder": "nobody/has-this-model",
        "reranker": str(tmp_path / "absent"),
        "model": f"scripted:{tmp_path}/absent.json",
    }
    found = {entry.setting: entry for entry in model_report(load_settings(flags, environ={}, file=tmp_path / "none"))}
    assert found["embedder"].bring == "hf download nobody/has-this-model"
    assert found["reranker"].missing == f"the folder {tmp_path / 'absent'}"
    assert found["model"].missing == f"the file {tmp_path}/absent.json"
    (tmp_path / "absent").mkdir()
    again = model_report(load_settings(flags, environ={}, file=tmp_path / "none"))
    assert not next(entry for entry in again if entry.setting == "reranker").missing


def agentvid(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, "-m", "agentvid", *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environ,
        timeout=120,
        check=False,
    )


def test_the_command_prints_the_report_and_loads_no_model(tmp_path: Path) -> None:
    done = agentvid("--profile", "api", "models", "--json", AGENTVID_CONFIG=str(tmp_path / "none"), OPENAI_API_KEY="")
    document = json.loads(done.stdout)
    assert document["profile"] == "api"
    model = next(entry for entry in document["models"] if entry["setting"] == "model")
    assert model["runs"] == "at its provider"
    assert model["bring"] in ("export OPENAI_API_KEY=...", 'pip install "agentvid[openai]"')
    assert list(document["profiles"]) == list(profiles())


def test_offline_a_provider_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    library = tmp_path / "library"
    row = tmp_path / "rows.jsonl"
    row.write_text('{"video": "v", "duration": 9, "track": "speech", "start": 0, "end": 2, "text": "A word."}\n')
    assert agentvid("--library", str(library), "import", str(row)).returncode == 0
    here = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": "http://example.invalid"}
    done = agentvid("--library", str(library), "--offline", "ask", "Which word?", "--model", "openai:any", **here)
    assert done.returncode == 2
    assert "openai:any is asked over the network at example.invalid, and offline is set" in done.stderr
    assert "Traceback" not in done.stderr
    # A server on this machine is no network: nobody answers there, and that is what is told.
    here["OPENAI_BASE_URL"] = "http://127.0.0.1:9"
    done = agentvid("--library", str(library), "--offline", "ask", "Which word?", "--model", "openai:any", **here)
    assert "offline" not in done.stderr


def test_settings_know_offline() -> None:
    assert not Settings().offline
