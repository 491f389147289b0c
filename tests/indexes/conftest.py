"""Small videos made of lines of text, and libraries that hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentvid.indexes.base import VideoRecord
from agentvid.indexes.catalogue import Catalogue
from agentvid.models.scripted import HashEmbedder
from agentvid.types import Clip, Gap, Observation, Passage, Provenance, Span, Video

MakeRecord = Callable[..., VideoRecord]
LINE_SECONDS = 5.0


@pytest.fixture(scope="session")
def embedder() -> HashEmbedder:
    return HashEmbedder(64)


@pytest.fixture(scope="session")
def make_record(embedder: HashEmbedder) -> MakeRecord:
    """`make_record(name, lines)`: one observation and one passage of 5 s per line, one clip per four lines."""

    def make(
        name: str,
        lines: Sequence[str],
        *,
        track: str = "speech",
        paths: Sequence[str] | None = None,
        is_embedded: bool = True,
        fingerprint: str = "made once",
        gaps: Sequence[Gap] = (),
    ) -> VideoRecord:
        spans = [Span(at * LINE_SECONDS, (at + 1) * LINE_SECONDS) for at in range(len(lines))]
        content_hash = hashlib.sha256("\n".join([name, *lines]).encode()).hexdigest()
        video = Video(
            id=content_hash,
            content_hash=content_hash,
            title=name,
            duration_seconds=max(1, len(lines)) * LINE_SECONDS,
            paths=(f"/videos/{name}.mp4",) if paths is None else tuple(paths),
            kind="file" if paths is None or paths else "import",
            media={"width": 640, "codec": "h264"},
        )
        made_by = Provenance("subtitles", "srt", "1", {"language": "en"}, content_hash)
        return VideoRecord(
            video=video,
            fingerprint=fingerprint,
            shots=(video.span,),
            clips=tuple(
                Clip(Span(at * 4 * LINE_SECONDS, (at * 4 + 4) * LINE_SECONDS), at)
                for at in range((len(lines) + 3) // 4)
            ),
            observations=tuple(
                Observation(span, track, line, made_by, 0.5, "en", {"box": [1, 2]})
                for span, line in zip(spans, lines, strict=True)
            ),
            passages=tuple(
                Passage(span, track, line, at // 4, (at,), context=name)
                for at, (span, line) in enumerate(zip(spans, lines, strict=True))
            ),
            space=embedder.space if is_embedded else None,
            vectors=embedder.encode_document(list(lines)) if is_embedded else None,
            gaps=tuple(gaps),
        )

    return make


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Catalogue]:
    with Catalogue.open(tmp_path / "library") as catalogue:
        yield catalogue
