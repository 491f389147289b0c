"""Cues become speech: who says it, once, in which language, from which source, inside the video."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.media.types import Cue, SubtitleTrack
from agentvid.perceive.base import Reading
from agentvid.perceive.sentences import ends_sentence, sentences
from agentvid.perceive.sidecar import Sidecar
from agentvid.perceive.speech import speech_observations
from agentvid.perceive.subtitles import Subtitles, parse_subtitles
from agentvid.types import Observation, Span

Rows = list[tuple[float, float, str]]


def cues(*rows: tuple[float, float, str]) -> tuple[Cue, ...]:
    return tuple(Cue(Span(start, end), text) for start, end, text in rows)


def beside(name: str, language: str, *rows: tuple[float, float, str], skipped: int = 0) -> tuple[Sidecar, Subtitles]:
    return Sidecar(Path(name), language), Subtitles(cues(*rows), "subrip", skipped, f"hash of {name}")


def speech(*rows: tuple[float, float, str], duration_seconds: float = 1000.0) -> Reading:
    return speech_observations([], [beside("talk.srt", "en", *rows)], duration_seconds)


def said(result: Reading) -> Rows:
    return [(row.span.start_seconds, row.span.end_seconds, row.text) for row in result.observations]


def speakers(text: str) -> list[tuple[str, str]]:
    return [(row.attributes.get("speaker", ""), row.text) for row in speech((0, 1, text)).observations]


# -- sources -----------------------------------------------------------------------------------------------------


def test_streams_and_sidecars_keep_language_and_provenance() -> None:
    track = SubtitleTrack(3, "ass", "ger", "Deutsch")
    result = speech_observations(
        [(track, cues((0, 1, "{\\i1}Guten{\\i0}\\NTag")))], [beside("talk.en.srt", "en", (0, 1, "Hello"))], 10.0
    )
    german, english = result.observations
    assert (german.text, german.language, english.text, english.language) == ("Guten Tag", "de", "Hello", "en")
    assert german.provenance.parameters == {"source": "stream", "stream_index": 3, "codec": "ass", "name": "Deutsch"}
    assert english.provenance.parameters == {"source": "sidecar", "name": "talk.en.srt", "codec": "subrip"}
    assert english.provenance.input_hash == "hash of talk.en.srt"
    assert len(german.provenance.input_hash) == 64
    assert {(row.track, row.provenance.stage, row.provenance.model) for row in result.observations} == {
        ("speech", "speech", "subtitles")
    }


def test_a_second_source_adds_only_what_is_new() -> None:
    stream = (SubtitleTrack(2, "mov_text", "eng", ""), cues((0, 1, "Hello"), (5, 6, "Only here")))
    near = beside("talk.en.srt", "en", (0.4, 1.4, "Hello"), (20, 21, "Hello"), (5, 6, "Other words"))
    french = beside("talk.fr.srt", "fr", (0, 1, "Hello"))
    unknown = beside("talk.srt", "", (0, 1, "Hello"), (5, 6, "Other words"))
    result = speech_observations([stream], [near, french, unknown], 100.0)
    assert [(row.language, row.text) for row in result.observations] == [
        *(("en", "Hello"), ("en", "Only here"), ("en", "Other words"), ("en", "Hello"), ("fr", "Hello"))
    ]


def test_languages_are_the_users_choice() -> None:
    sources = [beside(f"talk.{tag}.srt", tag, (0, 1, f"in {tag}")) for tag in ("en", "de", "pt-BR", "")]
    kept = {row.language for row in speech_observations([], sources, 10.0, languages=("pt", "de")).observations}
    assert kept == {"de", "pt-BR", ""}
    assert len(speech_observations([], sources, 10.0).observations) == 4
    nothing = speech_observations([], sources[:2], 10.0, languages=("fr",))
    assert nothing == Reading((), warnings=("no subtitles in fr; there are: de, en",))


def test_cues_end_with_the_video_and_a_foreign_file_is_noticed() -> None:
    result = speech((0, 5, "in"), (9, 15, "over the end"), (10, 12, "after"), duration_seconds=10.0)
    assert said(result) == [(0, 5, "in"), (9, 10.0, "over the end")]
    assert result.warnings == ()
    late = speech((1, 2, "in"), (10, 12, "after"), (13, 14, "after"), duration_seconds=10.0)
    assert late.warnings == ("talk.srt: 2 of 3 cues begin after the video's end at 0:10; it may belong to another cut",)


def test_skipped_cues_are_told() -> None:
    result = speech_observations([], [beside("talk.srt", "", (0, 1, "Hi"), skipped=3)], 10.0)
    assert result.warnings == ("talk.srt: malformed cues left out: 3",)


# -- speakers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NAR: This is it", [("NAR", "NAR: This is it")]),
        (">> MAN 2: Well", [("MAN 2", ">> MAN 2: Well")]),
        ("- ANN: Yes\nof course\n- No", [("ANN", "- ANN: Yes of course"), ("", "- No")]),
        ("<v Fred>Hello</v>", [("Fred", "Hello")]),
        (
            "This is <v.a.b Pipo>specific</v>\n<v Robert>but this</v>",
            [("Pipo", "This is specific"), ("Robert", "but this")],
        ),
        ("<v Ann>one\ntwo</v>\nthree", [("Ann", "one two"), ("", "three")]),
        ("Note: nobody speaks", [("", "Note: nobody speaks")]),
        ("see HTTP://x.y", [("", "see HTTP://x.y")]),
        ("10:30 is late", [("", "10:30 is late")]),
    ],
)
def test_speakers(text: str, expected: list[tuple[str, str]]) -> None:
    assert speakers(text) == expected


# -- captions that repeat themselves -----------------------------------------------------------------------------


def test_rolling_captions_say_everything_once() -> None:
    rolling = """WEBVTT
Kind: captions
Language: en

00:00:00.000 --> 00:00:02.000 align:start position:0%
 
so<00:00:00.400><c> now</c><00:00:00.800><c> that</c><00:00:01.200><c> we</c>

00:00:02.000 --> 00:00:02.010 align:start position:0%
so now that we
 

00:00:02.010 --> 00:00:04.000 align:start position:0%
so now that we
understand<00:00:02.400><c> what</c><00:00:02.800><c> a</c>

00:00:04.000 --> 00:00:04.010 align:start position:0%
understand what a
 

00:00:04.010 --> 00:00:06.000 align:start position:0%
understand what a
secure<00:00:04.400><c> generator</c><00:00:04.800><c> is</c>
"""
    parsed = parse_subtitles(rolling.replace("\n \n", "\n&nbsp;\n").encode(), name="talk.vtt")
    result = speech_observations([], [(Sidecar(Path("talk.vtt")), parsed)], 100.0)
    assert said(result) == [
        (0.0, 2.01, "so now that we"),
        (2.01, 4.01, "understand what a"),
        (4.01, 6.0, "secure generator is"),
    ]


def test_captions_that_grow_word_by_word() -> None:
    words = "so now that we understand what a secure generator is".split()
    growing = [(float(n), float(n + 1), " ".join(words[: n + 1])) for n in range(1, len(words))]
    assert " ".join(text for _, _, text in said(speech(*growing))) == " ".join(words)


def test_people_who_repeat_themselves_are_quoted() -> None:
    talk = [(float(n), float(n + 1), f"this is sentence number {n} of it") for n in range(20)]
    talk[10] = (10.0, 11.0, "number 9 of it you said")
    assert [text for _, _, text in said(speech(*talk))] == [text for _, _, text in talk]


def test_one_line_shown_twice_is_one_line_and_later_again_is_another() -> None:
    assert said(speech((0, 1, "Go!"), (1, 2, "Go!"), (5, 6, "Go!"))) == [(0, 2, "Go!"), (5, 6, "Go!")]
    layers = speech((0, 2, "Sign"), (0, 2, "Words of it"), (0, 2, "Sign"), (3, 4, "a b"), (5, 6, "c d"), (7, 8, "e f"))
    assert [text for _, _, text in said(layers)] == ["Sign", "Words of it", "a b", "c d", "e f"]


TEXTS = st.text(alphabet="ab .\n<v>{}\\:", max_size=20)
ROWS = st.lists(st.tuples(st.floats(0, 100), st.floats(0.01, 30), TEXTS), max_size=12)


@given(ROWS, st.floats(1, 100))
def test_rows_lie_inside_the_video_whatever_the_cues(rows: Rows, duration_seconds: float) -> None:
    stream = (SubtitleTrack(0, "ass", "", ""), cues(*((start, start + length, text) for start, length, text in rows)))
    result = speech_observations([stream], [], duration_seconds)
    assert all(row.span.end_seconds <= duration_seconds for row in result.observations)
    spans = sentences(result.observations)
    assert all(a.end_seconds <= b.start_seconds for a, b in itertools.pairwise(spans))


# -- sentences ---------------------------------------------------------------------------------------------------


def sentence_ends(*rows: tuple[float, float, str]) -> list[float]:
    return [round(span.end_seconds, 3) for span in sentences(speech(*rows).observations)]


def test_sentences_end_inside_cues_and_run_over_them() -> None:
    assert sentence_ends((0, 10, "One two. A"), (10, 20, "b c d e. F")) == [8.0, 18.0, 20.0]


def test_a_pause_and_fifteen_seconds_end_a_sentence() -> None:
    assert sentence_ends((0, 2, "without an end"), (5, 6, "more words")) == [2.0, 6.0]
    assert sentence_ends(*((n * 4.0, n * 4.0 + 4, f"words {n}") for n in range(8))) == [16.0, 32.0]


@pytest.mark.parametrize(
    "text", ["Why?", 'He said "no."', "Stop!)", "いいえ。", "「はい。」", "لماذا؟", "क्या।", "wait...", "oh…"]
)
def test_sentence_ends(text: str) -> None:
    assert ends_sentence(text)


@pytest.mark.parametrize("text", ["and", "Mr.", "see Dr.", "by J.", "3.14", "e.g.", "comma,", "", "a.b"])
def test_no_sentence_ends(text: str) -> None:
    assert not ends_sentence(text)


def test_the_source_with_most_text_decides() -> None:
    short = beside("talk.en.srt", "en", (0, 1, "Hi."))
    long = beside("talk.de.srt", "de", (0, 4, "Guten Tag zusammen."))
    rows = speech_observations([], [short, long], 10.0).observations
    assert sentences(rows) == [Span(0, 4)]
    assert sentences([]) == []


def test_other_tracks_are_no_sentences() -> None:
    row = speech((0, 1, "Hi.")).observations[0]
    assert sentences([Observation(row.span, "ocr", "Hi.", row.provenance)]) == []
