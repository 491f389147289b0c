"""Indexing for agents: only files of allowed folders, in the background, one after the other."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from agentvid import Library
from agentvid.adapters.base import one_line
from agentvid.adapters.jobs import INDEX_TOOLS, AllowedFiles
from agentvid.adapters.reference import reference_page
from agentvid.adapters.registry import DOOR_TOOLS, door_tools
from agentvid.config import Settings
from agentvid.errors import NotFound, UsageError
from tests.adapters.conftest import RENDERED

ROOT = Path(__file__).parents[2]


def finished(tools: Any, library: Library, job: Any) -> Any:
    started = time.monotonic()
    while job.state in ("queued", "running"):
        assert time.monotonic() - started < 60
        time.sleep(0.05)
        job = tools["get_job"].call(library, {"job_id": job.job_id})
    return job


def test_files_are_those_of_the_folders_and_links_do_not_lead_out(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "allowed"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(films / RENDERED, folder / "deep" / "inside.mp4")
    (folder / "outside.mp4").symlink_to(films / RENDERED)
    (folder / "notes.txt").write_text("no video")
    allowed = AllowedFiles([folder])
    assert [*allowed.files()] == ["deep/inside.mp4"]
    for wrong in (
        "outside.mp4",
        "../allowed/deep/inside.mp4",
        str(folder / "deep" / "inside.mp4"),
        "notes.txt",
        "deep",
    ):
        with pytest.raises(NotFound, match="in the allowed folders"):
            allowed.find(wrong)


def test_jobs_run_one_after_the_other_and_tell_what_came_of_them(
    tmp_path: Path, films: Path, quick_settings: Settings
) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    shutil.copy(films / RENDERED, folder / "good.mp4")
    shutil.copy(films / RENDERED, folder / "same.mp4")
    (folder / "bad.mp4").write_bytes(b"no video at all" * 100)
    with Library.open(tmp_path / "library", settings=quick_settings) as library:
        tools = door_tools(library, allow_index=[folder])
        queued = [tools["index_video"].call(library, {"file": name}) for name in ("good.mp4", "bad.mp4", "same.mp4")]
        good, bad, same = [finished(tools, library, job) for job in queued]
        assert (good.state, good.video_id) == ("done", library.catalogue.videos()[0].id)
        assert good.message == "rows: speech 2" or good.message.startswith("rows: fact")
        assert bad.state == "failed"
        assert (same.state, same.message) == ("done", "same content as good.mp4")
        for job in (good, bad, same):
            assert str(tmp_path) not in job.model_dump_json()
        assert DOOR_TOOLS["list_videos"].call(library, {}).failed == 1


def test_a_job_that_waits_is_stopped_at_once_and_one_that_is_over_stays(
    tmp_path: Path, films: Path, quick_settings: Settings
) -> None:
    folder = tmp_path / "allowed"
    folder.mkdir()
    for name in ("first.mp4", "second.mp4"):
        shutil.copy(films / RENDERED, folder / name)
    with Library.open(tmp_path / "library", settings=quick_settings) as library:
        tools = door_tools(library, allow_index=[folder])
        first, second = [tools["index_video"].call(library, {"file": name}) for name in ("first.mp4", "second.mp4")]
        for _ in range(2):
            assert tools["stop_job"].call(library, {"job_id": second.job_id}).state == "stopped"
        done = finished(tools, library, first)
        assert done.state == "done"
        assert tools["stop_job"].call(library, {"job_id": first.job_id}) == done
        assert finished(tools, library, second).state == "stopped"
        with pytest.raises(NotFound, match="no job 'none'"):
            tools["stop_job"].call(library, {"job_id": "none"})


def test_without_allowed_folders_the_tools_say_who_can_allow_them(library: Library) -> None:
    for tool, arguments in zip(INDEX_TOOLS, ({"file": "x.mp4"}, {"job_id": "1"}, {"job_id": "1"}), strict=True):
        with pytest.raises(UsageError) as caught:
            tool.call(library, arguments)
        assert "--allow-index" in one_line(caught.value)


def test_the_page_of_tools_is_what_the_registry_says() -> None:
    page = (ROOT / "docs" / "agent-tools.md").read_text("utf-8")
    assert page == reference_page(), "run `python -m agentvid.adapters.reference > docs/agent-tools.md`"


def test_the_page_of_mcp_names_every_tool_and_resource() -> None:
    from agentvid.adapters.mcp_prompts import PROMPTS
    from agentvid.adapters.mcp_resources import TEMPLATES

    page = (ROOT / "docs" / "mcp.md").read_text("utf-8")
    names = [*DOOR_TOOLS, *(tool.name for tool in INDEX_TOOLS), *(prompt.name for prompt in PROMPTS)]
    assert all(f"`{name}`" in page for name in [*names, *(template.uri_template for template in TEMPLATES)])
