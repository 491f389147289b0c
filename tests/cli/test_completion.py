"""Tab in a real bash, zsh and fish: names of the library, quickly, silently, and harmless whatever they are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentvid.config import load_settings
from agentvid.library import Library

#: Each sources the script that `agentvid --install-completion` installs, as Tab does, and prints what is offered for
#: the last of its arguments, which are the words of a command line.
_BASH = """
source <(_AGENTVID_COMPLETE=source_bash agentvid)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_agentvid_completion agentvid
printf '%s\\n' "${COMPREPLY[@]}"
"""
_FISH = """
_AGENTVID_COMPLETE=source_fish agentvid | source
set line (string join -- ' ' (string escape -- $argv[1..-2]) $argv[-1])
complete --do-complete $line | string replace --regex '\\t.*' ''
true
"""
#: zsh completes in its line editor alone: another zsh on a pseudo-terminal of its own, in which Tab is pressed.
_ZSH = """
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "source $SETUP"
zpty -r shell seen '*<ready>*'
zpty -w -n shell "${(j: :)${(q)@[1,-2]}} ${@[-1]}"$'\\t'
zpty -r shell seen '*<end>*'
print -rl -- ${(M)${(f)${seen//$'\\r'/}}:#offered *}
"""
_ZSH_SETUP = """
PROMPT=
autoload -Uz compinit && compinit -D -u
source <(_AGENTVID_COMPLETE=source_zsh agentvid)
compadd() {
  local -a offered
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] || { builtin compadd -O offered "$@"; print -rl -- "" "offered "$^offered }
  builtin compadd "$@"
}
finish() { print -r -- "" "<end>" }
comppostfuncs=(finish)
bindkey '^I' complete-word
print "<ready>"
"""
_SHELLS = {
    "bash": ["--norc", "-c", _BASH, "bash"],
    "fish": ["--no-config", "-c", _FISH],
    "zsh": ["-f", "-c", _ZSH, "zsh"],
}
HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "x;touch owned",
    "a' ; touch owned ; '",
    'b" ; touch owned ; "',
    "*",
    "two words",
    "-rf",
    "~",
    "tail:end",
    "back\\slash",
    "Ünder_über.mp4",
]
Tab = Callable[..., list[str]]


@pytest.fixture(params=_SHELLS)
def press_tab(request: pytest.FixtureRequest, tmp_path: Path) -> Tab:
    """The words of a command line -> what the shell is offered for the last one."""
    shell = shutil.which(request.param)
    if shell is None:
        pytest.skip(f"there is no {request.param}")
    script = tmp_path / "bin" / "agentvid"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m agentvid "$@"\n', "utf-8")
    script.chmod(0o755)
    setup = script.with_name("setup.zsh")
    setup.write_text(_ZSH_SETUP, "utf-8")
    # Where nothing is offered, zsh and fish offer files.
    folder = tmp_path / "empty"
    folder.mkdir()

    def press(*words: str, library: Path) -> list[str]:
        environment = os.environ | {"PATH": f"{script.parent}:{os.environ['PATH']}", "AGENTVID_LIBRARY": str(library)}
        finished = subprocess.run(
            [shell, *_SHELLS[request.param], "agentvid", *words],
            capture_output=True,
            text=True,
            env=environment | {"LC_ALL": "C.UTF-8", "HOME": str(tmp_path), "SETUP": str(setup)},
            cwd=folder,
            check=True,
            timeout=60,
        )
        assert not finished.stderr
        return sorted(line.removeprefix("offered ") for line in finished.stdout.splitlines() if line)

    return press


def test_names_of_the_library_are_offered(press_tab: Tab, shelf: Path) -> None:
    library = shelf / "library"
    assert press_tab("show", "", library=library) == ["day.mp4", "demo.mp4", "night.mp4", "talk.mp4"]
    assert press_tab("ask", "x", "--video", "d", library=library) == ["day.mp4", "demo.mp4"]
    assert press_tab("search", "x", "--track", "", library=library) == ["fact", "speech"]
    assert press_tab("ask", "x", "--thread", "la", library=library) == ["launch"]
    assert press_tab("thread", "show", "", library=library) == ["launch"]
    assert {"vtt", "srt", "html"} <= set(press_tab("export", "", library=library))
    assert press_tab("trace", "show", "l", library=library) == ["last"]
    assert {"last", "talk.mp4"} <= set(press_tab("play", "", library=library))
    with_option = press_tab("--library", str(shelf / "films"), "show", "t", library=shelf / "none")
    assert with_option == ["talk.mp4"]


def test_an_id_that_is_begun_is_completed(press_tab: Tab, shelf: Path) -> None:
    with Library.open(settings=load_settings({"library": shelf / "library"}, environ={}).settings) as library:
        video_id = library.catalogue.find_video("talk.mp4").id
    assert press_tab("show", video_id[:6], library=shelf / "library") == [video_id[:12]]


def test_without_a_library_or_with_a_damaged_one_nothing_is_said_or_made(press_tab: Tab, tmp_path: Path) -> None:
    assert press_tab("show", "", library=tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
    (tmp_path / "damaged").mkdir()
    for name in ("catalogue.sqlite3", "threads.sqlite3"):
        (tmp_path / "damaged" / name).write_bytes(b"no database")
    assert press_tab("show", "", library=tmp_path / "damaged") == []
    assert press_tab("thread", "rm", "", library=tmp_path / "damaged") == []


def test_hostile_names_are_offered_as_ids(press_tab: Tab, tmp_path: Path) -> None:
    lines = [
        json.dumps({"video": name, "duration": 9, "track": "speech", "start": 1, "end": 2, "text": "Words."}).encode()
        for name in HOSTILE
    ]
    settings = load_settings({"library": tmp_path / "library", "embed": False}, environ={}).settings
    with Library.open(settings=settings) as library:
        library.import_file(lines)
        ids = {video.id[:12] for video in library.catalogue.videos() if video.title != HOSTILE[-1]}
    offered = press_tab("show", "", library=tmp_path / "library")
    assert set(offered) == {*ids, HOSTILE[-1]}
    assert not list(tmp_path.rglob("owned"))
    assert all(re.fullmatch(r"[\w.]+", name) for name in offered)


def test_tab_imports_nothing_heavy(shelf: Path) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print([m for m in ('numpy', 'sqlalchemy', 'torch', 'langgraph')"
        " if m in sys.modules])); from agentvid.cli import main; main([])"
    )
    environment = os.environ | {
        "COMP_WORDS": "agentvid show ",
        "COMP_CWORD": "2",
        "_AGENTVID_COMPLETE": "complete_bash",
    }
    environment |= {"AGENTVID_LIBRARY": str(shelf / "library")}
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert printed.stdout.split()[-2:] == ["talk.mp4", "[]"], printed
