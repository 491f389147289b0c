"""What `index` did and what the library holds, as the JSON of docs/json.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agentvid.indexes.base import VideoRecord
from agentvid.indexes.catalogue import Failure, Summary
from agentvid.indexes.spelling import Respelling, spelling_json
from agentvid.perceive.base import Effort
from agentvid.types import Clip, Gap, Hit, Json, Observation, Section, Span


@dataclass
class IndexReport:
    """What one `index` or `import` did, item by item."""

    indexed: list[Json] = field(default_factory=list)
    skipped: list[Json] = field(default_factory=list)
    partial: list[Json] = field(default_factory=list)
    failed: list[Json] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_json(self) -> Json:
        return {
            "indexed": self.indexed,
            "skipped": self.skipped,
            "partial": self.partial,
            "failed": self.failed,
            "warnings": self.warnings,
            "seconds": round(self.seconds, 3),
        }

    def add_indexed(self, record: VideoRecord, warnings: Sequence[str], efforts: Mapping[str, Effort]) -> None:
        """`efforts`: of the tracks that were read; what the other rows are from was up to date."""
        counts: dict[str, int] = {}
        for observation in record.observations:
            counts[observation.track] = counts.get(observation.track, 0) + 1
        self.indexed.append(
            {
                "path": record.video.name,
                "video_id": record.video.id,
                "duration": round(record.video.duration_seconds, 3),
                "clips": len(record.clips),
                "observations": counts,
                "read": sorted(efforts),
                "effort": {track: _effort_json(effort) for track, effort in sorted(efforts.items())},
            }
        )
        self.warnings += [f"{record.video.name}: {warning}" for warning in warnings]

    def add_partial(self, path: str, gaps: Sequence[Gap]) -> None:
        """One item for each track that has gaps, with the reason of its first."""
        tracks: dict[str, list[Gap]] = {}
        for gap in gaps:
            tracks.setdefault(gap.track, []).append(gap)
        for track, found in tracks.items():
            seconds = sum(gap.span.duration_seconds for gap in found)
            item = {"path": path, "track": track, "gaps": len(found), "seconds": round(seconds, 3)}
            self.partial.append(item | {"reason": found[0].reason})

    def add_failed(self, path: str, error: str, hint: str) -> None:
        self.failed.append({"path": path, "error": error, "hint": hint})

    def add_skipped(self, path: str, reason: str) -> None:
        self.skipped.append({"path": path, "reason": reason})


def _effort_json(effort: Effort) -> Json:
    seconds: Json = {"seconds": round(effort.seconds, 3)}
    return seconds | ({"pictures": effort.pictures, "held": effort.held} if effort.pictures else {})


def search_json(query: str, spelling: Iterable[Respelling], hits: Iterable[Hit]) -> Json:
    """What `agentvid search --json` prints; `spelling`: word of the query -> what was searched instead of it."""
    return {"query": query, "spelling": spelling_json(spelling), "hits": [hit.to_json() for hit in hits]}


def summary_json(summary: Summary) -> Json:
    """One line of `ls` for a video that was indexed."""
    video = summary.video
    return {
        "video_id": video.id,
        "path": video.name,
        "duration": round(video.duration_seconds, 3),
        "clips": summary.clips,
        "tracks": summary.tracks,
        "state": summary.state,
    }


def failure_json(failure: Failure) -> Json:
    """One line of `ls` for a file that could not be indexed."""
    nothing: Json = {"video_id": None, "path": failure.path, "duration": None, "clips": 0, "tracks": {}}
    return nothing | {"state": "failed", "error": failure.message, "hint": failure.hint}


def video_json(
    summary: Summary,
    shots: Sequence[Span],
    clips: Sequence[Clip],
    gaps: Sequence[Gap],
    sections: Sequence[Section],
    observations: Sequence[Observation],
    stale: Sequence[Json],
) -> Json:
    """What `show` prints: a line of `ls` and everything below it."""
    video = summary.video
    return summary_json(summary) | {
        "paths": list(video.paths),
        "title": video.title,
        "kind": video.kind,
        "media": dict(video.media),
        "shots": [shot.to_json() for shot in shots],
        "clips": [clip.span.to_json() for clip in clips],
        "gaps": [gap.to_json() for gap in gaps],
        "stale": list(stale),
        "sections": [section.to_json() for section in sections],
        "observations": [_observation_json(observation) for observation in observations],
    }


def _observation_json(observation: Observation) -> Json:
    provenance = observation.provenance
    return observation.span.to_json() | {
        "id": observation.id,
        "track": observation.track,
        "text": observation.text,
        "language": observation.language,
        "confidence": round(observation.confidence, 4),
        "attributes": dict(observation.attributes),
        "provenance": {
            "stage": provenance.stage,
            "model": provenance.model,
            "revision": provenance.revision,
            "parameters": dict(provenance.parameters),
            "input_hash": provenance.input_hash,
        },
    }
