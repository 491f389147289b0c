"""The MCP server, driven by the SDK's own client in this process."""

from __future__ import annotations

import base64
import io
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import anyio
import av
import cv2
import numpy as np
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ImageContent, PromptReference, ResourceTemplateReference, TextContent

from agentvid import Library, __version__
from agentvid.adapters.mcp import INSTRUCTIONS, make_server
from agentvid.adapters.registry import DOOR_TOOLS
from agentvid.config import Settings
from agentvid.media.render import read_burnt_time
from agentvid.models.scripted import ScriptedChat
from agentvid.models.scripted_server import ScriptedServer
from agentvid.trace import read_trace, trace_ids
from tests.adapters.conftest import BREAD, LECTURE, RENDERED, SUBTITLES, import_rows

#: The handshake of today's clients, and the protocol of 2026.
MODES: tuple[Literal["legacy", "auto"], ...] = ("legacy", "auto")


def talk(
    library: Library,
    say: Callable[[Client], Awaitable[Any]],
    *,
    mode: str = "legacy",
    allow_index: tuple[Path, ...] = (),
) -> Any:
    """What comes of a talk between one client and a server over the library."""

    async def run() -> Any:
        async with Client(make_server(library, allow_index=allow_index), mode=mode) as client:
            return await say(client)

    return anyio.run(run)


def call(library: Library, tool: str, arguments: dict[str, Any], **options: Any) -> CallToolResult:
    async def say(client: Client) -> CallToolResult:
        return await client.call_tool(tool, arguments)

    result: CallToolResult = talk(library, say, **options)
    return result


def line_of(result: CallToolResult) -> str:
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert "\n" not in content.text
    return content.text


@pytest.mark.parametrize("mode", MODES)
def test_the_server_tells_who_it_is_and_what_it_can(library: Library, mode: str) -> None:
    async def say(client: Client) -> None:
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.version) == ("agentvid", __version__)
        assert client.instructions == INSTRUCTIONS
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed] == [*DOOR_TOOLS]
        for tool in listed:
            registered = DOOR_TOOLS[tool.name]
            assert (tool.title, tool.description) == (registered.title, registered.description)
            assert tool.input_schema == registered.input_schema
            assert tool.output_schema == (None if tool.name == "get_frames" else registered.output_schema)
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint is True
            assert tool.annotations.destructive_hint is False

    talk(library, say, mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("list_videos", {}),
        ("search_moments", {"query": "salt"}),
        ("ground", {"query": "add the salt"}),
        ("read_transcript", {"video": "bread"}),
        ("video_fact", {"video": "bread", "at": "0:17"}),
        ("skill_card", {"video": "bread"}),
    ],
)
def test_a_result_is_structured_and_the_same_as_in_python(
    library: Library, mode: str, tool: str, arguments: dict[str, Any]
) -> None:
    result = call(library, tool, arguments, mode=mode)
    expected = DOOR_TOOLS[tool].call(library, arguments).model_dump(mode="json")
    assert not result.is_error
    assert result.structured_content == expected
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == expected


@pytest.mark.parametrize("mode", MODES)
def test_a_question_tells_its_steps_and_cites(library: Library, mode: str) -> None:
    told: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, message or ""))

    async def say(client: Client) -> CallToolResult:
        return await client.call_tool(
            "ask_video", {"question": "When is the salt added?"}, progress_callback=on_progress
        )

    result = talk(library, say, mode=mode)
    assert not result.is_error
    answer = result.structured_content
    cited = {item["id"]: item for item in answer["evidence"]}
    assert [cited[name]["quote"] for claim in answer["claims"] for name in claim["evidence"]] == ["Then add the salt."]
    assert (answer["evidence"][0]["start"], answer["evidence"][0]["end"]) == (16, 20)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert len(told) >= 4
    assert any("planning" in message for _, message in told)


def test_frames_come_as_pictures(film_library: Library) -> None:
    result = call(film_library, "get_frames", {"video": RENDERED, "times": ["1.0", "0:04.2"]})
    assert result.structured_content is None
    page, *rest = result.content
    assert isinstance(page, TextContent)
    document = json.loads(page.text)
    assert "data" not in document["frames"][0]
    pictures = [content for content in rest if isinstance(content, ImageContent)]
    labels = [content.text for content in rest if isinstance(content, TextContent)]
    assert len(pictures) == len(labels) == 2
    for picture, frame in zip(pictures, document["frames"], strict=True):
        assert picture.mime_type == "image/jpeg"
        image = cv2.imdecode(np.frombuffer(base64.b64decode(picture.data), np.uint8), cv2.IMREAD_COLOR)
        assert read_burnt_time(np.asarray(image, np.uint8)) == pytest.approx(frame["seconds"], abs=0.002)


def test_pages_over_the_wire_are_the_whole(library: Library) -> None:
    async def say(client: Client) -> list[str]:
        cursor, found = "", []
        while True:
            arguments = {"video": "lecture", "max_tokens": 900, "cursor": cursor}
            page = (await client.call_tool("read_transcript", arguments)).structured_content
            found += [row["text"] for row in page["rows"]]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    assert talk(library, say) == [text for *_, text in LECTURE]


MISTAKES: list[tuple[str, dict[str, Any], str]] = [
    ("nothing", {}, "no tool 'nothing'; allowed: list_videos, search_moments"),
    ("index_video", {"file": "x.mp4"}, "no tool 'index_video'"),
    ("search_moments", {}, "query: Field required; arguments: query, k"),
    ("search_moments", {"query": "x" * 1_000_000}, "at most 10000 characters"),
    ("ask_video", {"question": "x" * 1_000_000}, "at most 10000 characters"),
    ("ask_video", {"question": "\u200b "}, "the question is empty"),
    ("read_transcript", {"video": "unknown"}, "no video is called 'unknown'"),
    ("read_transcript", {"video": "/etc/passwd"}, "no video is called '/etc/passwd'"),
    ("get_frames", {"video": "bread"}, "imported as text"),
]


@pytest.mark.parametrize("mode", MODES)
def test_mistakes_are_one_line_and_the_server_lives(library: Library, mode: str) -> None:
    async def say(client: Client) -> None:
        for tool, arguments, told in MISTAKES:
            assert told in line_of(await client.call_tool(tool, arguments)), tool
        assert not (await client.call_tool("list_videos", {})).is_error

    talk(library, say, mode=mode)


def test_transcripts_frames_and_clips_are_resources(film_library: Library) -> None:
    async def say(client: Client) -> None:
        templates = (await client.list_resource_templates()).resource_templates
        assert {template.mime_type for template in templates} == {"text/vtt", "image/jpeg", "video/mp4"}
        (listed,) = (await client.list_resources()).resources
        assert (listed.name, listed.mime_type) == (RENDERED, "text/vtt")
        (transcript,) = (await client.read_resource(listed.uri)).contents
        assert transcript.mime_type == "text/vtt"
        text = transcript.model_dump()["text"]
        assert text.startswith("WEBVTT")
        assert "00:00:03.200 --> 00:00:05.600\n<v speech>The blue ferry carries the mail." in text
        assert all(line in text for *_, line in SUBTITLES)
        (part,) = (await client.read_resource(f"{listed.uri}?start=3&track=speech")).contents
        assert "Good morning" not in part.model_dump()["text"]
        base = str(listed.uri).removesuffix("/transcript")
        (frame,) = (await client.read_resource(f"{base}/frame?at=0:04.2&side=320")).contents
        data = np.frombuffer(base64.b64decode(frame.model_dump()["blob"]), np.uint8)
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
        assert read_burnt_time(image) == pytest.approx(4.2, abs=0.045)
        (clip,) = (await client.read_resource(f"{base}/clip?start=1&end=2.5")).contents
        assert clip.mime_type == "video/mp4"
        _check_clip(base64.b64decode(clip.model_dump()["blob"]))

    talk(film_library, say)


def _check_clip(data: bytes) -> None:
    with av.open(io.BytesIO(data), "r") as container:
        images = [np.asarray(frame.to_ndarray(format="rgb24"), np.uint8) for frame in container.decode(video=0)]
    assert read_burnt_time(images[0]) == pytest.approx(1.0, abs=0.045)
    assert read_burnt_time(images[-1]) == pytest.approx(2.5, abs=0.085)


BAD_URIS = [
    "agentvid://videos/unknown/transcript",
    "agentvid://videos/{video}/frame",
    "agentvid://videos/..%2F..%2Fetc/transcript",
    "agentvid://videos/harbour/frame?at=soon",
    "agentvid://videos/harbour/frame?at=999",
    "agentvid://videos/harbour/frame?side=9",
    "agentvid://videos/harbour/clip",
    "agentvid://videos/harbour/clip?start=2&end=1",
    "agentvid://videos/harbour/clip?start=0&end=100",
    "agentvid://videos/harbour/transcript?start=99",
    "agentvid://nothing",
    "file:///etc/passwd",
    "x",
]


def test_a_wrong_uri_is_one_line_without_folders(film_library: Library, films: Path) -> None:
    async def say(client: Client) -> None:
        for uri in BAD_URIS:
            with pytest.raises(MCPError) as caught:
                await client.read_resource(uri)
            assert "\n" not in caught.value.message
            assert str(films) not in caught.value.message
            assert "unexpected" not in caught.value.message, caught.value.message
        assert (await client.list_resources()).resources

    talk(film_library, say)


def test_a_long_transcript_names_the_uri_of_its_rest(tmp_path: Path, quick_settings: Settings) -> None:
    rows: list[tuple[str, float, float, str]] = [
        ("speech", 2.0 * n, 2.0 * n + 1.5, f"{n:05d} <i>&amp; --> " + "w" * 900) for n in range(400)
    ]
    with Library.open(tmp_path / "library", settings=quick_settings) as library:
        import_rows(library, {"long": rows})

        async def say(client: Client) -> list[str]:
            uri, found = f"agentvid://videos/{library.catalogue.videos()[0].id}/transcript", []
            while uri:
                (part,) = (await client.read_resource(uri)).contents
                text = part.model_dump()["text"]
                assert len(text.encode()) < 300 * 1024
                assert "<i>" not in text
                found += [line[len("<v speech>") :][:5] for line in text.splitlines() if line.startswith("<v ")]
                _, _, uri = text.partition("NOTE the rest: ")
                uri = uri.strip()
            return found

        assert talk(library, say) == [f"{n:05d}" for n in range(400)]


def test_names_of_videos_are_completed(library: Library) -> None:
    async def say(client: Client) -> None:
        template = ResourceTemplateReference(uri="agentvid://videos/{video}/transcript{?start,end,track}")
        for reference in (template, PromptReference(name="cite_the_evidence")):
            for beginning, expected in (("LEC", ["lecture"]), ("", ["bread", "lecture"]), ("x", [])):
                found = await client.complete(reference, {"name": "video", "value": beginning})
                assert found.completion.values == expected
        assert not (await client.complete(template, {"name": "start", "value": "1"})).completion.values

    talk(library, say)


def test_prompts_tell_how_to_cite(library: Library) -> None:
    async def say(client: Client) -> None:
        names = [prompt.name for prompt in (await client.list_prompts()).prompts]
        assert names == ["cite_the_evidence", "follow_the_steps"]
        found = await client.get_prompt("cite_the_evidence", {"question": "When is the salt added?"})
        (message,) = found.messages
        assert isinstance(message.content, TextContent)
        assert "When is the salt added?" in message.content.text
        assert "all videos" in message.content.text
        for name, arguments in (("none", {}), ("cite_the_evidence", {}), ("follow_the_steps", {"video": "", "x": "y"})):
            with pytest.raises(MCPError):
                await client.get_prompt(name, arguments)

    talk(library, say)


def test_a_client_indexes_a_file_of_an_allowed_folder(tmp_path: Path, films: Path, quick_settings: Settings) -> None:
    with Library.open(tmp_path / "library", settings=quick_settings) as library:

        async def say(client: Client) -> dict[str, Any]:
            names = {tool.name: tool for tool in (await client.list_tools()).tools}
            annotations = names["index_video"].annotations
            assert annotations is not None
            assert annotations.read_only_hint is False
            for wrong in ("other.mp4", "../" + RENDERED, str(films / RENDERED), "/etc/passwd"):
                line = line_of(await client.call_tool("index_video", {"file": wrong}))
                assert f"1 there: {RENDERED}" in line
                assert str(films) not in line.replace(wrong, "")
            job = (await client.call_tool("index_video", {"file": RENDERED})).structured_content
            with anyio.fail_after(60):
                while job["state"] in ("queued", "running"):
                    await anyio.sleep(0.1)
                    job = (await client.call_tool("get_job", {"job_id": job["job_id"]})).structured_content
            found = (await client.call_tool("search_moments", {"query": "ferry"})).structured_content
            assert found["moments"][0]["video_id"] == job["video_id"]
            assert "no job 'none'" in line_of(await client.call_tool("get_job", {"job_id": "none"}))
            return dict(job)

        job = talk(library, say, allow_index=(films,))
        assert job["state"] == "done"
        assert "speech 2" in job["message"]


@pytest.fixture
def slow_model(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """A provider that hangs for half a minute; the event tells that it was asked."""
    asked, let_go = threading.Event(), threading.Event()

    def reply(system: str, user: str) -> str:
        asked.set()
        let_go.wait(30)
        return "late"

    with ScriptedServer(ScriptedChat(reply)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield asked
        let_go.set()


@pytest.mark.parametrize("mode", MODES)
def test_a_client_that_cancels_ends_the_run(tmp_path: Path, slow_model: threading.Event, mode: str) -> None:
    settings = Settings(embed=False, model="openai:slow")
    question = {"question": "Why is salt in bread, and what does the grandmother think of it?"}
    with Library.open(tmp_path / "library", settings=settings) as library:
        import_rows(library, {"bread": BREAD})

        async def say(client: Client) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(client.call_tool, "ask_video", question)
                with anyio.fail_after(20):
                    while not slow_model.is_set():
                        await anyio.sleep(0.05)
                group.cancel_scope.cancel()

        talk(library, say, mode=mode)
        cancelled = time.monotonic()
        while not (traces := trace_ids(library.catalogue.directory)):
            assert time.monotonic() - cancelled < 10, "the run still waits for its model"
            time.sleep(0.05)
        assert read_trace(library.catalogue.directory, traces[0])["result"]["stopped"] == "interrupted"
