"""Any bytes become cues or a SubtitleError, and good cues survive bad neighbours."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agentvid.errors import SubtitleError
from agentvid.perceive.subtitles import MAX_BYTES, Subtitles, decode, parse_subtitles, plain_text, substation_text

SRT = """1
00:00:01,000 --> 00:00:02,500
First line.

2
00:00:03,000 --> 00:00:04,000
Second line,
in two rows.
"""


def rows(text: str | bytes, name: str = "talk.srt") -> list[tuple[float, float, str]]:
    """(start, end, plain text) of each cue."""
    return cells(parse(text, name))


def parse(text: str | bytes, name: str = "talk.srt") -> Subtitles:
    return parse_subtitles(text.encode() if isinstance(text, str) else text, name=name)


def cells(parsed: Subtitles) -> list[tuple[float, float, str]]:
    return [(cue.span.start_seconds, cue.span.end_seconds, plain_text(cue.text)) for cue in parsed.cues]


# -- SubRip ------------------------------------------------------------------------------------------------------


def test_subrip() -> None:
    assert rows(SRT) == [(1.0, 2.5, "First line."), (3.0, 4.0, "Second line,\nin two rows.")]
    assert parse(SRT).codec == "subrip"


@pytest.mark.parametrize("line_end", ["\r\n", "\r", "\r\r\n"])
def test_every_line_end(line_end: str) -> None:
    assert rows(SRT.replace("\n", line_end)) == rows(SRT)


def test_short_clocks_are_read_and_malformed_ones_counted() -> None:
    times = ["00:01,000 --> 00:02,000", "00:00:03 --> 00:00:04", "00:00:005,000 --> 00:00:06,000 X1:1"]
    bad = ["-00:00:01,000 --> 00:00:02,000", "00:00:09,000 --> 00:00:08,000", "00:00:01,5 --> 00:00:02,5"]
    bad += [" --> 00:00:02,000", "00:00:07,000 -->", "00:61:00,000 --> 00:62:00,000", "1 --> 2"]
    text = "".join(f"{number}\n{clock}\nline {number}\n\n" for number, clock in enumerate(times + bad))
    parsed = parse(text)
    assert [cue[:2] for cue in cells(parsed)] == [(1.0, 2.0), (3.0, 4.0), (5.0, 6.0)]
    assert parsed.skipped == len(bad)


def test_a_cue_without_time_neither_joins_the_one_before_nor_hides() -> None:
    parsed = parse(SRT.replace("00:00:03,000 --> 00:00:04,000\n", ""))
    assert cells(parsed) == [(1.0, 2.5, "First line.")]
    assert parsed.skipped == 1


def test_blank_lines_missing_or_too_many() -> None:
    assert rows(SRT.replace("\n\n", "\n")) == rows(SRT)
    assert rows(SRT.replace("\n", "\n\n")) == [(1.0, 2.5, "First line."), (3.0, 4.0, "Second line,\nin two rows.")]
    assert rows(SRT.replace("\n\n", "\n\n\n")) == rows(SRT)


def test_a_number_or_an_arrow_may_be_said() -> None:
    assert rows("1\n00:00:01,000 --> 00:00:02,000\nHow many?\n42\n") == [(1.0, 2.0, "How many?\n42")]
    assert rows("1\n00:00:01,000 --> 00:00:02,000\nf: A --> B\n") == [(1.0, 2.0, "f: A --> B")]


def test_markup_goes_and_words_stay() -> None:
    assert plain_text("<i>If</i> {\\an8}x < y <b>&amp;</b> y &lt; z, {then} <laughs> a<br>b") == (
        "If x < y & y < z, {then} <laughs> a\nb"
    )
    assert plain_text("?a=1&copy=2 R&D &unknown; &#65;") == "?a=1&copy=2 R&D &unknown; A"


# -- WebVTT ------------------------------------------------------------------------------------------------------


def test_webvtt_skips_its_comments_styles_and_headers() -> None:
    text = """WEBVTT - a title
X-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000

STYLE
::cue(v) { color: lime }

REGION
id:fred

NOTE a comment
with 00:00 in it

intro
00:01.000 --> 00:02.000 align:start position:0%
<v.loud Fred>Hello</v> <c.red>there</c>

00:00:02.badly --> 00:03.000
lost

266:18:35.679 --> 266:18:37.305
  <ruby>late<rt>note</rt></ruby>
"""
    parsed = parse(text, "talk.vtt")
    assert cells(parsed) == [(1.0, 2.0, "Hello there"), (958715.679, 958717.305, "late")]
    assert (parsed.codec, parsed.skipped) == ("webvtt", 1)


def test_content_decides_the_format_not_the_name() -> None:
    assert parse("WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n", "talk.srt").codec == "webvtt"
    assert parse(SRT, "talk.vtt.txt").codec == "subrip"


def test_inline_times_are_not_cues() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n<00:01.200><c> so</c><00:01.500><c> now</c>\n"
    assert rows(text) == [(1.0, 2.0, " so now")]


# -- SubStation Alpha --------------------------------------------------------------------------------------------

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Start, End, Name, Text
Dialogue: 0:00:01.00,0:00:02.50,Ann,{\\i1}Yes,{\\i0} of\\Ncourse{a comment}
Comment: 0:00:01.00,0:00:02.50,,nobody says this
Dialogue: 0:00:xx.00,0:00:02.50,,a bad time
Dialogue: 0:00:03.00,0:00:04.00,,{\\p1}m 0 0 l 9 9{\\p0}
Dialogue: 0:00:05.00,0:00:06.00,,{\\p1}m 0 0{\\p0}Sign
"""


def test_substation_alpha() -> None:
    parsed = parse(ASS, "talk.ass")
    assert cells(parsed) == [(1.0, 2.5, "Yes, of\ncourse"), (5.0, 6.0, "Sign")]
    assert parsed.cues[0].text.startswith("<v Ann>")
    assert (parsed.codec, parsed.skipped) == ("ass", 1)


def test_substation_without_a_format_line_has_the_usual_fields() -> None:
    text = "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hello, you\n"
    assert rows(text, "talk.ssa") == [(1.0, 2.0, "Hello, you")]


def test_substation_text_keeps_lone_braces() -> None:
    assert substation_text("a { b \\h c") == "a { b   c"


# -- TTML --------------------------------------------------------------------------------------------------------


def ttml(body: str, parameters: str = "") -> str:
    namespaces = 'xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter"'
    return f'<?xml version="1.0" encoding="UTF-16"?><tt {namespaces} {parameters}><body>{body}</body></tt>'


@pytest.mark.parametrize(
    ("begin", "seconds"),
    [
        ("00:00:01.5", 1.5),
        ("00:00:01:12", 1.48),
        ("1.5s", 1.5),
        ("1500ms", 1.5),
        ("0.5m", 30.0),
        ("0.001h", 3.6),
        ("50f", 2.0),
        ("30t", 3.0),
    ],
)
def test_ttml_clock_and_offset_times(begin: str, seconds: float) -> None:
    text = ttml(f'<div><p begin="{begin}" end="100s">Hi</p></div>', 'ttp:frameRate="25" ttp:tickRate="10"')
    ((start, end, words),) = rows(text, "talk.ttml")
    assert start == pytest.approx(seconds)
    assert (end, words) == (100.0, "Hi")


def test_ttml_times_count_from_the_parent_and_lines_break() -> None:
    body = '<div begin="10s"><p begin="1s" dur="2s">one\n   <span>two</span><br/>three</p></div>'
    assert rows(ttml(body), "talk.dfxp") == [(11.0, 13.0, "one two\nthree")]


def test_ttml_sequences_follow_one_another() -> None:
    body = '<div timeContainer="seq"><p dur="2s">a</p><p begin="1s" dur="2s">b</p></div>'
    assert rows(ttml(body), "talk.ttml") == [(0.0, 2.0, "a"), (3.0, 5.0, "b")]


def test_ttml_timed_spans_are_cues_where_the_paragraph_has_no_time() -> None:
    body = '<div><p><span begin="1s" end="2s">a</span><span begin="3s" end="4s">b</span></p></div>'
    parsed = parse(ttml(body), "talk.ttml")
    assert (cells(parsed), parsed.skipped) == ([(1.0, 2.0, "a"), (3.0, 4.0, "b")], 0)
    timed = (
        '<div><p begin="1s" end="4s"><span begin="0s" end="1s">a</span> <span begin="1s" end="2s">b</span></p></div>'
    )
    assert rows(ttml(timed), "talk.ttml") == [(1.0, 4.0, "a b")]


def test_ttml_that_breaks_off_or_has_bad_times_gives_its_good_cues() -> None:
    parsed = parse(ttml('<div><p begin="1s" end="2s">a</p><p begin="soon" end="4s">b</p>').removesuffix("</body></tt>"))
    assert cells(parsed) == [(1.0, 2.0, "a")]
    assert parsed.skipped == 2


def test_ttml_entities_are_refused() -> None:
    bomb = '<!DOCTYPE tt [<!ENTITY a "aaaa">]><tt><body><p begin="0s" end="1s">&a;</p></body></tt>'
    with pytest.raises(SubtitleError, match="no readable cue"):
        parse(bomb, "talk.ttml")


# -- SAMI --------------------------------------------------------------------------------------------------------


def test_sami() -> None:
    text = "<SAMI><BODY><SYNC Start=1000><P>One<SYNC Start=2000><P>&nbsp;<SYNC Start=3000><P>Two</BODY></SAMI>"
    assert [(start, words) for start, _, words in rows(text, "talk.smi")] == [(1.0, "One"), (3.0, "Two")]
    with pytest.raises(SubtitleError):
        parse("<SAMI><BODY><SYNC Start=soon><P>One</BODY></SAMI>", "talk.smi")


# -- encodings ---------------------------------------------------------------------------------------------------

SENTENCES = {
    "utf-8": "Où est la clé? 钥匙在哪里",
    "utf-8-sig": "Où est la clé? 钥匙在哪里",
    "utf-16": "Où est la clé? 钥匙在哪里",
    "utf-16-le": "Où est la clé? 钥匙在哪里",
    "utf-16-be": "Où est la clé? 钥匙在哪里",
    "utf-32": "Où est la clé? 钥匙在哪里",
    "cp1252": "Où est la clé? Je ne sais pas, c’est à côté de l’église, peut-être.",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy. Nevím, kde je můj klíč.",
    "cp1251": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "koi8_r": "Съешь же ещё этих мягких французских булок, да выпей чаю.",
    "cp1253": "Πού είναι το κλειδί μου; Δεν ξέρω, ίσως κοντά στην εκκλησία.",
    "cp1255": "איפה המפתח שלי? אני לא יודע, אולי ליד הכנסייה.",
    "cp1256": "أين مفتاحي؟ لا أعرف، ربما بجانب الكنيسة. لماذا فعلت هذا؟",
    "cp932": "私の鍵はどこですか？わかりません。教会の近くかもしれません。",
    "gb18030": "我的钥匙在哪里？我不知道，也许在教堂旁边。你为什么要这么做？",
    "big5": "我的鑰匙在哪裡？我不知道，也許在教堂旁邊。你為什麼要這麼做？",
    "cp949": "내 열쇠는 어디에 있나요? 모르겠어요. 아마 교회 옆에 있을 거예요.",
}


@pytest.mark.parametrize(("encoding", "sentence"), SENTENCES.items())
def test_encodings(encoding: str, sentence: str) -> None:
    text = SRT.replace("First line.", sentence)
    assert rows(text.encode(encoding))[0][2] == sentence


def test_the_language_tells_code_pages_apart() -> None:
    turkish = "Anahtarım nerede? Şimdi gitmeliyiz."
    assert decode(turkish.encode("cp1254"), "tr") == turkish


def test_one_bad_byte_does_not_change_the_encoding_of_the_rest() -> None:
    data = (SRT.replace("First", "Où est la clé, où? " * 9)).encode() + b"\xff"
    assert "Où est la clé" in rows(data)[0][2]


# -- limits and hostile input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"hello", b"\x89PNG\r\n\x1a\n\0\0", b"WEBVTT", b"1\n2\n3\n", b"{}", b"<html></html>", b"\xff\xfe"],
)
def test_no_cue_is_an_error_with_a_way_out(data: bytes) -> None:
    with pytest.raises(SubtitleError, match=r"talk\.srt holds no .*allowed: SubRip") as caught:
        parse(data)
    assert caught.value.hint


def test_limits_name_value_and_allowance() -> None:
    with pytest.raises(SubtitleError, match="16,777,217 bytes; allowed: 16,777,216"):
        parse(b" " * (MAX_BYTES + 1))
    with pytest.raises(SubtitleError, match="5,000 bytes; allowed: 4,096"):
        parse(SRT.replace("First line.", "x" * 5000))
    with pytest.raises(SubtitleError, match="200,000"):
        parse("0.000 --> 1.000\nx\n" * 200_001)


@pytest.mark.parametrize(
    "unit", ["<", "{", "{\\", "&", "-->", "-->\n", "\r", "1\n\n", "a\n\n", "<v ", "-", " ", "{\\p1}"]
)
def test_time_grows_with_size_only(unit: str) -> None:
    head = "1\n00:00:00,000 --> 00:00:01,000\n"
    started = time.process_time()
    try:
        parsed = parse(head + unit * (500_000 // len(unit)))
    except SubtitleError:
        pass
    else:
        assert parsed.cues
    assert time.process_time() - started < 5.0


PIECES = st.sampled_from(
    [
        *[
            b"1\n",
            b"\n\n",
            b"00:00:01,000 --> 00:00:02,000\n",
            b"00:01.000 --> 00:00.500\n",
            b"WEBVTT\n\n",
            b"NOTE x\n",
        ],
        *[b"[Events]\n", b"Format: Text, Start, End\n", b"Dialogue: 0,0:00:01.00,0:00:02.00,,,,,,,{\\p1}x\n", b"-->"],
        *[b"<tt>", b"</tt>", b'<p begin="1s" end="2s">', b"<p begin='x'>", b"</p>", b"<br/>", b"<span end='1t'>", b"x"],
        *[
            b"<SAMI>",
            b"<SYNC start=1>",
            b"<SYNC>",
            b"&lt;",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\0",
            b"{\\an8}",
            b"<v Fred>",
        ],
        b"\r",
    ]
)


@given(
    st.one_of(
        st.binary(max_size=300), st.lists(PIECES, max_size=30).map(b"".join), st.text(max_size=200).map(str.encode)
    ),
    st.sampled_from(["a.srt", "a.vtt", "a.ass", "a.ttml", "a.smi"]),
)
@example(b"<SAMI><SYNC>", "a.smi")
@example(b"\xff\xfe\x00\xd8", "a.srt")
def test_any_bytes_give_cues_or_a_subtitle_error(data: bytes, name: str) -> None:
    try:
        parsed = parse_subtitles(data, name=name)
    except SubtitleError:
        return
    assert parsed.cues
    assert all(a.span.start_seconds <= b.span.start_seconds for a, b in itertools.pairwise(parsed.cues))
    assert all(cue.text.strip() for cue in parsed.cues)


@given(st.binary(max_size=400))
def test_decoding_never_fails(data: bytes) -> None:
    assert "\r" not in decode(data)
