"""What a library opens when it is first needed, as its settings name it: models, indexes, the stages of `index`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from agentvid.config import Settings
from agentvid.egress import outlet_of
from agentvid.errors import UsageError
from agentvid.indexes.catalogue import Catalogue
from agentvid.indexes.place_file import publish_places
from agentvid.indexes.vectors import Backend, choose_backend, publish

if TYPE_CHECKING:
    from agentvid.indexes.frames import FrameSearch
    from agentvid.indexes.retriever import Retriever
    from agentvid.ingest import Pipeline
    from agentvid.models.base import ChatModel, Embedder, FrameEmbedder, Reranker
    from agentvid.planners.bank import ExampleBank
    from agentvid.tools.base import Vision

_CHOOSE_MODEL = "set it, as in AGENTVID_MODEL=openai:NAME, or leave digests = 'rows'"


class Parts:
    """Each part is opened once and kept; it raises MissingDependency, ModelError or UsageError when it is first used.

    A part that two threads open at once is opened twice, and one of the two is lost; what is open is safe to share.
    """

    def __init__(self, catalogue: Catalogue, settings: Settings) -> None:
        self.catalogue = catalogue
        self.settings = settings

    def open_shared(self) -> None:
        """Open what search and ask share."""
        _ = self.retriever, self.bank, self.vision, self.frame_embedder

    @cached_property
    def embedder(self) -> Embedder | None:
        from agentvid.models import load_embedder

        settings = self.settings
        outlet = outlet_of(settings, "downloads")
        return load_embedder(settings.embedder, settings.cache, outlet) if settings.embed else None

    @cached_property
    def frame_embedder(self) -> FrameEmbedder | None:
        from agentvid.models import load_frame_embedder

        name = self.settings.frame_embedder
        outlet = outlet_of(self.settings, "downloads")
        return load_frame_embedder(name, self.settings.cache, outlet) if name else None

    @cached_property
    def reranker(self) -> Reranker | None:
        from agentvid.models import load_reranker

        name = self.settings.reranker
        return load_reranker(name, outlet_of(self.settings, "downloads")) if name else None

    @cached_property
    def vision(self) -> Vision | None:
        """The model that looks at frames; loading it sends nothing. Raises as `load_vision`."""
        from agentvid.models import load_vision
        from agentvid.tools.base import Vision

        settings = self.settings
        if not settings.vision:
            return None
        model = load_vision(settings.vision, settings.model_timeout_seconds, outlet_of(settings, "vision"))
        return Vision(model, settings.vision_layout, settings.vision_image_tokens)

    @cached_property
    def backend(self) -> Backend:
        return choose_backend(self.settings.index)

    @cached_property
    def frames(self) -> FrameSearch | None:
        from agentvid.indexes.frames import FrameSearch

        return FrameSearch(self.catalogue, self.frame_embedder, self.backend) if self.frame_embedder else None

    @cached_property
    def retriever(self) -> Retriever:
        from agentvid.indexes.retriever import Retriever

        most = self.settings.most_of_one_video
        return Retriever(
            self.catalogue, self.embedder, self.backend, self.reranker, self.frames, most_of_one_video=most
        )

    @cached_property
    def pipeline(self) -> Pipeline:
        from agentvid.ingest import Pipeline

        return Pipeline(self.settings, self.embedder, self._digest_writer(), results=self.catalogue.results)

    def _digest_writer(self) -> ChatModel | None:
        """The model that tells chapters in its own words, None if rows do."""
        from agentvid.models import load_chat

        if self.settings.digests == "rows":
            return None
        if not self.settings.model:
            raise UsageError("digests = 'model' needs a model and none is chosen", hint=_CHOOSE_MODEL)
        outlet = outlet_of(self.settings, "digests")
        return load_chat(self.settings.model, self.settings.model_timeout_seconds, outlet=outlet)

    @cached_property
    def bank(self) -> ExampleBank:
        """The shipped examples, and before them those of the file that the setting `examples` names.

        Raises UsageError for a file that is wrong.
        """
        from agentvid.planners.bank import load_bank
        from agentvid.planners.example_files import joined, read_examples

        own = self.settings.examples
        return joined(load_bank(), read_examples(Path(own).expanduser())) if own else load_bank()

    @property
    def frames_note(self) -> str:
        """Why frames that the library has are not searched, or ""."""
        if self.frames is not None:
            return self.frames.note
        held = self.catalogue.spaces("frames")
        if not held:
            return ""
        return f"frames are not searched: no frame embedder is set; AGENTVID_FRAME_EMBEDDER={held[-1].model}"

    def publish(self) -> None:
        """Put the indexes of what is committed beside the catalogue."""
        spaces = self.catalogue.spaces()
        for space in [*spaces, *self.catalogue.spaces("frames")]:
            publish(self.catalogue, space, self.backend)
        for wanted in spaces or (None,):
            publish_places(self.catalogue, wanted)
