"""The parts of the chat by themselves: what a terminal is sent, what Tab inserts, what is kept."""

from __future__ import annotations

import io
import json
import re
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pyte
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from rich.text import Text

from agentvid import Cancel, Library, Settings
from agentvid.chat.commands import COMMANDS, run_command
from agentvid.chat.completion import ChatCompleter
from agentvid.chat.history import FILE, MAX_ENTRIES, FileHistory
from agentvid.chat.links import Watching
from agentvid.chat.session import Place, Session
from agentvid.chat.terminal import Terminal, link
from agentvid.chat.words import last_word, quoted, split_words
from agentvid.cli.finding import worth_showing
from agentvid.errors import NotFound, UsageError
from agentvid.types import Span

OWNED = "\x1b]0;owned\x07\x9b31m\u202eevil\x1b[2J\r\x08"


class Tty(io.StringIO):
    """A stream that is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal(term: str = "xterm-256color", **environment: str) -> tuple[Terminal, Tty]:
    file = Tty()
    return Terminal(file, {"TERM": term, "LANG": "C.UTF-8", **environment}), file


@pytest.fixture
def session(library: Path) -> Iterator[Session]:
    with Library.open(library, settings=Settings(embed=False)) as opened:
        yield Session(opened)


@given(st.text())
def test_nothing_that_is_printed_commands_the_terminal(text: str) -> None:
    told, file = terminal()
    told.print(text, indent=3, style="dim")
    told.status(text)
    told.status("")
    told.print(link(text, "http://127.0.0.1:1/v/a#t=1,2"))
    with told.draft() as draft:
        draft.add(text)
    screen = pyte.Screen(80, 24)
    pyte.Stream(screen).feed(file.getvalue().replace("\n", "\r\n"))
    assert screen.title == ""
    sent = file.getvalue()
    for sequence in ("\x1b[2m", "\x1b[0m", "\x1b[22m", "\x1b[K", "\x1b[J", "\r", "\x1b\\"):
        sent = sent.replace(sequence, "")
    assert not {c for c in sent if unicodedata.category(c) in ("Cf", "Cs", "Co")} - {"\u200c", "\u200d"}
    assert not any(c in sent for c in map(chr, range(0x80, 0xA0)))


def test_hostile_text_shows_as_text() -> None:
    told, file = terminal()
    told.print(f"before {OWNED} after")
    assert "\x1b]" not in file.getvalue()
    assert "\x9b" not in file.getvalue()
    assert "\u202e" not in file.getvalue()
    assert file.getvalue().startswith("before \ufffd]0;owned\ufffd")


def test_links_are_only_web_addresses() -> None:
    told, file = terminal()
    told.print(link("0:12", "http://127.0.0.1:8642/v/ab#t=12.300,15.000"))
    assert ";http://127.0.0.1:8642/v/ab#t=12.300,15.000\x1b\\" in file.getvalue()
    for url in ("", "javascript:alert(1)", "file:///etc/passwd", f"http://x/{OWNED}", "http://x/ y"):
        told, file = terminal()
        told.print(link("0:12", url))
        assert file.getvalue() == "0:12\n"


def test_a_moment_is_watched_on_the_page_or_by_a_player(tmp_path: Path) -> None:
    film = tmp_path / "it's a film.mp4"
    film.touch()
    place = Place(str(film), "ab/../c d", Span(12.3, 15))
    page = Watching("http://127.0.0.1:8642/")
    assert page.url(place) == "http://127.0.0.1:8642/v/ab%2F..%2Fc%20d#t=12.300,15.000"
    assert page.command(place) == ""
    assert Watching().url(place) == ""
    assert split_words(Watching().command(place)) == ["mpv", "--start=12.300", "--end=15.000", "--", str(film)]
    assert Watching().command(Place("imported", "ab", Span(1, 2))) == ""


@pytest.mark.parametrize("columns", [20, 80])
def test_a_draft_leaves_nothing_behind(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    told, file = terminal()
    told.print("above")
    with told.draft() as draft:
        for piece in ("Words of a mo", "del, which come in pieces\nand lines; ", "日本語 ", "x" * 70):
            draft.add(piece)
        screen = pyte.Screen(columns, 24)
        pyte.Stream(screen).feed(file.getvalue().replace("\n", "\r\n"))
        assert "Words of a model" in " ".join("".join(screen.display).split())
    told.print("below")
    screen = pyte.Screen(columns, 24)
    pyte.Stream(screen).feed(file.getvalue().replace("\n", "\r\n"))
    assert [line.rstrip() for line in screen.display][:3] == ["above", "below", ""]


def test_what_the_encoding_lacks_is_shown_as_the_nearest_letter() -> None:
    told, file = terminal(LANG="C")
    told.print(Text("“café” – 5 € …", style="bold"))
    assert '"cafe" - 5 ? .' in file.getvalue()
    assert file.getvalue().isascii()


def test_a_dumb_terminal_gets_no_sequence_at_all() -> None:
    told, file = terminal("dumb")
    told.print(link("0:12", "http://127.0.0.1:1/"), style="bold red")
    told.status("working")
    with told.draft() as draft:
        draft.add("words")
    assert file.getvalue() == "0:12\n"


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))).filter(str.strip), st.text("ab '\"\\", max_size=9))
def test_a_quoted_name_is_one_word_again(name: str, before: str) -> None:
    assert split_words(quoted(name)) == [name]
    assert last_word(f"first {quoted(name)} ") == ""
    assert last_word(f'x "{before.replace(chr(34), "").replace(chr(92), "")}').startswith('"')


def completions(session: Session, text: str) -> list[str]:
    found = ChatCompleter(session, lambda shown: shown).get_completions(Document(text), CompleteEvent())
    return [text[: len(text) + one.start_position] + one.text for one in found]


def test_tab_completes_commands_and_what_they_take(session: Session) -> None:
    assert completions(session, "/sc")[0] == "/scope"
    assert completions(session, "/scope TA") == ["/scope talk.mp4"]
    assert completions(session, "/scope talk.mp4 my") == ['/scope talk.mp4 "my cooking show.mp4"']
    assert completions(session, '/scope "my coo') == ['/scope "my cooking show.mp4"']
    assert completions(session, "/verify s") == ["/verify standard", "/verify strict"]
    assert completions(session, "/budget sec") == ["/budget seconds="]
    assert completions(session, "What happens in tal") == ["What happens in talk.mp4"]
    assert completions(session, "What happens in ") == []
    assert completions(session, "/nosuch ta") == []


def test_names_that_no_terminal_should_be_sent_are_offered_by_id(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    names = ("/a/film.mp4", "/b/film.mp4", "evil\u202efilm.mp4")
    rows.write_text(
        "".join(
            json.dumps({"video": name, "duration": 9, "track": "speech", "start": 0, "end": 5, "text": f"Words {name}"})
            + "\n"
            for name in names
        )
    )
    with Library.open(tmp_path / "films", settings=Settings(embed=False)) as opened:
        opened.import_file(rows)
        session = Session(opened)
        found = list(ChatCompleter(session, lambda shown: shown).videos())
        assert all("\u202e" not in name + about for name, about in found)
        assert {opened.catalogue.find_video(name).id for name, _ in found} == {
            video.id for video in opened.catalogue.videos()
        }


def test_find_leaves_out_hits_that_add_nothing_as_search_does(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    texts = ["The miller opens the red sluice of his mill.", *["A wheel turns."] * 40]
    row = {"video": "film.mp4", "duration": 500, "track": "speech"}
    rows.write_text(
        "".join(
            json.dumps(row | {"start": 10 * at, "end": 10 * at + 5, "text": text}) + "\n"
            for at, text in enumerate(texts)
        )
    )
    query = "miller opens the red sluice of the mill"
    with Library.open(tmp_path / "films", settings=Settings(embed=False)) as opened:
        opened.import_file(rows)
        hits, session = opened.search(query), Session(opened)
        assert session.find(query) == list(worth_showing(hits))
        assert len(session.places) == len(session.find(query)) < len(hits)


def test_history_is_bounded_private_and_survives_damage(tmp_path: Path) -> None:
    file = tmp_path / FILE
    history = FileHistory(tmp_path)
    for number in range(MAX_ENTRIES + 50):
        history.store_string(f"question {number}\nsecond line")
    with file.open("ab") as damaged:
        damaged.write(b'\xff\xfe{"half\n[1]\n"\\u001b]0;owned\\u0007"\n')
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    entries = list(FileHistory(tmp_path).load_history_strings())
    assert entries[0] == "\ufffd]0;owned\ufffd"
    assert entries[1] == f"question {MAX_ENTRIES + 49}\nsecond line"
    assert len(entries) == MAX_ENTRIES
    assert len(file.read_text().splitlines()) == MAX_ENTRIES
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_history_that_cannot_be_kept_costs_nothing_else(tmp_path: Path) -> None:
    history = FileHistory(tmp_path / "no" / "such" / "folder")
    history.store_string("question")
    assert list(history.load_history_strings()) == []


@pytest.mark.parametrize(
    ("line", "error", "says"),
    [
        ("/scpoe", UsageError, "no command /scpoe"),
        ("/", UsageError, "no command /"),
        ("/scope nosuch", NotFound, "nosuch"),
        ("/why", UsageError, "nothing was answered yet"),
        ("/trace", UsageError, "nothing was answered yet"),
        ("/program", UsageError, "nothing was answered yet"),
        ("/verify hard", UsageError, "allowed: standard, strict"),
        ("/budget second=3", UsageError, "'second=3' is no limit"),
        ("/budget seconds=soon", UsageError, "not a number"),
        ("/budget seconds=-3", UsageError, "not allowed"),
        ("/budget steps=1.5", UsageError, "a whole number"),
        ("/budget seconds=nan", UsageError, "not allowed"),
        ("/choices one", UsageError, "2 or more"),
        ("/resume", UsageError, "/resume needs"),
        ("/resume nosuch", NotFound, "no thread 'nosuch'"),
        ("/find", UsageError, "query is empty"),
        ("/model gpt", UsageError, "names no provider"),
    ],
)
def test_wrong_commands_are_one_line_and_change_nothing(
    session: Session, line: str, error: type[Exception], says: str
) -> None:
    before = (session.scope, session.budget, session.choices, session.verify, session.model, session.thread)
    told, _ = terminal()
    with pytest.raises(error, match=re.escape(says)) as caught:
        run_command(session, told, line)
    assert "\n" not in str(caught.value)
    assert before == (session.scope, session.budget, session.choices, session.verify, session.model, session.thread)


def test_a_conversation_is_resumed_in_its_scope(session: Session) -> None:
    video = session.library.catalogue.videos()[0]
    session.set_scope([video.id])
    list(session.stream("What is said?", Cancel()))
    again = Session(session.library, thread=session.thread)
    assert again.resume_if_known()
    assert again.scope == (video.id,)
    again.set_scope(())
    list(again.stream("What is said?", Cancel()))
    last = Session(session.library, thread=session.thread)
    assert last.resume_if_known()
    assert last.scope == ()


def test_commands_set_what_the_next_question_uses(session: Session) -> None:
    told, file = terminal("dumb")
    for line in ("/scope talk.mp4", "/verify strict", "/budget seconds=5 tokens=none", "/choices red | dark blue"):
        run_command(session, told, line)
    assert session.scope == (session.library.catalogue.find_video("talk.mp4").id,)
    assert (session.verify, session.budget.seconds, session.budget.tokens) == ("strict", 5, None)
    assert session.choices == ("red", "dark blue")
    for line in ("/scope all", "/choices none"):
        run_command(session, told, line)
    assert not session.scope
    assert not session.choices
    run_command(session, told, "/help")
    assert all(f"/{name}" in file.getvalue() for name in COMMANDS)
