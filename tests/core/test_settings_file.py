"""A settings file that commands write: complete, kept as its owner wrote it, never half, and without keys."""

from __future__ import annotations

import json
import re
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentvid.config import Settings, load_settings
from agentvid.errors import NotSaved, UsageError
from agentvid.settings_file import commented_settings, set_value, unset_value, write_commented

#: As somebody might keep it: comments everywhere, lists over lines, tables, dotted and quoted names.
KEPT = """\
# mine
ocr = false  # slides are rare here
"embedder" = 'minilm'

subtitle_languages = [
  "en",  # first
  "de",
]
egress.captions = "local" # never pictures

  # ocr = true
# max_hours = 24.0

[prices] # of May
"openai:a" = [1, 2.5]
# max_frames = 1000
"""
#: Comments that are part of a value go with it.
INSIDE = {
    "subtitle_languages": ("# first",),
    "egress": ("# never pictures",),
    "prices": ("# max_frames = 1000",),
}
#: Setting -> a value as one word -> what it is in the file.
VALUES = [
    ("ocr", "true", True),
    ("max_frames", "12", 12),
    ("max_hours", "2", 2.0),
    ("max_money", "0.5", 0.5),
    ("model", "openai:a", "openai:a"),
    ("embedder", 'a "b" \\ \x1b ü', 'a "b" \\ \x1b ü'),
    ("subtitle_languages", "fr, it", ["fr", "it"]),
    ("subtitle_languages", "", []),
    ("prices", "openai:b=1/2", {"openai:b": [1.0, 2.0]}),
    ("egress", "speech=local", {"speech": "local"}),
    ("examples", "bank.yaml", "bank.yaml"),
]


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_bytes(text.encode())
    return path


def said(path: Path) -> dict[str, object]:
    return tomllib.loads(path.read_text("utf-8"))


def test_the_commented_file_sets_nothing_and_shows_everything(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    write_commented(path)
    assert said(path) == {}
    text = path.read_text("utf-8")
    bare = re.sub(r"(?m)^# (\w+ = )", r"\1", text)
    shown = tomllib.loads(bare)
    assert list(shown) == list(Settings.model_fields)
    defaults = load_settings(environ={}, file=path).settings.model_dump(mode="json")
    assert {name for name, value in shown.items() if value != defaults[name]} == {"egress", "max_money", "prices"}
    load_settings(environ={}, file=written(tmp_path, bare))
    comments = " ".join(line.removeprefix("# ") for line in text.splitlines())
    for field in Settings.model_fields.values():
        assert str(field.description) in comments
    assert max(map(len, text.splitlines())) <= 120


def test_a_file_that_exists_is_never_written_over(tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    with pytest.raises(UsageError, match="exists already"):
        write_commented(path)
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="exists already"):
        write_commented(tmp_path / "link.toml")
    assert path.read_text("utf-8") == KEPT


@pytest.mark.parametrize("text", ["", KEPT, commented_settings(), KEPT.replace("\n", "\r\n")], ids=range(4))
@pytest.mark.parametrize(("name", "word", "value"), VALUES)
def test_a_value_is_set_and_the_rest_stays(text: str, name: str, word: str, value: object, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    before = said(path)
    assert set_value(path, name, word) == value
    assert said(path) == {**before, name: value}
    assert load_settings(environ={}, file=path).origins[name] == str(path)
    after = path.read_bytes().decode()
    assert ("\r\n" in after) == ("\r\n" in text)
    inside = INSIDE.get(name, ()) if "# mine" in text else ()
    kept = [comment for comment in re.findall("#.*", text.replace("\r", "")) if comment not in inside]
    assert re.findall("#.*", after.replace("\r", "")) == kept
    assert unset_value(path, name)
    assert not unset_value(path, name)
    assert said(path) == {known: value for known, value in before.items() if known != name}


@pytest.mark.parametrize("name", [name for name, _, _ in VALUES])
def test_what_is_set_stands_below_its_default_and_leaves_no_trace(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    write_commented(path)
    set_value(path, name, next(word for known, word, _ in VALUES if known == name))
    lines = path.read_text("utf-8").splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith(f"{name} = ")]
    assert lines[at - 1].startswith(f"# {name} = ")
    unset_value(path, name)
    assert path.read_text("utf-8") == commented_settings()


def test_a_comment_inside_of_a_table_or_a_text_is_no_place_for_a_setting(tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    set_value(path, "max_frames", "7")
    assert said(path)["max_frames"] == 7
    path = written(tmp_path, 'embedder = """\n# ocr = true\n"""\n')
    set_value(path, "ocr", "false")
    assert said(path) == {"embedder": "# ocr = true\n", "ocr": False}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(word=st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_is_read_back_as_it_was_given(word: str, tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    assert set_value(path, "reranker", word) == word
    assert load_settings(environ={}, file=path).settings.reranker == word


def test_a_folder_is_kept_whole(tmp_path: Path) -> None:
    """Else it would be another one in every folder that a command runs in."""
    path = tmp_path / "config.toml"
    assert set_value(path, "library", "films") == str(Path.cwd() / "films")
    assert set_value(path, "library", "~/films") == str(Path.home() / "films")


def test_links_and_permissions_stay(tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    path.chmod(0o600)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    set_value(link, "max_asks", "2")
    assert link.is_symlink()
    assert said(path)["max_asks"] == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(item.name for item in tmp_path.iterdir()) == ["config.toml", "link.toml"]


@pytest.mark.parametrize(
    ("name", "word", "expected"),
    [
        ("index", "annoy", r"index = 'annoy' \(from the command line\).*'faiss'"),
        ("max_hours", "nan", "finite"),
        ("ocr", "perhaps", "ocr = 'perhaps'"),
        ("profile", "huge", "allowed: lite, cpu, gpu, api"),
        ("clip_min_seconds", "91", "exceeds"),
        ("max_money", "none", "max_money = 'none'"),
        ("egress", "all=maybe", "all=maybe"),
        ("modl", "x", "unknown setting 'modl'"),
        ("model", "a\udc80", "not Unicode"),
    ],
)
def test_what_is_not_allowed_changes_nothing(name: str, word: str, expected: str, tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    with pytest.raises(UsageError, match=expected):
        set_value(path, name, word)
    assert path.read_text("utf-8") == KEPT


def test_near_names_are_told(tmp_path: Path) -> None:
    for call in (lambda: set_value(tmp_path / "c", "max-hour", "1"), lambda: unset_value(tmp_path / "c", "MAX_HOUR")):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.hint.startswith("near: max_hours")


@pytest.mark.parametrize(
    ("name", "word", "variable"),
    [
        ("model", "sk-proj-Q7wZ9xK2vB4nM6tR8yU1", "OPENAI_API_KEY"),
        ("model", "openai:sk-ant-api03-Q7wZ9xK2vB4nM6tR8yU1", "ANTHROPIC_API_KEY"),
        ("captions_model", "AIzaQ7wZ9xK2vB4nM6tR8yU1", "GOOGLE_API_KEY"),
        ("reranker", "hf_Q7wZ9xK2vB4nM6tR8yU1", "HF_TOKEN"),
        ("local_hosts", "https://user:geheim@here.example", "its package reads"),
        ("openai_api_key", "anything", "OPENAI_API_KEY"),
        ("HF_TOKEN", "anything", "HF_TOKEN"),
        ("sk-proj-Q7wZ9xK2vB4nM6tR8yU1", "x", "its package reads"),
    ],
)
def test_a_key_is_refused_unseen(name: str, word: str, variable: str, tmp_path: Path) -> None:
    path = written(tmp_path, KEPT)
    with pytest.raises(UsageError, match="key") as caught:
        set_value(path, name, word)
    told = f"{caught.value} {caught.value.hint}"
    assert variable in told
    assert "Q7wZ" not in told
    assert "geheim" not in told
    assert path.read_text("utf-8") == KEPT


@pytest.mark.parametrize("name", ["hf-internal-testing/tiny-random-clip", "sk-learn/models-2024", "pk-9/x", "hf:a/b"])
def test_a_models_name_is_no_key(name: str, tmp_path: Path) -> None:
    assert set_value(tmp_path / "config.toml", "frame_embedder", name) == name


@pytest.mark.parametrize("content", [b"ocr = ", b"\xff", b"a = " + b"[" * 5000])
def test_a_broken_file_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)
    for change in (lambda: set_value(path, "ocr", "true"), lambda: unset_value(path, "ocr")):
        with pytest.raises(UsageError, match=r"config\.toml"):
            change()
    assert path.read_bytes() == content


def test_a_wrong_file_is_mended_by_the_commands(tmp_path: Path) -> None:
    path = written(tmp_path, "ocr = 5\nnope = 1\n")
    with pytest.raises(UsageError, match="unknown setting 'nope'"):
        set_value(path, "ocr", "true")
    assert unset_value(path, "nope")
    set_value(path, "ocr", "true")
    assert said(path) == {"ocr": True}


def test_unsetting_does_not_break_a_file(tmp_path: Path) -> None:
    path = written(tmp_path, "clip_min_seconds = 100\nclip_max_seconds = 200\n")
    with pytest.raises(UsageError, match="exceeds"):
        unset_value(path, "clip_max_seconds")
    assert unset_value(path, "clip_min_seconds")


def test_where_nothing_can_be_written_that_is_said(tmp_path: Path) -> None:
    blocked = written(tmp_path, "") / "config.toml"
    for change in (lambda: write_commented(blocked), lambda: set_value(Path("/proc/self/none.toml"), "ocr", "true")):
        with pytest.raises(NotSaved, match="cannot be written") as caught:
            change()
        assert "AGENTVID_CONFIG" in caught.value.hint


def test_the_file_is_what_json_says(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    values = {name: set_value(path, name, word) for name, word, _ in VALUES}
    assert json.loads(json.dumps(said(path))) == values
