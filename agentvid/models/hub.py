"""What every model from the Hugging Face hub, or from a folder, has in common: its name, its revision, its way out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.types import Json

if TYPE_CHECKING:
    from transformers import PreTrainedModel

#: Files of a local model that decide what it says.
_DECISIVE = {".json", ".safetensors", ".txt", ".model", ".jinja"}
_REASON_CHARACTERS = 300


def hub_name(kind: str, name: str) -> str:
    """`name` as transformers takes it: a model of the hub, or a folder if it begins with ".", "/" or "~".

    `kind` says what the model is for, in errors. Raises UsageError if a path names no folder.
    """
    path = str(Path(name).expanduser()) if name.startswith("~") else name
    if path.startswith((".", "/")) and not Path(path).is_dir():
        raise UsageError(f"the {kind} {name!r} is not a folder", hint="name an existing folder, or a model of a hub")
    return path


def cannot_load(
    kind: str, name: str, error: Exception, *, holds: str, otherwise: str, repository: str = ""
) -> ModelError:
    """The error of a model that did not load, whatever went wrong: hub, file, format and device have no common base.

    `holds` says what a folder must hold; `otherwise` what to do without the model; `repository` its whole name.
    """
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    if Path(name).exists():
        hint = f"the folder must hold {holds} with safetensors weights and no code of its own"
    else:
        hint = f"check the name and the network (once: `hf download {repository or name}`), or {otherwise}"
    return ModelError(f"the {kind} {name!r} cannot be loaded: {reason[:_REASON_CHARACTERS]}", hint=hint)


def needs_transformers(kind: str, name: str, error: ImportError) -> MissingDependency:
    """The error of a model whose library is not there."""
    return MissingDependency(
        f"the {kind} {name!r} needs transformers ({error})", hint='pip install "transformers>=5.3,<6"'
    )


def load_whole(classes: Sequence[Any], source: str, **options: Any) -> Any:
    """The model, by the first of transformers' auto `classes` that its configuration fits; safetensors, no own code.

    Raises ValueError for a model of another kind and for one without some of its weights: they would be random
    numbers, and it would talk nonsense without any error.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    fitting = [one for one in classes if type(config) in one._model_mapping]
    if not fitting:
        raise ValueError(f"it is a model of the kind {config.model_type}, which cannot do this")
    model, report = fitting[0].from_pretrained(
        source, trust_remote_code=False, use_safetensors=True, output_loading_info=True, **options
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"{len(missing)} of its weights are not there, {missing[0]} first")
    return model


def files_of(name: str) -> list[Json]:
    """Name, size and time of change of a local model's files; [] for a model of the hub.

    That is what decides its rows as far as can be told at once: hashing it takes longer than a short video.
    """
    path = Path(name).expanduser()
    files = [path] if path.is_file() else sorted(path.rglob("*")) if path.is_dir() else []
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return [{"name": file, "bytes": stat.st_size, "changed": stat.st_mtime_ns} for file, stat in stats]


def cached_commit(repository: str, files: tuple[str, ...], cache: str | None = None) -> str:
    """The first 12 digits of the commit in the hub's cache, where files lie in a folder named after it; "" if none."""
    from huggingface_hub import try_to_load_from_cache

    for file in files:
        path = try_to_load_from_cache(repository, file, cache_dir=cache)
        if isinstance(path, str):
            return Path(path).parent.name[:12]
    return ""


def folder_hash(folder: Path) -> str:
    """The first 12 digits of a sha256 over names and contents of the files that decide what a model says."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in _DECISIVE and path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode())
    return total.hexdigest()[:12]


def fastest_device(torch: Any) -> str:
    """One of "cuda", "mps" and "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def without_sampling(model: PreTrainedModel) -> PreTrainedModel:
    """`model` without leftovers of sampling: they mean nothing to greedy search, and each would warn."""
    for name in ("temperature", "top_p", "top_k", "min_p", "typical_p"):
        if getattr(model.generation_config, name, None) is not None:
            setattr(model.generation_config, name, None)
    return model
