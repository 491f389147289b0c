"""Every format is read again by somebody else's reader; times are exact and no text means more than its words."""

from __future__ import annotations

import base64
import html
import io
import json
import re
import zipfile
from collections.abc import Callable
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import opentimelineio
import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from agentvid import media
from agentvid.errors import MediaError, UsageError
from agentvid.exports.base import Item, Material, Source, Subject
from agentvid.exports.registry import EXPORTS, export, find_format, formats_json
from agentvid.exports.timecode import frame_of
from agentvid.importer import read_import
from agentvid.media.render import Scene, read_burnt_time, render_video
from agentvid.types import Answer, Claim, Coverage, Evidence, Span

NTSC = Fraction(30000, 1001)
#: Texts that mean something to a reader that is not careful.
HOSTILE = [
    '</script><script>alert(1)</script>"><img src=x onerror=alert(1)>',
    "one\r\n\r\n00:00:09.000 --> 00:00:10.000\nWEBVTT",
    "C:\\new\\Notes {\\an8}<i>slanted</i> & \\N a --> b",
    "[click](javascript:alert(1)) ![x](http://evil.example/x) `code` *b* _i_ # h www.evil.example",
    "1. list\n- item\n> quote ]]> <!DOCTYPE x> &lt; &amp;",
    "* FROM CLIP NAME: other.mp4\n999  AX  V  C 00:00:00:00",
    "Größe “Zitat” 日本語 🎬 עברית it's \u2028line \x85next",
]
NAMES = ['talk "one"\n& two.mp4', "-dash <b>.mp4", "日本 語.mp4", "a'b`c|d.mp4"]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exports") / "film & <b> 'x'.mp4"
    render_video(path, [Scene(3.0), Scene(3.0, motion="pan")], size=(320, 180), rate=NTSC, start_offset_seconds=1.5)
    return path


def material_of(
    texts: list[str],
    *,
    subject: Subject = "hits",
    title: str = "What is shown?",
    file: Path | None = None,
    names: list[str] | None = None,
    start: float = 1.0,
) -> Material:
    """One item per text, a second each, one after the other, in turn of one video or of `names`."""
    names = names or [file.name if file else "talk.mp4"]
    found = (file, "") if file else (None, "it was imported as text: there is no file")
    videos = {
        f"v{n}": Source(f"v{n}", name, name, 10.0, 29.97, True, file, "" if file else "no file", lambda: found)
        for n, name in enumerate(names)
    }
    items = tuple(
        Item(
            f"v{n % len(names)}/speech/{n}",
            f"v{n % len(names)}",
            Span(start + n * 0.9, start + n * 0.9 + 0.7),
            "speech",
            text,
        )
        for n, text in enumerate(texts)
    )
    return Material(subject, title, items, videos)


def answer_of(material: Material, text: str) -> Material:
    """The same items as the evidence of an answer that says `text`."""
    evidence = tuple(
        Evidence(f"e{n}", material.source(item).name, item.video_id, item.span, item.track, item.text, 0.5)
        for n, item in enumerate(material.items, 1)
    )
    claims = tuple(Claim(text, (item.id,)) for item in evidence)
    coverage = Coverage(1, 10.0, ("speech",), (text,))
    answer = Answer(
        material.title, text, False, 0.5, claims, evidence, coverage, trace_id="20261126T000000000-00000000"
    )
    items = tuple(Item(f"{answer.trace_id}:{e.id}", e.video_id, e.span, e.track, e.quote, e.score) for e in evidence)
    return Material("answer", material.title, items, material.videos, answer)


def text_of(name: str, material: Material) -> str:
    data, _ = export(name, material)
    return data.decode()


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("name", [name for name, one in EXPORTS.items() if one.is_text and "hits" in one.subjects])
@pytest.mark.parametrize("video", NAMES)
def test_text_formats_hold_any_words_and_names(name: str, video: str) -> None:
    material = material_of(HOSTILE, names=[video], title=HOSTILE[0] + "\n" + HOSTILE[5])
    assert text_of(name, material)
    if "answer" in find_format(name).subjects:
        assert text_of(name, answer_of(material, HOSTILE[1] + HOSTILE[3]))


def test_a_question_that_is_no_unicode_is_exported() -> None:
    for name, one in EXPORTS.items():
        if one.is_text and "hits" in one.subjects:
            assert text_of(name, material_of(["word"], title="caf\udce9 \x1b[31m"))


def test_an_answer_without_evidence_is_told_where_words_are_enough() -> None:
    empty = answer_of(material_of([]), "Nothing in the videos tells.")
    for name, one in EXPORTS.items():
        if one.is_text and "answer" in one.subjects:
            text = text_of(name, empty)
            assert ("Nothing in the videos tells." in text) == (name in {"markdown", "html"})
    for name in ("sheet", "clips"):
        with pytest.raises(MediaError, match="there is no span"):
            export(name, empty)


# -- subtitles ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vtt", "srt"])
@given(
    starts=st.lists(st.integers(0, 90_000_000), min_size=1, max_size=8),
    length=st.integers(1, 100_000),
    texts=st.lists(st.sampled_from(HOSTILE[:1] + HOSTILE[2:]), min_size=8, max_size=8),
)
def test_subtitles_are_read_back_to_the_millisecond(
    name: str, starts: list[int], length: int, texts: list[str]
) -> None:
    """Rows may overlap. pysubs2 alone takes two times in a text for those of a cue: that text is in another test."""
    items = tuple(
        Item(str(n), "v", Span(start / 1000, (start + length) / 1000), "speech", texts[n])
        for n, start in enumerate(starts)
    )
    material = Material("track", "talk", items, {"v": Source("v", "talk", "talk", 100_000.0)})
    written = text_of(name, material)
    found = pysubs2.SSAFile.from_string(written, format_=name, keep_html_tags=True)
    assert sorted((event.start, event.end) for event in found) == sorted((start, start + length) for start in starts)
    assert written.count(" --> ") == len(starts)


def test_webvtt_cues_hold_the_words_and_no_markup() -> None:
    blocks = text_of("vtt", material_of(HOSTILE)).removeprefix("WEBVTT\n\n").strip().split("\n\n")
    assert [html.unescape(block.split("\n", 1)[1]) for block in blocks] == [one_line(text) for text in HOSTILE]
    assert not any("<" in block.split("\n", 1)[1] or ">" in block.split("\n", 1)[1] for block in blocks)


def test_subrip_keeps_backslashes_and_has_no_tags() -> None:
    lines = text_of("srt", material_of([HOSTILE[2], "a < b > c"])).split("\n")
    assert lines[2] == "C:\\new\\Notes {⧵an8}‹i>slanted‹/i> & \\N a → b"
    assert lines[6] == "a < b > c"


def test_subtitles_of_several_videos_are_refused_and_silent_rows_left_out() -> None:
    with pytest.raises(UsageError, match=r"subtitles belong to one video, these spans to 2: a\.mp4, b\.mp4"):
        export("vtt", material_of(["x", "y"], names=["a.mp4", "b.mp4"]))
    _, left_out = export("srt", material_of(["x", "  "]))
    assert [one.reason for one in left_out] == ["it has no words"]


# -- data --------------------------------------------------------------------------------------------------------


def test_json_lines_are_what_import_reads() -> None:
    material = material_of(HOSTILE, subject="track")
    data, _ = export("jsonl", material)
    batch = read_import(data.splitlines(keepends=True))
    assert batch.problems == ()
    (video,) = batch.videos
    assert (video.name, video.duration_seconds) == ("talk.mp4", 10.0)
    assert [row.text for row in video.observations] == [one_line(text) for text in HOSTILE]
    assert [row.span for row in video.observations] == [
        Span(round(item.span.start_seconds, 3), round(item.span.end_seconds, 3)) for item in material.items
    ]
    assert "pts" not in json.loads(data.splitlines()[0])


def test_json_lines_have_the_ticks_of_the_stream(film: Path) -> None:
    line = json.loads(text_of("jsonl", material_of(["word"], file=film)))
    tick = Fraction(line["time_base"])
    # The stream starts 1.5 s late: its own times are later by that much than the video's clock.
    assert float(line["pts"] * tick) - 1.5 == pytest.approx(line["start"], abs=float(tick))
    assert float(line["end_pts"] * tick) - 1.5 == pytest.approx(line["end"], abs=float(tick))


def test_annotations_are_web_annotations_with_media_fragments(film: Path) -> None:
    material = answer_of(material_of(HOSTILE[:2], file=film), "it says so")
    page = json.loads(text_of("annotations", material))
    assert page["@context"] == "http://www.w3.org/ns/anno.jsonld"
    assert page["type"] == "AnnotationPage"
    assert len({one["id"] for one in page["items"]}) == 2
    for one, item in zip(page["items"], material.items, strict=True):
        selector = one["target"]["selector"]
        assert (selector["type"], selector["conformsTo"]) == ("FragmentSelector", "http://www.w3.org/TR/media-frags/")
        start, end = map(float, re.fullmatch(r"t=(\d+\.\d{3}),(\d+\.\d{3})", selector["value"]).groups())  # type: ignore[union-attr]
        assert (start, end) == (round(item.span.start_seconds, 3), round(item.span.end_seconds, 3))
        assert one["target"]["source"]["id"] == film.as_uri()
        assert [body["value"] for body in one["body"]] == [item.text, "it says so"]
    assert page == json.loads(text_of("annotations", material)), "the same thing has the same ids"


# -- edit lists --------------------------------------------------------------------------------------------------

EVENT = re.compile(r"(\d{3})  AX       V     C        (\S{11}) (\S{11}) (\S{11}) (\S{11})")


def test_edit_list_has_the_frames_of_every_span_in_drop_frame_timecode(film: Path) -> None:
    material = material_of(HOSTILE[:4], file=film)
    lines = text_of("edl", material).split("\n")
    assert lines[0] == "TITLE: What is shown?"
    assert lines[1] == "FCM: DROP FRAME"
    events = [match for line in lines if (match := EVENT.fullmatch(line))]
    assert [event[1] for event in events] == ["001", "002", "003", "004"]
    record = 0
    for event, item in zip(events, material.items, strict=True):
        first, end, begin, stop = (frame_of(code, NTSC) for code in event.groups()[1:])
        assert first / NTSC <= item.span.start_seconds + 0.0005 < (first + 1) / NTSC
        assert (end - 1) / NTSC < item.span.end_seconds - 0.0005 <= end / NTSC
        assert (begin, stop) == (record, record + end - first)
        record = stop
    assert sum(line.startswith("* FROM CLIP NAME: film & <b>") for line in lines) == 4


def test_edit_list_of_two_rates_counts_records_at_the_first_one() -> None:
    videos = {
        "a": Source("a", "a.mp4", "a.mp4", 60.0, 25.0),
        "b": Source("b", "b.mp4", "b.mp4", 60.0, 29.97),
    }
    items = (Item("1", "a", Span(1.0, 3.0), "speech", "x"), Item("2", "b", Span(10.0, 12.002), "speech", "y"))
    lines = text_of("edl", Material("hits", "two", items, videos)).split("\n")
    assert [line for line in lines if line.startswith("FCM")] == ["FCM: NON-DROP FRAME", "FCM: DROP FRAME"]
    assert "001  AX       V     C        00:00:01:00 00:00:03:00 00:00:00:00 00:00:02:00" in lines
    assert "002  AX       V     C        00:00:09;29 00:00:12;00 00:00:02:00 00:00:04:01" in lines


def test_opentimelineio_reads_what_was_written(film: Path) -> None:
    material = material_of(HOSTILE[:4], file=film)
    timeline = opentimelineio.adapters.read_from_string(text_of("otio", material), "otio_json")
    assert timeline.name == material.title
    clips = list(timeline.find_clips())
    for clip, item in zip(clips, material.items, strict=True):
        rate = Fraction(clip.source_range.start_time.rate).limit_denominator(1001)
        assert rate == NTSC
        first, end = clip.source_range.start_time.value, clip.source_range.end_time_exclusive().value
        assert first == int(first)
        assert int(first) / NTSC <= item.span.start_seconds + 0.0005 < (int(first) + 1) / NTSC
        assert (int(end) - 1) / NTSC < item.span.end_seconds - 0.0005 <= int(end) / NTSC
        assert clip.media_reference.target_url == film.as_uri()
        assert clip.metadata["agentvid"]["start_seconds"] == item.span.start_seconds
        assert clip.markers[0].name == one_line(item.text)
    gone = opentimelineio.adapters.read_from_string(text_of("otio", material_of(["x"])), "otio_json")
    assert next(iter(gone.find_clips())).media_reference.is_missing_reference


def seconds_of(text: str) -> Fraction:
    assert re.fullmatch(r"\d+(/\d+)?s", text)
    return Fraction(text[:-1])


def test_final_cut_gets_whole_frames_and_the_words(film: Path) -> None:
    material = material_of(HOSTILE, file=film)
    root = ElementTree.fromstring(text_of("fcpxml", material))
    formats = {one.get("id"): seconds_of(one.get("frameDuration", "")) for one in root.iter("format")}
    (asset,) = root.iter("asset")
    assert formats[asset.get("format")] == 1 / NTSC
    assert [one.get("src") for one in root.iter("media-rep")] == [film.as_uri()]
    offset = Fraction(0)
    clips = list(root.iter("asset-clip"))
    for clip, item in zip(clips, material.items, strict=True):
        start, duration = seconds_of(clip.get("start", "")), seconds_of(clip.get("duration", ""))
        assert (start * NTSC).denominator == (duration * NTSC).denominator == 1
        assert start <= item.span.start_seconds + 0.0005 < start + 1 / NTSC
        assert start + duration - 1 / NTSC < item.span.end_seconds - 0.0005 <= start + duration
        assert seconds_of(clip.get("offset", "")) == offset
        assert clip.findtext("note") == one_line(item.text)
        offset += duration
    (sequence,) = root.iter("sequence")
    assert seconds_of(sequence.get("duration", "")) == offset


def test_final_cut_goes_on_without_videos_that_have_no_file(film: Path) -> None:
    data, left_out = export("fcpxml", material_of(["x"]))
    assert [one.reason for one in left_out] == ["it was imported as text: there is no file"]
    assert list(ElementTree.fromstring(data).iter("asset-clip")) == []


# -- for people --------------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_file_that_runs_and_loads_nothing(film: Path) -> None:
    material = answer_of(material_of(HOSTILE[:5], file=film, title=HOSTILE[0]), HOSTILE[0])
    data, left_out = export("html", material)
    assert left_out == []
    page = _Page()
    page.feed(data.decode())
    allowed = set("html head meta title style body h1 h2 p ul li figure img figcaption b a blockquote footer".split())
    assert {tag for tag, _ in page.tags} <= allowed
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]
    policy = next(a["content"] or "" for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    assert all((a["src"] or "").startswith("data:image/jpeg;base64,") for tag, a in page.tags if tag == "img")
    links = [a["href"] or "" for tag, a in page.tags if tag == "a"]
    assert all(link.startswith((f"{film.as_uri()}#t=", "#e")) for link in links)
    for text in HOSTILE[:5]:
        assert text in page.text


def test_the_report_shows_the_frame_at_the_start_of_each_span(film: Path, tmp_path: Path) -> None:
    material = material_of(["a", "b"], file=film, start=2.002)
    pictures = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text_of("html", material))
    for picture, item in zip(pictures, material.items, strict=True):
        (tmp_path / "still.jpg").write_bytes(base64.b64decode(picture))
        burnt = read_burnt_time(media.read_picture(tmp_path / "still.jpg"))
        assert 0 <= item.span.start_seconds - burnt + 0.001 < float(1 / NTSC) + 0.002


def test_the_report_goes_on_without_pictures() -> None:
    data, left_out = export("html", material_of(["spoken"]))
    assert "no picture: it was imported as text" in data.decode()
    assert len(left_out) == 1


@pytest.mark.parametrize("text", [*HOSTILE, *NAMES, "12) twelve", "= under", "+ plus", "a@b.example http://c.example"])
def test_markdown_shows_the_words_and_links_nowhere_else(text: str, film: Path) -> None:
    material = answer_of(material_of([text], file=film, title=text), text)
    links: list[str] = []
    shown: list[str] = []
    reader = MarkdownIt("gfm-like", {"linkify": False})
    reader.validateLink = lambda url: True  # type: ignore[method-assign]  # it drops links to files
    for block in reader.parse(text_of("markdown", material)):
        assert block.type not in {"html_block", "code_block", "fence"}
        for token in block.children or []:
            assert token.type not in {"html_inline", "image", "code_inline", "em_open", "strikethrough_open"}
            if token.type == "link_open":
                links.append(str(token.attrs["href"]))
        if block.type == "inline":
            shown.append(
                "".join(token.content for token in block.children or [] if token.type in {"text", "text_special"})
            )
    assert [link.split("#t=")[0] for link in links] == [film.as_uri()]
    assert shown.count(one_line(text)) >= 3, shown  # as title, as answer, as quote


def test_a_contact_sheet_shows_frames_of_every_span(film: Path, tmp_path: Path) -> None:
    material = material_of(["a", "b", "c"], file=film)
    data, left_out = export("sheet", material)
    assert left_out == []
    sheet = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert sheet is not None
    rows, columns = 3, 4
    height, width = sheet.shape[0] // rows, (sheet.shape[1] + 4) // columns
    for number, item in enumerate(material.items):
        bottom = (number + 1) * height - 4
        burnt = [
            read_burnt_time(sheet[bottom - 180 : bottom, column * width : column * width + 320])
            for column in range(columns)
        ]
        assert burnt == sorted(burnt)
        assert item.span.start_seconds - 0.035 < burnt[0] <= item.span.start_seconds
        assert burnt[-1] < item.span.end_seconds
    with pytest.raises(MediaError, match="no picture can be shown: it was imported as text"):
        export("sheet", material_of(["a"]))


def test_clips_are_exact_and_named_after_video_and_span(film: Path, tmp_path: Path) -> None:
    material = material_of(["a", "b"], file=film)
    data, left_out = export("clips", material)
    assert left_out == []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path)
    assert names == ["1 film _ _b_ _x 1.000-1.700.mp4", "2 film _ _b_ _x 1.900-2.600.mp4"]
    for name, item in zip(names, material.items, strict=True):
        burnt = read_burnt_time(media.frames_at(tmp_path / name, [0.0])[0].image)
        assert 0 <= item.span.start_seconds - burnt + 0.001 < float(1 / NTSC) + 0.002


# -- chapters ----------------------------------------------------------------------------------------------------


def chapters(*starts: float, end: float = 100.0) -> Material:
    spans = [Span(start, stop) for start, stop in zip(starts, [*starts[1:], end], strict=True)]
    items = tuple(Item(str(n), "v", span, "chapters", f"Part <{n}>") for n, span in enumerate(spans))
    return Material("chapters", "talk.mp4", items, {"v": Source("v", "talk.mp4", "talk.mp4", end)})


def test_youtube_chapters() -> None:
    assert text_of("youtube", chapters(0.0, 15.9, 75.2, end=4000.0)) == "0:00 Part ‹0›\n0:15 Part ‹1›\n1:15 Part ‹2›\n"


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (chapters(0.0, 20.0), "there are 2; YouTube shows 3 or more"),
        (chapters(2.0, 20.0, 50.0), "the first starts at 0:02; YouTube wants 0:00"),
        (chapters(0.0, 20.0, 29.5), "the one at 0:20 lasts 9 s; YouTube wants 10 s or more"),
        (chapters(0.0, 20.0, 95.0), "the one at 1:35 lasts 5 s; YouTube wants 10 s or more"),
    ],
)
def test_chapters_that_youtube_would_not_show_are_refused(found: Material, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)):
        export("youtube", found)


# -- the registry ------------------------------------------------------------------------------------------------


def test_every_format_says_what_it_is() -> None:
    for one in formats_json():
        assert one["name"] in EXPORTS
        assert one["suffix"].startswith(".")
        assert one["about"]
        assert one["subjects"]
    assert len({one["suffix"] for one in formats_json()}) == len(EXPORTS)


def test_the_page_of_exports_tells_of_every_format() -> None:
    page = (Path(__file__).parents[2] / "docs" / "exports.md").read_text("utf-8")
    assert re.findall(r"^\| `(\w+)` \| `(\.\w+)` \|", page, re.MULTILINE) == [
        (one.name, one.suffix) for one in EXPORTS.values()
    ]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: find_format("docx"), "'docx' is no format; allowed: jsonl, markdown"),
        (lambda: export("youtube", material_of(["x"])), "youtube does not hold hits; it holds: chapters"),
        (lambda: export("clips", material_of(["x"], subject="track")), "clips does not hold a track"),
    ],
)
def test_what_a_format_does_not_hold_is_said(call: Callable[[], object], says: str) -> None:
    with pytest.raises(UsageError, match=re.escape(says)):
        call()
