"""What leaves this machine: the rule that allows it, stage by stage, and the record of everything that did.

Who opens a model is given an `Outlet`, made from the settings. A model that is asked elsewhere passes through it before
every call, and one whose files may come from a hub before it is loaded: what the settings keep local is refused there,
what leaves is one line of `<library>/egress.jsonl` first. A line that cannot be written stops the call. It tells who
was asked, how many bytes of what, and for which question or run; never the content and never a key.

Code of plug-ins is not watched: it opens its own connections.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from agentvid.config import LOCAL_HOSTS, STAGES, Settings, is_offline, stay_off_hubs
from agentvid.errors import LibraryError, ModelError, UsageError
from agentvid.reach import unreachable
from agentvid.types import Json

FILE, OLDER_FILE = "egress.jsonl", "egress.older.jsonl"
#: A file of this size becomes the older one, in place of the one before: about 20,000 calls are kept.
MAX_BYTES = 4_000_000
_MOST_VIDEOS = 20
_HUB, _HUB_ENDPOINT = "huggingface.co", "HF_ENDPOINT"
#: Provider -> the variables that name another address, and the host without them.
_ADDRESSES = {
    "openai": (("OPENAI_API_BASE", "OPENAI_BASE_URL"), "api.openai.com"),
    "anthropic": (("ANTHROPIC_API_URL", "ANTHROPIC_BASE_URL"), "api.anthropic.com"),
    "google_genai": (("GOOGLE_GEMINI_BASE_URL",), "generativelanguage.googleapis.com"),
    "ollama": (("OLLAMA_HOST",), "127.0.0.1"),
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Errand:
    """For whom something leaves: a trace id or an index run, and the ids of the videos that it is about."""

    run: str = ""
    videos: tuple[str, ...] = ()


_errand: ContextVar[Errand | None] = ContextVar("agentvid_errand", default=None)
_fetched: set[tuple[Path | None, str]] = set()


@contextmanager
def errand(run: str, videos: Sequence[str]) -> Iterator[None]:
    """What leaves inside of the block leaves for this. Threads that are started in it must copy the context."""
    token = _errand.set(Errand(run, tuple(videos)))
    try:
        yield
    finally:
        _errand.reset(token)


def on_errand(steps: Iterator[T], run: str, videos: Sequence[str]) -> Iterator[T]:
    """`steps`, each of which is made for this, in whatever thread the next one is asked for."""
    context = copy_context()
    context.run(_errand.set, Errand(run, tuple(videos)))
    done = object()
    try:
        while (step := context.run(next, steps, done)) is not done:
            yield step  # type: ignore[misc]  # it is not `done`
    finally:
        if close := getattr(steps, "close", None):
            context.run(close)


@dataclass(frozen=True, slots=True)
class Outlet:
    """The way out of one stage.

    `kept`: the stages that are local. `log`: the library's directory, None for no record.
    """

    stage: str = "model"
    kept: frozenset[str] = frozenset()
    local_hosts: tuple[str, ...] = LOCAL_HOSTS
    log: Path | None = None

    def check(self, name: str, host: str) -> None:
        """Raises UsageError if the model `name` at `host` may not be asked by this stage."""
        if host in self.local_hosts or not (is_offline() or self.stage in self.kept):
            return
        here = ", ".join(self.local_hosts) or "none"
        why = "offline is set" if is_offline() else f"egress keeps {self.stage} local"
        raise UsageError(
            f"{self.stage}: {name} is asked over the network at {host}, and {why}; allowed: models in this process, "
            f"and servers on: {here}",
            hint="choose hf:NAME or ollama:NAME, or "
            + ("leave --offline out" if is_offline() else f"set egress {self.stage} = remote"),
        )

    def send(self, name: str, host: str, *, sent_bytes: int, content: str) -> None:
        """Call before each request: checks, and records what leaves. `content`: text, frames, audio, joined by +.

        Raises UsageError as `check`, LibraryError if it cannot be recorded.
        """
        self.check(name, host)
        if host not in self.local_hosts:
            provider, _, model = name.partition(":")
            self._record(self.stage, provider, host, model, sent_bytes, content)

    def fetch(self, kind: str, name: str, repository: str, *, cache: str | None = None) -> None:
        """Call before a model is loaded whose files may be of a hub: `repository` there, or a folder.

        The hub is asked also for models that are here, whether there are newer files, unless downloads are local. Where
        it cannot be reached, no hub is asked any more by this process.
        Raises UsageError for a model that is not here if downloads are local, ModelError for one if the hub cannot be
        reached, LibraryError if it cannot be recorded.
        """
        if Path(repository).expanduser().exists():
            return
        host = host_of_hub()
        is_elsewhere = host not in self.local_hosts
        if is_offline() or "downloads" in self.kept:
            if is_elsewhere and not is_cached(repository, cache):
                raise self._kept_here(kind, name, host, f"once: `hf download {repository}`, or ")
            return
        if is_elsewhere and (self.log, repository) not in _fetched:
            self._record("downloads", "hub", host, repository, 0, "name")
            _fetched.add((self.log, repository))
        _look_for_hub(kind, name, repository, cache)

    def download(self, kind: str, name: str, host: str) -> None:
        """Call before a model that is not here is fetched from a `host` that is no hub. Raises as `fetch`."""
        if host in self.local_hosts:
            return
        if is_offline() or "downloads" in self.kept:
            raise self._kept_here(kind, name, host)
        self._record("downloads", "web", host, name, 0, "name")

    @staticmethod
    def _kept_here(kind: str, name: str, host: str, otherwise: str = "") -> UsageError:
        why = "offline is set" if is_offline() else "egress keeps downloads local"
        return UsageError(
            f"downloads: the {kind} {name!r} is not here and would come from {host}, and {why}; "
            "allowed: folders and models that were downloaded before",
            hint=otherwise + ("leave --offline out" if is_offline() else "set egress downloads = remote"),
        )

    def _record(self, stage: str, provider: str, host: str, model: str, sent_bytes: int, content: str) -> None:
        if self.log is None:
            return
        on = _errand.get() or Errand()
        row = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "stage": stage,
            "provider": provider,
            "host": host,
            "model": model,
            "bytes": sent_bytes,
            "content": content,
            "run": on.run,
            "videos": list(on.videos[:_MOST_VIDEOS]),
            "videos_in_all": len(on.videos),
        }
        _append(self.log / FILE, row)


#: For models that are opened without a library: nothing is recorded, and only offline is kept to.
OPEN = Outlet()


def outlet_of(settings: Settings, stage: str) -> Outlet:
    """The way out of a stage under these settings."""
    rules = settings.egress
    kept = frozenset(one for one in STAGES if rules.get(one, rules.get("all", "remote")) == "local")
    return Outlet(stage, kept, settings.local_hosts, settings.library)


def is_cached(repository: str, cache: str | None = None) -> bool:
    """Whether files of the model are in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    found = [try_to_load_from_cache(repository, file, cache_dir=cache) for file in ("modules.json", "config.json")]
    return any(isinstance(path, str) for path in found)


def _look_for_hub(kind: str, name: str, repository: str, cache: str | None) -> None:
    """Where there is no way to the hub, its library would try half a minute for each file that is not in its cache."""
    from huggingface_hub import is_offline_mode

    why = "" if is_offline_mode() else unreachable(os.environ.get(_HUB_ENDPOINT) or f"https://{_HUB}")
    if not why:
        return
    if not is_cached(repository, cache):
        raise ModelError(
            f"the {kind} {name!r} is not here, and its hub cannot be reached: {why}",
            hint=f"once, where there is a network: `hf download {repository}`; or name a folder that holds the model",
        )
    stay_off_hubs()


def host_of(provider: str) -> str:
    """Where a provider is asked, by the variables that its package reads; its own name where that is not known."""
    variables, host = _ADDRESSES.get(
        provider, ((f"{provider.upper()}_BASE_URL", f"{provider.upper()}_API_BASE"), provider)
    )
    named = next((address for name in variables if (address := os.environ.get(name))), "")
    return host_of_address(named) or host


def host_of_hub() -> str:
    """Where the files of models come from."""
    return host_of_address(os.environ.get(_HUB_ENDPOINT, "")) or _HUB


def host_of_address(address: str) -> str:
    """The host of a URL, or of "host:port"; credentials in it are no part of the host."""
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def read_log(library: Path, *, since: datetime | None = None) -> list[Json]:
    """What left, the oldest first; `since` is with a time zone. Raises LibraryError if a file cannot be read."""
    rows: list[Json] = []
    for path in (library / OLDER_FILE, library / FILE):
        try:
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            rows += [json.loads(line) for line in lines]
        except (OSError, ValueError) as error:
            raise LibraryError(f"{path}: {error}", hint="move this file away to begin a new record") from None
    return [row for row in rows if since is None or datetime.fromisoformat(row["time"]) >= since]


def summed(rows: Sequence[Json]) -> list[Json]:
    """Calls and bytes for each stage, host and kind of content, in the order of the first call."""
    sums: dict[tuple[str, str, str], Json] = {}
    for row in rows:
        key = (row["stage"], row["host"], row["content"])
        empty = dict(zip(("stage", "host", "content"), key, strict=True)) | {"calls": 0, "bytes": 0}
        entry = sums.setdefault(key, empty | {"first": row["time"]})
        entry["calls"] += 1
        entry["bytes"] += row["bytes"]
        entry["last"] = row["time"]
    return list(sums.values())


def _append(path: Path, row: Json) -> None:
    """One line in one write, so that the lines of several processes do not mix."""
    line = json.dumps(row, ensure_ascii=True) + "\n"
    try:
        if path.exists() and path.stat().st_size > MAX_BYTES:
            os.replace(path, path.with_name(OLDER_FILE))
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise LibraryError(
            f"{path}: {error.strerror}: what leaves this machine cannot be recorded, so nothing was sent",
            hint="make the library writable, or choose models of this machine",
        ) from None


#: Kinds of models that run in this process, as far as their names tell.
_IN_PROCESS = {"hf", "scripted", "faster-whisper", "onnx-asr", "pocketsphinx"}


def policy(settings: Settings) -> list[Json]:
    """For each stage: the model that is set, the host that it is asked at ("" for one that runs here), may it leave."""
    captions = (settings.captions_model or settings.vision) if settings.captions != "none" else ""
    named = {
        "model": settings.model,
        "digests": settings.model if settings.digests == "model" else "",
        "vision": settings.vision,
        "captions": captions,
        "speech": settings.asr,
    }
    rows = [_rule(settings, stage, name, _host_asked(name)) for stage, name in named.items()]
    return [*rows, _rule(settings, "downloads", "", host_of_hub())]


def _rule(settings: Settings, stage: str, name: str, host: str) -> Json:
    outlet = outlet_of(settings, stage)
    is_kept = settings.offline or is_offline() or stage in outlet.kept
    is_elsewhere = bool(host) and host not in outlet.local_hosts
    return {"stage": stage, "model": name, "host": host, "elsewhere": is_elsewhere, "allowed": not is_kept}


def _host_asked(name: str) -> str:
    provider, colon, _ = name.partition(":")
    return host_of(provider) if colon and provider not in _IN_PROCESS else ""
