"""Speech recognisers by name: `load_recognizer("faster-whisper:small")`. One file each, imported when chosen.

A package adds recognisers of its own under the entry-point group "agentvid.recognizers": the word before the colon, and
a callable that takes the rest of the name and returns a `Recognizer`.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import cast

from agentvid.config import plugins_allowed
from agentvid.egress import OPEN, Outlet
from agentvid.errors import AgentvidError, MissingDependency, ModelError, UsageError
from agentvid.models.base import Recognizer
from agentvid.models.hub import files_of
from agentvid.types import Json

ENTRY_POINT_GROUP = "agentvid.recognizers"

#: Kind -> where its class is, the package that it needs, the command that adds it, an example of a model.
RECOGNIZERS = {
    "faster-whisper": ("faster_whisper:FasterWhisper", "faster_whisper", 'pip install "agentvid[asr]"', "small"),
    "onnx-asr": ("onnx_speech:OnnxSpeech", "onnx_asr", 'pip install "agentvid[asr]"', "nemo-parakeet-tdt-0.6b-v3"),
    "hf": ("local_whisper:LocalWhisper", "transformers", 'pip install "transformers>=5.3,<6"', "openai/whisper-small"),
    "openai": ("remote_speech:RemoteSpeech", "openai", 'pip install "agentvid[openai]"', "whisper-1"),
    "pocketsphinx": ("pocket_speech:PocketSpeech", "pocketsphinx", "pip install pocketsphinx", "en-us"),
    "scripted": ("scripted_speech:ScriptedRecognizer.from_file", "", "", "FILE.json"),
}

#: Those that download, or send sound.
_WATCHED = ("faster-whisper", "onnx-asr", "hf", "openai")


def check_recognizer(name: str) -> None:
    """Whether `name` is "kind:model" of a kind that is installed; loads nothing.

    Raises UsageError for another form, MissingDependency for a package that is not there.
    """
    _find(name)


def decisive_name(name: str) -> Json:
    """What of a recogniser decides its words as far as it can be told without loading it.

    Raises UsageError for another form of name.
    """
    with suppress(MissingDependency):
        _find(name)
    return {"name": name, "files": files_of(name.partition(":")[2].rpartition("@")[2])}


def load_recognizer(name: str, outlet: Outlet = OPEN) -> Recognizer:
    """The recogniser of that name, ready to be used; its files, or the sound, pass through `outlet`.

    Raises as `check_recognizer`, and ModelError if the model cannot be loaded.
    """
    entry, model = _find(name)
    try:
        options = {"outlet": outlet} if name.partition(":")[0] in _WATCHED else {}
        return cast("Recognizer", entry.load()(model, **options))
    except AgentvidError:
        raise
    except Exception as error:
        raise ModelError(
            f"the speech recogniser {name!r} failed: {type(error).__name__}: {error}",
            hint="repair or uninstall the plug-in, or choose another recogniser",
        ) from error


def _find(name: str) -> tuple[EntryPoint, str]:
    """Where the kind of recogniser is, and the name of its model."""
    kind, _, model = name.partition(":")
    if kind in RECOGNIZERS and model.strip():
        home, package, command, _ = RECOGNIZERS[kind]
        if package and find_spec(package) is None:
            raise MissingDependency(f"the speech recogniser {name!r} needs the package {package}", hint=command)
        return EntryPoint(kind, f"agentvid.models.{home}", ENTRY_POINT_GROUP), model
    plugins = entry_points(group=ENTRY_POINT_GROUP) if plugins_allowed() and kind not in RECOGNIZERS else ()
    found = [plugin for plugin in plugins if plugin.name == kind]
    if len(found) == 1:
        return found[0], model
    known = ", ".join(f"{kind}:MODEL" for kind in (*RECOGNIZERS, *sorted({plugin.name for plugin in plugins})))
    problem = "several plug-ins offer it" if found else f"allowed: {known}"
    raise UsageError(f"no speech recogniser is called {name!r}; {problem}", hint=f"for example {_example()}")


def _example() -> str:
    return " or ".join(f"{kind}:{example}" for kind, (_, _, _, example) in list(RECOGNIZERS.items())[:2])
