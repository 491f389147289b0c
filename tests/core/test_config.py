"""Four layers, one result; every wrong value names itself, its origin and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentvid.budget import Price
from agentvid.config import Settings, load_settings, user_file
from agentvid.errors import UsageError


def write(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_later_layers_win_and_origins_tell(tmp_path: Path) -> None:
    path = write(tmp_path, 'model = "file:model"\nocr = false\nmax_replans = 1\n')
    loaded = load_settings(
        {"max_replans": 3, "embedder": None},
        environ={"AGENTVID_MODEL": "env:model", "AGENTVID_MAX_REPLANS": "2", "AGENTVID_DEBUG": "1", "PATH": "/bin"},
        file=path,
    )
    settings = loaded.settings
    assert (settings.model, settings.ocr, settings.max_replans, settings.embedder) == ("env:model", False, 3, "minilm")
    assert loaded.origins["model"] == "$AGENTVID_MODEL"
    assert loaded.origins["ocr"] == str(path)
    assert loaded.origins["max_replans"] == "flag"
    assert loaded.origins["embedder"] == "default"
    assert set(loaded.origins) == set(Settings.model_fields)


def test_without_anything_there_are_defaults(tmp_path: Path) -> None:
    loaded = load_settings(environ={}, file=tmp_path / "none.toml")
    assert set(loaded.origins.values()) == {"default"}
    assert loaded.settings.library.is_absolute()


def test_lists_paths_and_marks(tmp_path: Path) -> None:
    environ = {"AGENTVID_SUBTITLE_LANGUAGES": " en, de ,"}
    loaded = load_settings(environ=environ, file=write(tmp_path, b'\xef\xbb\xbflibrary = "~/videos"'))
    assert loaded.settings.subtitle_languages == ("en", "de")
    assert loaded.settings.library == Path.home() / "videos"


def test_prices_come_from_the_file_and_the_environment(tmp_path: Path) -> None:
    file = write(tmp_path, '[prices]\n"openai:a" = [1.25, 10]\n')
    assert load_settings(environ={}, file=file).settings.price("openai:a") == Price(1.25, 10.0)
    environ = {"AGENTVID_PRICES": "openai:a=1/2, ollama:b:7b=0/0,"}
    settings = load_settings(environ=environ, file=file).settings
    assert settings.price("openai:a") == Price(1.0, 2.0)
    assert settings.price("ollama:b:7b") == Price(0.0, 0.0)
    assert settings.price("openai:c") is None


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"AGENTVID_OCR": "maybe"}, r"ocr = 'maybe' \(from \$AGENTVID_OCR\)"),
        ({"AGENTVID_LIBRARY": ""}, r"library = '' \(from \$AGENTVID_LIBRARY\): allowed: the name of a directory"),
        ({"AGENTVID_CACHE": "~no-such-user-here/x"}, "home directory of that user is not known"),
        ({"AGENTVID_MAX_HOURS": "inf"}, "max_hours = 'inf'.*finite"),
        ({"AGENTVID_CLIP_MIN_SECONDS": "nan"}, "clip_min_seconds = 'nan'"),
        ({"AGENTVID_MAX_TOOL_CALLS": "0"}, ": allowed: greater than or equal to 1"),
        ({"AGENTVID_MAX_TOOL_CALLS": "9" * 5000}, r"max_tool_calls = '9+\.\.\. \(from"),
        ({"AGENTVID_INDEX": "magic"}, "'auto', 'faiss' or 'numpy'"),
        ({"AGENTVID_MAX_MONEY": "0"}, ": allowed: greater than 0"),
        ({"AGENTVID_PRICES": "openai:m"}, "allowed: provider:model=INPUT/OUTPUT"),
        ({"AGENTVID_PRICES": "openai:m=1/-2"}, "prices.*greater than or equal to 0"),
        ({"AGENTVID_PRICES": "openai:m=1/inf"}, "prices.*finite"),
        (
            {"AGENTVID_CLIP_MIN_SECONDS": "99"},
            r"99 \(from \$AGENTVID_CLIP_MIN_SECONDS\) exceeds .* 90 \(from default\)",
        ),
    ],
)
def test_wrong_values_name_their_origin(environ: dict[str, str], expected: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=expected) as caught:
        load_settings(environ=environ, file=tmp_path / "none.toml")
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"ocr =",
        b"a=" + b"[" * 100_000,
        b"nope = 1",
        b"library = 5",
        b"[library]\na = 1",
        b'subtitle_languages = "en"',
    ],
)
def test_broken_files_are_usage_errors(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.toml") as caught:
        load_settings(environ={}, file=write(tmp_path, content))
    assert caught.value.hint


def test_a_directory_is_no_settings_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="directory"):
        load_settings(environ={}, file=tmp_path)


@pytest.mark.parametrize("flags", [{"nope": 1}, {"library": "a\0b"}, {"ocr": 3}])
def test_wrong_flags(flags: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="flag"):
        load_settings(flags, environ={}, file=tmp_path / "none.toml")


def test_the_settings_file_is_found_by_its_variable(tmp_path: Path) -> None:
    assert user_file() == tmp_path / "no-config.toml"  # set for every test in conftest.py
