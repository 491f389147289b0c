"""What a ranked list of spans is worth against gold spans. Every score is per query and lies in 0 to 1.

R@k at an IoU after Gao et al., TALL (ICCV 2017); IoP, the share of a prediction that is right, after Xiao et al.,
NExT-GQA (CVPR 2024). Of several gold spans the best one counts, as in QVHighlights (Lei et al., NeurIPS 2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agentvid.types import Json, Span

TOPS = (1, 5, 10, 20)
IOUS = (0.3, 0.5, 0.7)
#: Hits beyond this rank are not looked at.
DEPTH = 20
#: IoU at which a hit counts as right for MRR and misses.
RIGHT_IOU = 0.5
# Times in decimals do not add up exactly in binary: half a span must be half.
_ROUNDING = 1e-9

Scores = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Found:
    """One hit: a span of the video of that name."""

    video: str
    span: Span
    score: float = 0.0

    def to_json(self) -> Json:
        """Times as they are: a score computed from the file must be the one computed here."""
        start, end = self.span.start_seconds, self.span.end_seconds
        return {"video": self.video, "start": start, "end": end, "score": self.score}


def best_iou(span: Span, gold: Sequence[Span]) -> float:
    """The largest IoU of `span` with a gold span."""
    return max(span.iou(right) for right in gold)


def best_iop(span: Span, gold: Sequence[Span]) -> float:
    """The largest share of `span` that one gold span covers."""
    shared = (span.intersection(right) for right in gold)
    return max(part.duration_seconds / span.duration_seconds if part else 0.0 for part in shared)


def retrieval_scores(found: Sequence[Found], video: str, gold: Sequence[Span]) -> Scores:
    """Scores of a ranking, best first, of which the first 20 hits count; `gold` are spans of `video`, at least one.

    "R@k/iou": 1 if one of the first k hits reaches the IoU. "MRR": 1 / rank of the first hit of IoU 0.5, or 0.
    "mIoU" and "IoP": of the first hit, 0 if it lies in another video or there is none. "video-R@k": 1 if one of the
    first k hits lies in the right video. "misses@20": 1 if no hit reaches IoU 0.5.
    """
    ious = [best_iou(hit.span, gold) if hit.video == video else 0.0 for hit in found[:DEPTH]]
    first_right = next((rank for rank, iou in enumerate(ious, 1) if _reaches(iou, RIGHT_IOU)), None)
    scores = {f"R@{top}/{least}": _recall(ious[:top], least) for top in TOPS for least in IOUS}
    scores["MRR"] = 1.0 / first_right if first_right else 0.0
    scores["mIoU"] = ious[0] if ious else 0.0
    scores["IoP"] = _top_iop(found, video, gold)
    scores |= {f"video-R@{top}": float(any(hit.video == video for hit in found[:top])) for top in TOPS}
    scores[f"misses@{DEPTH}"] = float(first_right is None)
    return scores


def grounding_scores(found: Sequence[Found], video: str, gold: Sequence[Span]) -> Scores:
    """Scores of the first moment: "R@1/iou", "mIoU", "IoP" as for retrieval; "empty": 1 if there is no moment."""
    ious = [best_iou(hit.span, gold) if hit.video == video else 0.0 for hit in found[:1]]
    scores = {f"R@1/{least}": _recall(ious, least) for least in IOUS}
    scores["mIoU"] = ious[0] if ious else 0.0
    scores["IoP"] = _top_iop(found, video, gold)
    scores["empty"] = float(not found)
    return scores


def mean_scores(scores: Sequence[Scores]) -> dict[str, float]:
    """The mean of each score over at least one query; the order of the queries does not change a bit of it."""
    return {name: math.fsum(one[name] for one in scores) / len(scores) for name in scores[0]}


def _reaches(iou: float, least: float) -> bool:
    return iou >= least - _ROUNDING


def _recall(ious: Sequence[float], least: float) -> float:
    return float(any(_reaches(iou, least) for iou in ious))


def _top_iop(found: Sequence[Found], video: str, gold: Sequence[Span]) -> float:
    return best_iop(found[0].span, gold) if found and found[0].video == video else 0.0
