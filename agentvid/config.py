"""Typed settings: defaults < user file < environment `AGENTVID_*` < flags; every value knows its origin."""

from __future__ import annotations

import difflib
import os
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from agentvid.budget import Budget, Price
from agentvid.errors import UsageError
from agentvid.profiles import profile

ENV_PREFIX = "AGENTVID_"
NonNegative = Annotated[float, Field(ge=0)]
VERIFY = ("standard", "strict")
#: What sends something elsewhere if a model or a hub elsewhere is named; "all" in the setting means each of them.
STAGES = ("model", "digests", "vision", "captions", "speech", "downloads")
RULES = ("local", "remote")
#: RapidOCR's names of what its other recognisers read (PP-OCRv5).
OCR_LETTERS = ("arabic", "cyrillic", "devanagari", "el", "eslav", "korean", "latin", "ta", "te", "th")
LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


def plugins_allowed() -> bool:
    """False if AGENTVID_PLUGINS=off: then no code of installed plug-ins is loaded."""
    return os.environ.get("AGENTVID_PLUGINS", "").lower() != "off"


def is_offline() -> bool:
    """True after `go_offline`, here or in the process that started this one, or with AGENTVID_OFFLINE=1."""
    return os.environ.get("AGENTVID_OFFLINE", "").lower() in ("1", "true", "yes", "on")


def go_offline() -> None:
    """From now on nothing is downloaded and no provider is asked, by this process and those that it starts.

    Traces of LangSmith, which LangChain would send if the environment asks for them, are off too.
    """
    os.environ.update({"AGENTVID_OFFLINE": "1", "LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"})
    stay_off_hubs()


def stay_off_hubs() -> None:
    """From now on nothing is downloaded from a hub, by this process and those that it starts."""
    # The hub's packages read these names when they are imported; one that was imported before has to be told.
    os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})
    if constants := sys.modules.get("huggingface_hub.constants"):
        constants.HF_HUB_OFFLINE = True  # type: ignore[attr-defined]


class Settings(BaseModel):
    """Everything a user may set. Field descriptions are what `agentvid config` and docs print.

    `examples` show what a value looks like where the default is none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    library: Path = Field(
        default_factory=lambda: platformdirs.user_data_path("agentvid") / "library",
        description="directory of the library",
    )
    cache: Path = Field(
        default_factory=lambda: platformdirs.user_cache_path("agentvid"),
        description="where the page of `serve`, plug-in embedders and `ocr_letters` keep files",
    )
    profile: str = Field(
        "lite", description="models for all settings at once: lite, cpu, gpu or api; what is set by itself wins"
    )
    offline: bool = Field(False, description="download nothing and ask no provider; what would is refused")
    egress: dict[str, Literal["local", "remote"]] = Field(
        {},
        description="what may leave this machine, as captions=local,speech=local; unset = what is named may",
        examples=[{"captions": "local", "speech": "local"}],
    )
    local_hosts: tuple[str, ...] = Field(
        LOCAL_HOSTS, description="hosts that count as this machine; none of them if a proxy here passes calls on"
    )
    embedder: str = Field("minilm", description="text embedder: minilm, or a sentence-transformers model")
    frame_embedder: str = Field(
        "", description="embedder of frames: a CLIP-like sentence-transformers model; empty = none"
    )
    index: Literal["auto", "faiss", "numpy"] = Field("auto", description="vector index; auto = faiss if installed")
    ocr: bool = Field(True, description="read on-screen text while indexing")
    ocr_letters: str = Field(
        "", description=f"what on-screen text is written in: {', '.join(OCR_LETTERS)}, or a PaddleOCR recogniser.onnx"
    )
    shot_detector: Literal["transitions", "adaptive", "content", "histogram", "threshold"] = Field(
        "transitions", description="what finds shots: our own cuts, dissolves and fades, or a detector of scenedetect"
    )
    fast: bool = Field(False, description="decode key frames only: quick, but shots, facts and text are coarser")
    embed: bool = Field(True, description="embed text while indexing; without it search is lexical only")
    asr: str = Field(
        "", description="speech recogniser for videos without subtitles, as faster-whisper:small; empty = none"
    )
    sound: str = Field("", description="model that hears events, a transformers name or folder; empty = none")
    sound_labels: tuple[str, ...] = Field(
        (), description="events to listen for with a CLAP model, as glass breaking,siren; empty = the model's own"
    )
    sound_threshold: float = Field(0.3, gt=0, le=1, description="score that begins an event; it ends below 60 % of it")
    objects: str = Field("", description="model that finds objects, a transformers name or folder; empty = none")
    object_labels: tuple[str, ...] = Field((), description="objects to look for, as dog,red car")
    object_threshold: float = Field(
        0.3, gt=0, le=1, description="score that shows an object; it is lost below 60 % of it"
    )
    subtitle_languages: tuple[str, ...] = Field((), description="subtitle languages to keep, as en,de; empty = all")
    clip_min_seconds: float = Field(4.0, gt=0, le=3600, description="shortest clip, where the video allows")
    clip_max_seconds: float = Field(90.0, gt=0, le=3600, description="longest clip")
    digests: Literal["rows", "model"] = Field(
        "rows", description="how chapters are told: rows word by word, or as the setting model writes them"
    )
    decode_stall_seconds: float = Field(30.0, gt=0, description="a decoder silent for this long is stopped")
    max_pixels: int = Field(33_177_600, gt=0, description="frames with more pixels are refused")
    max_hours: float = Field(24.0, gt=0, description="longer videos are refused")
    model: str = Field("", description="LLM as provider:name or hf:name for planning and composing; empty = none")
    model_timeout_seconds: float = Field(60.0, gt=0, description="longest wait for one LLM reply")
    structured_output: Literal["auto", "on", "off"] = Field(
        "auto", description="ask an LLM's provider for JSON by a schema; auto = where the model is known to take one"
    )
    vision: str = Field(
        "", description="model that looks at frames: provider:name, or hf:name for one in this process; empty = none"
    )
    vision_layout: Literal["frames", "grid", "thumbnail"] = Field(
        "frames", description="how frames are shown to it: frames, grid, or thumbnail = frames and then a grid"
    )
    vision_image_tokens: int = Field(8_000, ge=100, le=1_000_000, description="image tokens that one look may take")
    captions: Literal["none", "lazy", "all"] = Field(
        "none", description="captions by a vision model: none, lazy = where questions land, all = while indexing"
    )
    captions_model: str = Field("", description="model that writes captions, named as `vision`; empty = that one")
    caption_frames: int = Field(8, ge=1, le=64, description="frames shown for one caption, at most")
    caption_batch: int = Field(4, ge=1, le=64, description="captions asked for at a time")
    reranker: str = Field(
        "", description="cross-encoder that reranks search hits: a sentence-transformers model; empty = none"
    )
    most_of_one_video: int = Field(
        4,
        ge=2,
        le=10,
        description="of the first ten hits of a search that names no video, one video has at most so many",
    )
    max_steps: int = Field(100, ge=1, le=10_000, description="lines of programs one question may run")
    max_tool_calls: int = Field(60, ge=1, le=1000, description="tool calls one question may make")
    max_llm_calls: int = Field(30, ge=1, le=1000, description="model calls one question may make")
    max_tokens: int = Field(30_000, ge=1, description="tokens models may read and write for one question")
    max_money: float | None = Field(
        None, gt=0, description="what models may cost for one question; needs prices", examples=[0.05]
    )
    max_frames: int = Field(1_000, ge=1, description="frames tools may decode for one question")
    max_seconds: float = Field(600.0, gt=0, description="longest time for one question")
    prices: dict[str, tuple[NonNegative, NonNegative]] = Field(
        {},
        description="per model: price of a million tokens read and of a million written, as openai:NAME=1.25/10",
        examples=[{"openai:NAME": [1.25, 10.0]}],
    )
    examples: str = Field(
        "", description="file of question forms that go before the shipped ones, as `examples refine` writes it"
    )
    learn: bool = Field(True, description="keep programs that an LLM repaired as examples for its later questions")
    verify: Literal["standard", "strict"] = Field(
        "standard", description="how claims are checked; strict = also the paired probe, a second answer, a blind one"
    )
    pictures: Literal["none", "auto"] = Field(
        "none", description="draw cited moments in the chat: none, or auto = where the terminal can"
    )
    confident: float = Field(0.2, ge=0, le=1, description="an answer less confident than this is asked for again")
    max_asks: int = Field(
        0, ge=0, le=5, description="times one question may be planned in all; 0 = twice with an LLM, once without"
    )
    max_replans: int = Field(3, ge=0, le=10, description="programs that may be sent back for repair")

    @property
    def budget(self) -> Budget:
        """The limits of one question."""
        return Budget(
            self.max_steps,
            self.max_tool_calls,
            self.max_llm_calls,
            self.max_tokens,
            self.max_money,
            self.max_frames,
            self.max_seconds,
        )

    def price(self, model: str) -> Price | None:
        """What the tokens of "provider:model" cost, None if it was not set."""
        return Price(*self.prices[model]) if model in self.prices else None

    @field_validator("prices", mode="before")
    @classmethod
    def _prices(cls, value: object) -> object:
        """From the environment: `provider:model=1.25/10`, several separated by commas."""
        if not isinstance(value, str):
            return value
        found = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            model, _, pair = part.rpartition("=")
            prices = pair.split("/")
            if not model or len(prices) != 2:
                raise ValueError("allowed: provider:model=INPUT/OUTPUT, several separated by commas")
            found[model.strip()] = tuple(prices)
        return found

    @field_validator("egress", mode="before")
    @classmethod
    def _egress(cls, value: object) -> object:
        """From the environment and flags: `stage=local`, several separated by commas."""
        if isinstance(value, str):
            parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
            value = {stage.strip(): rule.strip() for stage, _, rule in parts}
        rules = value.items() if isinstance(value, dict) else [("", value)]
        if wrong := [f"{stage}={rule}" for stage, rule in rules if stage not in (*STAGES, "all") or rule not in RULES]:
            raise ValueError(f"{wrong[0]!r} is not allowed; allowed: {', '.join((*STAGES, 'all'))} = local or remote")
        return value

    @field_validator("ocr_letters")
    @classmethod
    def _ocr_letters(cls, value: str) -> str:
        if value and value not in OCR_LETTERS and not value.endswith(".onnx"):
            raise ValueError(f"allowed: {', '.join(OCR_LETTERS)}, or a file that ends in .onnx")
        return value

    @field_validator("library", "cache", mode="before")
    @classmethod
    def _directory(cls, value: object) -> object:
        """`~` is the home directory also where no shell expands it; an empty name would be the current directory."""
        if not isinstance(value, str | Path):
            return value
        if not str(value).strip() or "\0" in str(value):
            raise ValueError("allowed: the name of a directory")
        try:
            return Path(value).expanduser()
        except RuntimeError:
            raise ValueError("allowed: a directory; the home directory of that user is not known") from None


def with_verify(settings: Settings, verify: str) -> Settings:
    """`settings` with another `verify`, as they are for "". Raises UsageError for a value that is not allowed."""
    if verify not in ("", *VERIFY):
        raise UsageError(f"verify = {verify!r} is not allowed; allowed: {', '.join(VERIFY)}")
    return settings.model_copy(update={"verify": verify}) if verify else settings


#: (origin, setting -> value)
Layer = tuple[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """Settings and, per field, where the value came from: "default", the file's path, "$NAME" or "flag"."""

    settings: Settings
    origins: Mapping[str, str]


def user_file() -> Path:
    """The user's settings file: $AGENTVID_CONFIG, or config.toml in the platform's configuration directory."""
    named = os.environ.get("AGENTVID_CONFIG")
    return Path(named) if named else platformdirs.user_config_path("agentvid") / "config.toml"


def load_settings(
    flags: Mapping[str, Any] | None = None, *, environ: Mapping[str, str] | None = None, file: Path | None = None
) -> LoadedSettings:
    """Merge the four layers over what the profile says. A flag that is None was not given.

    Raises UsageError naming the value, its origin and what is allowed.
    """
    environ = os.environ if environ is None else environ
    path = file if file is not None else user_file()
    layers: list[Layer] = [(str(path), read_settings_file(path))]
    layers += [(f"${ENV_PREFIX}{name.upper()}", {name: value}) for name, value in _from_environment(environ).items()]
    layers.append(("flag", {name: value for name, value in (flags or {}).items() if value is not None}))
    return merged_settings(layers)


def merged_settings(layers: Sequence[Layer]) -> LoadedSettings:
    """The layers over what the profile says; the later ones win. Raises UsageError as `load_settings` does."""
    if name := next((layer["profile"] for _, layer in reversed(layers) if "profile" in layer), ""):
        layers = [(f"profile {name}", profile(str(name)).settings), *layers]
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, "default")
    for origin, layer in layers:
        for name, value in layer.items():
            check_name(name, origin)
            values[name] = value
            origins[name] = origin
    try:
        settings = Settings(**values)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        shown = repr(first["input"])
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        reason = first["msg"].removeprefix("Value error, ").replace("Input should be ", "allowed: ", 1)
        raise UsageError(
            f"{name} = {shown} (from {origins.get(name, 'default')}): {reason}",
            hint="`agentvid config` shows every setting, its value and where it came from",
        ) from None
    if settings.clip_min_seconds > settings.clip_max_seconds:
        raise UsageError(
            f"clip_min_seconds {settings.clip_min_seconds:g} (from {origins['clip_min_seconds']}) exceeds "
            f"clip_max_seconds {settings.clip_max_seconds:g} (from {origins['clip_max_seconds']})",
            hint="set both, the shorter one first",
        )
    return LoadedSettings(settings, origins)


def check_name(name: str, origin: str) -> None:
    """Raises UsageError with near names, or all, if there is no such setting."""
    if name not in Settings.model_fields:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), Settings.model_fields, n=3)
        hint = f"near: {', '.join(near)}" if near else f"known settings: {', '.join(Settings.model_fields)}"
        raise UsageError(f"{origin}: unknown setting {name!r}", hint=hint)


def read_settings_file(path: Path) -> Mapping[str, Any]:
    """What a settings file says, unchecked; nothing if there is none. Raises UsageError if it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError:
        return {}
    except RecursionError:
        raise UsageError(f"{path}: nested too deeply", hint="repair or remove this settings file") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: {error}", hint="repair or remove this settings file") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        name = variable.removeprefix(ENV_PREFIX).lower()
        if variable.startswith(ENV_PREFIX) and name in Settings.model_fields:
            values[name] = value_of_text(name, text)
    return values


def value_of_text(name: str, text: str) -> object:
    """A setting's value written as one word, unchecked: lists are separated by commas."""
    if get_origin(Settings.model_fields[name].annotation) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
