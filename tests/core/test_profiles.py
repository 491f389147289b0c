"""Profiles set what the user does not; the report of models asks and loads nothing; offline refuses what would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentvid.config import Settings, load_settings
from agentvid.errors import UsageError
from agentvid.model_report import ROLES, ModelStatus, model_report
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
    assert {entry.setting: entry.runs for entry in report} == {
        **dict.fromkeys(ROLES, "off"),
        "embedder": "here",
        "ocr_letters": "here",
    }
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


def reported(tmp_path: Path, **flags: object) -> dict[str, ModelStatus]:
    loaded = load_settings({"cache": tmp_path, **flags}, environ={}, file=tmp_path / "none")
    return {entry.setting: entry for entry in model_report(loaded)}


def test_what_reads_text_on_screen_is_told_too(tmp_path: Path) -> None:
    assert reported(tmp_path)["ocr_letters"].name == "rapidocr"
    assert reported(tmp_path, ocr=False)["ocr_letters"].runs == "off"
    cyrillic = reported(tmp_path, ocr_letters="cyrillic")["ocr_letters"]
    assert (cyrillic.name, cyrillic.missing, cyrillic.bring) == (
        "rapidocr:cyrillic",
        "its file",
        "agentvid index PATH",
    )
    (tmp_path / "rapidocr").mkdir()
    (tmp_path / "rapidocr" / "cyrillic_PP-OCRv5_rec_mobile.onnx").touch()
    assert not reported(tmp_path, ocr_letters="cyrillic")["ocr_letters"].missing
    own = str(tmp_path / "own.onnx")
    assert reported(tmp_path, ocr_letters=own)["ocr_letters"].missing == f"the file {own}"


def test_a_model_without_an_owner_in_its_name_is_looked_for_where_it_comes_from(tmp_path: Path) -> None:
    """In an empty cache of the hub none of them is here."""
    program = (
        "import sys; from pathlib import Path\n"
        "from agentvid.config import load_settings\nfrom agentvid.model_report import model_report\n"
        "flags = dict(one.split('=') for one in sys.argv[2:])\n"
        "for entry in model_report(load_settings(flags, environ={}, file=Path(sys.argv[1]))):\n"
        "    print(entry.setting, entry.bring)"
    )
    names = {
        "embedder": ("all-mpnet-base-v2", "hf download sentence-transformers/all-mpnet-base-v2"),
        "reranker": ("ms-marco-TinyBERT-L2-v2", "hf download cross-encoder/ms-marco-TinyBERT-L2-v2"),
        "frame_embedder": ("clip-ViT-B-16", "hf download sentence-transformers/clip-ViT-B-16"),
        "asr": ("faster-whisper:tiny", "hf download Systran/faster-whisper-tiny"),
        "sound": ("somebody/hears", "hf download somebody/hears"),
        "vision": ("hf:looks", "hf download looks"),
    }
    flags = [f"{setting}={name}" for setting, (name, _) in names.items()]
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "none"), *flags],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=True,
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert {setting: told[setting] for setting in names} == {setting: bring for setting, (_, bring) in names.items()}


def agentvid(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
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
