"""Several prompts at once: one batch of a model in this process, or as many requests to a provider at the same time."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Protocol, runtime_checkable

from agentvid.errors import ModelError
from agentvid.models.base import Picture, Reply, VisionModel

Prompt = Sequence[str | Picture]


@runtime_checkable
class BatchVisionModel(Protocol):
    """A vision model that answers several prompts in one go, faster than one by one."""

    def look_each(self, system: str, prompts: Sequence[Prompt]) -> list[Reply]:
        """Raises ModelError for all of them together."""
        ...


def look_each(model: VisionModel, system: str, prompts: Sequence[Prompt]) -> list[Reply | ModelError]:
    """Each prompt's reply, or why there is none, in their order. A batch that fails is tried again one by one."""
    if not prompts:
        return []
    if isinstance(model, BatchVisionModel) and len(prompts) > 1:
        try:
            return [*model.look_each(system, prompts)]
        except ModelError:  # one picture may be too much for all
            return [_look(model, system, prompt) for prompt in prompts]
    if len(prompts) == 1:
        return [_look(model, system, prompts[0])]
    jobs = [(copy_context(), prompt) for prompt in prompts]
    with ThreadPoolExecutor(len(prompts)) as callers:
        return [*callers.map(lambda job: job[0].run(_look, model, system, job[1]), jobs)]


def _look(model: VisionModel, system: str, prompt: Prompt) -> Reply | ModelError:
    try:
        return model.look(system, prompt)
    except ModelError as error:
        return error
