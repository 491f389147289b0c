"""Any transformers model of the kind "text-generation" in this process, by hub name or by path.

On a GPU it runs in bfloat16, elsewhere in float32. Weights are read from safetensors only and no code of the model's
repository runs. Special tokens that stand in a prompt's words reach the model as plain text.

With the package llguidance a reply that should have a shape is decoded by its grammar: of all tokens only those are
left that can go on to a sentence of it (Willard and Louf, arXiv 2307.09702; llguidance computes them without a table).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agentvid.egress import OPEN, Outlet
from agentvid.errors import AgentvidError, ModelError, UsageError
from agentvid.models.base import Reply, Shape, encodable
from agentvid.models.failures import without_secrets
from agentvid.models.hub import cannot_load, fastest_device, hub_name, load_whole, needs_transformers, without_sampling

if TYPE_CHECKING:
    import torch
    from llguidance import LLMatcher, LLTokenizer
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PREFIX = "hf:"
MAX_NEW_TOKENS = 1_024
#: So many tokens before the last one, what is open in a constrained reply is closed: a cut program is of no use.
_CLOSING_TOKENS = 256
_CLOSERS = (")", "]", "None", "0", "\n", ", ", " else ", " in ")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""")
_KIND, _EXAMPLE = "language model", "Qwen/Qwen3-4B-Instruct-2507"
_UNCONSTRAINED = 'without llguidance plans are not held to the language: pip install "agentvid[local]"'


class LocalChat:
    """ChatModel over a causal language model with a chat template, loaded when it is first asked something.

    `name` is "hf:" and a model of the Hugging Face hub, or a folder when the rest begins with ".", "/" or "~". Greedy.
    `device` is "cpu", "cuda", "mps"...; None takes the fastest available. Safe to share between threads.
    Raises UsageError if a path names no folder.
    """

    def __init__(
        self,
        name: str,
        *,
        timeout_seconds: float = 60.0,
        device: str | None = None,
        max_new_tokens: int = MAX_NEW_TOKENS,
        outlet: Outlet = OPEN,
    ) -> None:
        self._source = hub_name(_KIND, name.removeprefix(PREFIX).strip())
        if not self._source:
            raise UsageError(f"the {_KIND} {name!r} has no name", hint=f"as {PREFIX}{_EXAMPLE}, or {PREFIX}./folder")
        self.timeout_seconds = timeout_seconds
        self._device = device
        self._outlet = outlet
        self._max_new_tokens = max_new_tokens

    @property
    def name(self) -> str:
        return f"{PREFIX}{self._source}"

    def reply(self, system: str, user: str, shape: Shape | None = None) -> Reply:
        """Raises MissingDependency, ModelError if the model cannot be loaded, fails, or is not done in time."""
        self._outlet.fetch(_KIND, self.name, self._source)
        loaded = _load(self._source, self._device)
        with loaded.using:
            started = time.monotonic()
            try:
                reply = loaded.answer(
                    f"{system}\n\n{user}" if system else user,
                    shape,
                    max_new_tokens=self._max_new_tokens,
                    max_seconds=self.timeout_seconds,
                )
            except AgentvidError:
                raise
            except Exception as error:  # memory, templates and tokenizers have no common base
                raise ModelError(
                    f"the {_KIND} {self.name!r} failed: {without_secrets(f'{type(error).__name__}: {error}')}",
                    hint="choose a smaller model",
                ) from error
        if time.monotonic() - started >= self.timeout_seconds:
            raise ModelError(
                f"the {_KIND} {self.name!r} was not done within {self.timeout_seconds:g} s",
                hint="raise model_timeout_seconds, or choose a smaller model",
            )
        if not reply.text:
            raise ModelError(f"the {_KIND} {self.name!r} gave an empty reply", hint="choose another model")
        return reply


@dataclass(frozen=True)
class _Loaded:
    """A model that is loaded once for a process; threads take turns."""

    name: str
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel
    using: threading.Lock

    def answer(self, prompt: str, shape: Shape | None, *, max_new_tokens: int, max_seconds: float) -> Reply:
        import torch

        inputs = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": encodable(prompt)}],
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
            sanitize_control_tokens=True,
            enable_thinking=False,
        ).to(self.model.device)
        length = inputs["input_ids"].shape[1]
        longest = getattr(self.model.config, "max_position_embeddings", None) or length + max_new_tokens
        if length + max_new_tokens > longest:
            raise ModelError(
                f"the prompt has {length} tokens; {self.name!r} reads {longest}, {max_new_tokens} of reply included",
                hint="choose a model with a longer context",
            )
        constraint = self._constraint(shape, length, max_new_tokens) if shape else None
        with torch.inference_mode():
            tokens = self.model.generate(
                **inputs,
                max_new_tokens=max_new_tokens,
                max_time=max_seconds,
                do_sample=False,
                eos_token_id=self._ends,
                pad_token_id=self._ends[0],
                logits_processor=[constraint] if constraint else [],
            )[0, length:]
        text = self.tokenizer.decode(tokens, skip_special_tokens=True)
        note = "" if not shape else constraint.note if constraint else _UNCONSTRAINED
        return Reply(encodable(text).strip(), length, len(tokens), note)

    def _constraint(self, shape: Shape, length: int, max_new_tokens: int) -> _Constraint | None:
        try:
            from llguidance import LLMatcher, LLParserLimits
        except ImportError:
            return None
        matcher = LLMatcher(
            self.grammar_tokenizer,
            LLMatcher.grammar_from_lark(shape.grammar),
            limits=LLParserLimits(step_max_items=1_000_000),
        )
        closing = max(max_new_tokens - _CLOSING_TOKENS, max_new_tokens // 2)
        return _Constraint(matcher, self.grammar_tokenizer, self._ends, length, closing)

    @cached_property
    def grammar_tokenizer(self) -> LLTokenizer:
        from llguidance.hf import from_tokenizer

        rows = self.model.get_output_embeddings().weight.shape[0]
        return from_tokenizer(self.tokenizer, n_vocab=rows, eos_token=self._ends)

    @cached_property
    def _ends(self) -> list[int]:
        """The tokens that end a reply; chat models have several."""
        ends = self.model.generation_config.eos_token_id
        found = list(ends) if isinstance(ends, list) else [ends]
        return [end for end in dict.fromkeys([*found, self.tokenizer.eos_token_id]) if end is not None]


class _Constraint:
    """Leaves the tokens that the grammar allows; transformers calls it with what is written and the next scores."""

    def __init__(
        self, matcher: LLMatcher, tokenizer: LLTokenizer, ends: Sequence[int], length: int, closing: int
    ) -> None:
        self.note = ""
        self._matcher, self._tokenizer = matcher, tokenizer
        self._ends, self._length, self._closing = ends, length, closing
        self._read = 0

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """(1, tokens), (1, vocabulary) -> (1, vocabulary), minus infinity for what is not allowed."""
        written = input_ids[0, self._length :].tolist()
        self._matcher.consume_tokens(written[self._read :])
        self._read = len(written)
        mask = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        if self._matcher.is_error():
            self.note = f"the grammar could not hold the reply: {self._matcher.get_error():.200}"
            return scores
        allowed = np.unpackbits(mask, bitorder="little", count=scores.shape[-1]).astype(bool)
        if len(written) >= self._closing and (closers := self._closers(written, allowed)):
            allowed[:] = False
            allowed[closers[0]] = True
        import torch

        return scores.masked_fill(~torch.from_numpy(allowed).to(scores.device), -torch.inf)

    def _closers(self, written: list[int], allowed: np.ndarray[Any, np.dtype[np.bool_]]) -> list[int]:
        """Allowed tokens that lead to the end, the shortest way first."""
        rest = _QUOTED.sub("", self._tokenizer.decode_str(written))
        opened = next((sign for sign in rest if sign in "\"'"), "")
        ways = [self._tokenizer.tokenize_str(text) for text in ([opened] if opened else _CLOSERS)]
        ends = [] if opened else list(self._ends)
        return [token for token in (*ends, *(way[0] for way in ways)) if allowed[token]]


@lru_cache(maxsize=2)
def _load(source: str, device: str | None) -> _Loaded:
    try:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    except ImportError as error:
        raise needs_transformers(_KIND, source, error) from None
    device = device or fastest_device(torch)
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
        dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
        model = load_whole((AutoModelForCausalLM,), source, dtype=dtype)
    except Exception as error:
        raise cannot_load(
            _KIND,
            source,
            error,
            holds="a whole transformers model of the kind text-generation",
            otherwise="choose another model",
        ) from error
    if not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            f"the {_KIND} {PREFIX + source!r} has no chat template, so it cannot be asked anything",
            hint=f"choose a model for chats, as {PREFIX}{_EXAMPLE}",
        )
    return _Loaded(PREFIX + source, tokenizer, without_sampling(model.to(device).eval()), threading.Lock())
