"""Any transformers model of the kind "image-text-to-text" in this process, by hub name or by path.

On a GPU it runs in bfloat16, elsewhere in float32. Weights are read from safetensors only and no code of the model's
repository runs. Special tokens that stand in a prompt's words are broken, so that no subtitle can begin a turn of its
own or take the place of a picture.
"""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentvid.egress import OPEN, Outlet
from agentvid.errors import AgentvidError, MissingDependency, ModelError
from agentvid.models.base import Picture, Reply, encodable
from agentvid.models.failures import without_secrets
from agentvid.models.hub import (
    cached_commit,
    cannot_load,
    fastest_device,
    folder_hash,
    hub_name,
    load_whole,
    needs_transformers,
    without_sampling,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

PREFIX = "hf:"
MAX_NEW_TOKENS = 512
_KIND = "vision model"
_EXAMPLE = "HuggingFaceTB/SmolVLM2-500M-Video-Instruct"


class ImageTextModel:
    """VisionModel over an image-text-to-text model with a chat template, loaded when it is first asked something.

    `name` is "hf:" and a model of the Hugging Face hub, or a folder when the rest begins with ".", "/" or "~".
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available. Safe to share between threads.
    Raises UsageError if a path names no folder.
    """

    def __init__(
        self,
        name: str,
        *,
        device: str | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        outlet: Outlet = OPEN,
    ) -> None:
        self._source = hub_name(_KIND, name.removeprefix(PREFIX))
        self._device = device
        self._outlet = outlet
        self._max_new_tokens = max_new_tokens

    @property
    def name(self) -> str:
        return f"{PREFIX}{self._source}"

    @property
    def known_revision(self) -> str:
        """`revision`, or "" where that would download the model."""
        if Path(self._source).is_dir():
            return self.revision
        return cached_commit(self._source, ("config.json",))

    @cached_property
    def revision(self) -> str:
        """The hub's commit, or a hash of the folder's files: 12 digits. Downloads a model that is not there yet.

        Raises MissingDependency, ModelError if the model cannot be loaded.
        """
        if Path(self._source).is_dir():
            return folder_hash(Path(self._source))
        if not self.known_revision:
            self._opened()
        return self.known_revision

    def look(self, system: str, parts: Sequence[str | Picture]) -> Reply:
        """The answer to texts and pictures in this order.

        Raises MissingDependency, ModelError if the model cannot be loaded, or fails.
        """
        return self.look_each(system, [parts])[0]

    def look_each(self, system: str, prompts: Sequence[Sequence[str | Picture]]) -> list[Reply]:
        """The answers to several prompts, read in one batch. Raises as `look`, for all of them together."""
        if not prompts:
            return []
        loaded = self._opened()
        with loaded.using:
            try:
                return loaded.answer([loaded.conversation(system, parts) for parts in prompts], self._max_new_tokens)
            except AgentvidError:
                raise
            except Exception as error:  # memory, templates and processors have no common base
                raise ModelError(
                    f"the {_KIND} {self.name!r} failed: {without_secrets(f'{type(error).__name__}: {error}')}",
                    hint="show it fewer or smaller frames at a time, or choose another model",
                ) from error

    def _opened(self) -> _Loaded:
        self._outlet.fetch(_KIND, self.name, self._source)
        return _load(self._source, self._device)


@dataclass(frozen=True)
class _Loaded:
    """A model that is loaded once for a process; threads take turns."""

    processor: ProcessorMixin
    model: PreTrainedModel
    using: threading.Lock

    def __post_init__(self) -> None:
        """A batch is padded on the left, so that every prompt ends where its answer begins."""
        tokenizer = self.processor.tokenizer
        tokenizer.padding_side = "left"
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token

    def conversation(self, system: str, parts: Sequence[str | Picture]) -> list[dict[str, Any]]:
        """One turn of the user. Not every template knows a system's turn, so what it says comes first."""
        return [{"role": "user", "content": [self._block(part) for part in ([system] if system else []) + [*parts]]}]

    def _block(self, part: str | Picture) -> dict[str, Any]:
        from PIL import Image

        if isinstance(part, Picture):
            return {"type": "image", "image": Image.open(io.BytesIO(part.data)).convert("RGB")}
        return {"type": "text", "text": f"{self._without_tokens(encodable(part))}\n"}

    def _without_tokens(self, text: str) -> str:
        """`text` with a blank inside of whatever the tokenizer would read as one of its special tokens."""
        while found := self._special.search(text):
            text = f"{text[: found.start() + 1]} {text[found.start() + 1 :]}"
        return text

    @cached_property
    def _special(self) -> re.Pattern[str]:
        tokenizer = self.processor.tokenizer
        tokens = {*tokenizer.all_special_tokens, *tokenizer.get_added_vocab()}
        # Some tokenizers add plain words and runs of blanks too; those mean nothing but themselves.
        marks = [re.escape(token) for token in tokens if len(token) > 1 and re.search(r"[^\w\s]", token)]
        return re.compile("|".join(sorted(marks, key=len, reverse=True)) or r"(?!)")

    def answer(self, conversations: list[list[dict[str, Any]]], max_new_tokens: int) -> list[Reply]:
        import torch

        texts = [
            self.processor.apply_chat_template(
                conversation, tokenize=False, add_generation_prompt=True, **self._switches()
            )
            for conversation in conversations
        ]
        images = [[block["image"] for block in turn[0]["content"] if "image" in block] for turn in conversations]
        begin = self.processor.tokenizer.bos_token
        inputs = self.processor(
            text=texts,
            images=images if any(images) else None,
            padding=True,
            return_tensors="pt",
            add_special_tokens=not (begin and texts[0].startswith(begin)),  # most templates write it themselves
        ).to(self.model.device, dtype=self.model.dtype)
        with torch.inference_mode():
            tokens = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                do_sample=False,
                pad_token_id=self.processor.tokenizer.pad_token_id,
            )
        read = inputs["attention_mask"].sum(dim=1).tolist()
        written = tokens[:, inputs["input_ids"].shape[1] :]
        texts = self.processor.batch_decode(written, skip_special_tokens=True)
        counts = (written != self.processor.tokenizer.pad_token_id).sum(dim=1).tolist()
        return [Reply(encodable(text).strip(), *used) for text, *used in zip(texts, read, counts, strict=True)]

    def _switches(self) -> dict[str, bool]:
        """Thinking aloud takes long and helps seeing little; models that can, have this switch in their template."""
        return {"enable_thinking": False} if "enable_thinking" in str(self.processor.chat_template) else {}


@lru_cache(maxsize=2)
def _load(source: str, device: str | None) -> _Loaded:
    try:
        import torch
        from transformers import AutoModelForImageTextToText, AutoProcessor
    except ImportError as error:
        raise needs_transformers(_KIND, source, error) from None
    device = device or fastest_device(torch)
    try:
        with _quiet():
            processor = AutoProcessor.from_pretrained(source, trust_remote_code=False)
            dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
            model = load_whole((AutoModelForImageTextToText,), source, dtype=dtype)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise MissingDependency(
            f"the {_KIND} {source!r} needs another package: {reason[:200]}", hint="pip install torchvision"
        ) from None
    except Exception as error:
        raise cannot_load(
            _KIND,
            source,
            error,
            holds="a whole transformers model of the kind image-text-to-text",
            otherwise="choose another model",
        ) from error
    if not getattr(processor, "chat_template", None):
        raise ModelError(
            f"the {_KIND} {PREFIX + source!r} has no chat template, so it cannot be asked anything",
            hint=f"choose a model for chats, as {PREFIX}{_EXAMPLE}",
        )
    return _Loaded(processor, without_sampling(model.to(device).eval()), threading.Lock())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without a bar for weights that are read within seconds; downloads show theirs, which is not transformers' own."""
    from transformers.utils import logging

    was_shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if was_shown:
            logging.enable_progress_bar()
