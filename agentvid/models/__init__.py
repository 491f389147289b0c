"""Models by name: `load_embedder`, `load_frame_embedder`, `load_reranker`, `load_chat`, `load_vision`.

Each implementation is one file, imported when chosen.

A package adds embedders of its own under the entry-point group "agentvid.embedders", or "agentvid.frame_embedders": the
name a user gives, and a callable that takes the cache directory and returns an `Embedder`, or a `FrameEmbedder`.
`AGENTVID_PLUGINS=off` switches plug-ins off.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast

from agentvid.config import plugins_allowed
from agentvid.egress import OPEN, Outlet
from agentvid.errors import AgentvidError, ModelError, UsageError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from agentvid.models.base import ChatModel, Embedder, FrameEmbedder, Reranker, VisionModel
    from agentvid.models.chat import StructuredOutput

EMBEDDER_GROUP, FRAME_EMBEDDER_GROUP = "agentvid.embedders", "agentvid.frame_embedders"
#: How the name of a model begins that runs in this process.
IN_PROCESS = "hf:"
_SCRIPTED = "scripted:"


def load_embedder(name: str, cache: Path, outlet: Outlet = OPEN) -> Embedder:
    """The embedder of that name: "minilm", a plug-in's, or any sentence-transformers model by hub name or path.

    `cache` is where a plug-in may keep files of its own; the files of a hub's model come through `outlet`.
    Raises MissingDependency, ModelError if a plug-in fails, UsageError for an empty or an ambiguous name.
    """
    if not name.strip():
        raise UsageError("the embedder has no name", hint='use "minilm", or the name of a sentence-transformers model')
    if name == "minilm":
        from agentvid.models.minilm import MiniLM

        return MiniLM()
    plugin = _plugin(EMBEDDER_GROUP, name)
    if plugin is not None:
        return cast("Embedder", _open_plugin(plugin, cache))
    from agentvid.models.sentence_transformer import SentenceTransformerEmbedder

    return SentenceTransformerEmbedder(name, outlet=outlet)


def load_frame_embedder(name: str, cache: Path, outlet: Outlet = OPEN) -> FrameEmbedder:
    """The frame embedder of that name: "scripted:colours", a plug-in's, or any sentence-transformers model of both.

    Raises as `load_embedder`, and UsageError for a path that is no folder.
    """
    if not name.strip():
        raise UsageError(
            "the frame embedder has no name", hint="use the name of a CLIP-like sentence-transformers model"
        )
    if name.startswith(_SCRIPTED):
        from agentvid.models.scripted_frames import NAME, ScriptedFrames

        if name != NAME:
            raise UsageError(f"{name!r} is no frame embedder; allowed: {NAME}")
        return ScriptedFrames()
    plugin = _plugin(FRAME_EMBEDDER_GROUP, name)
    if plugin is not None:
        return cast("FrameEmbedder", _open_plugin(plugin, cache))
    from agentvid.models.sentence_transformer_images import SentenceTransformerImages

    return SentenceTransformerImages(name, outlet=outlet)


def load_reranker(name: str, outlet: Outlet = OPEN) -> Reranker:
    """The reranker of that name: any sentence-transformers cross-encoder by hub name or path, loaded at its first use.

    Raises UsageError for an empty name or a path that is no folder.
    """
    if not name.strip():
        raise UsageError("the reranker has no name", hint="use the name of a sentence-transformers cross-encoder")
    from agentvid.models.cross_encoder import CrossEncoderReranker

    return CrossEncoderReranker(name, outlet=outlet)


def load_chat(
    name: str, timeout_seconds: float, structured_output: StructuredOutput = "auto", outlet: Outlet = OPEN
) -> ChatModel:
    """The chat model "provider:model", "hf:MODEL" that runs here, or "scripted:FILE": replies from a YAML or JSON file.

    What is said to a provider leaves through `outlet`.
    `structured_output`: whether it is asked for JSON; "auto" where its model is known to take a schema.
    Raises UsageError for another form of name, MissingDependency, ModelError.
    """
    if name.startswith(_SCRIPTED):
        from agentvid.models.scripted import ScriptedChat

        return ScriptedChat.from_file(Path(name.removeprefix(_SCRIPTED)))
    if name.startswith(IN_PROCESS):
        from agentvid.models.local_chat import LocalChat

        return LocalChat(name, timeout_seconds=timeout_seconds, outlet=outlet)
    from agentvid.models.chat import LangChainChat

    return LangChainChat(name, timeout_seconds=timeout_seconds, structured_output=structured_output, outlet=outlet)


def load_vision(name: str, timeout_seconds: float, outlet: Outlet = OPEN) -> VisionModel:
    """The model that looks at images: "provider:model", "scripted:FILE", or "hf:NAME" for one in this process.

    NAME is a transformers model by hub name or path, loaded at its first use. Raises as `load_chat`, and UsageError for
    a path that is no folder.
    """
    if name.startswith(_SCRIPTED):
        from agentvid.models.scripted_vision import ScriptedVision

        return ScriptedVision.from_file(Path(name.removeprefix(_SCRIPTED)))
    if name.startswith(IN_PROCESS):
        from agentvid.models.image_text import ImageTextModel

        return ImageTextModel(name, outlet=outlet)
    from agentvid.models.vision import LangChainVision

    return LangChainVision(name, timeout_seconds=timeout_seconds, outlet=outlet)


def is_plugin(group: str, name: str) -> bool:
    """Whether a package that is installed offers the embedder `name`; it says itself what it needs."""
    return plugins_allowed() and bool(entry_points(group=group, name=name))


def _plugin(group: str, name: str) -> EntryPoint | None:
    if not plugins_allowed():
        return None
    found = list(entry_points(group=group, name=name))
    if len(found) > 1:
        owners = ", ".join(sorted(_owner(plugin) for plugin in found))
        raise UsageError(f"the embedder {name!r} is offered by {owners}", hint="uninstall all but one of them")
    return found[0] if found else None


def _open_plugin(plugin: EntryPoint, cache: Path) -> object:
    try:
        return plugin.load()(cache)
    except AgentvidError:
        raise
    except Exception as error:
        raise ModelError(
            f"the embedder plug-in {plugin.name!r} of {_owner(plugin)} failed: {type(error).__name__}: {error}",
            hint="repair or uninstall it, or set AGENTVID_PLUGINS=off",
        ) from error


def _owner(plugin: EntryPoint) -> str:
    return plugin.dist.name if plugin.dist else plugin.value
