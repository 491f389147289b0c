"""Chat models of any provider through LangChain's `init_chat_model("provider:model")`.

One reply has one deadline: retries, waits and a server that sends a byte a second all end within it. Keys and addresses
come from the provider's own environment variables (OPENAI_API_KEY, OPENAI_BASE_URL...); no error shows a key.

A reply that should have a shape is asked for by the provider's own JSON schema mode, if LangChain's profile of the
model says that it has one. A provider that refuses it is asked again in plain text, and so for the rest of the run.
"""

from __future__ import annotations

import json
import math
import random
import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from agentvid.egress import OPEN, Outlet, host_of
from agentvid.errors import AgentvidError, MissingDependency, ModelError, UsageError
from agentvid.models.base import Reply, Shape, encodable
from agentvid.models.deadline import within
from agentvid.models.failures import Failure, describe, is_retryable, read_failure, without_own_keys

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

    from agentvid.types import Json

#: Provider -> the extra of agentvid that installs it.
EXTRAS = {"openai": "openai", "anthropic": "anthropic", "google_genai": "google", "ollama": "ollama"}
FORM = "openai:MODEL, anthropic:MODEL, google_genai:MODEL, ollama:MODEL, hf:MODEL or scripted:FILE"

#: auto: by the model's profile; on: for a server of your own, of which LangChain knows nothing.
StructuredOutput = Literal["auto", "on", "off"]

MAX_REPLY_CHARACTERS = 200_000
_ATTEMPTS = 4
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 60.0


class LangChainChat:
    """A chat model named "provider:model"; temperature 0 unless the model refuses that setting."""

    speaks = True

    def __init__(
        self,
        name: str,
        *,
        timeout_seconds: float = 60.0,
        structured_output: StructuredOutput = "auto",
        outlet: Outlet = OPEN,
    ) -> None:
        """Opens the client; nothing is sent yet, and every request passes through `outlet`.

        Raises UsageError for another form of name or what may not leave this machine,
        MissingDependency if the provider's package is absent,
        ModelError if the client cannot be opened (a key is missing).
        """
        provider, colon, model = name.partition(":")
        if not (provider and colon and model):
            raise UsageError(f"model {name!r} names no provider", hint=f"allowed: {FORM}")
        self._outlet, self._host = outlet, host_of(provider)
        outlet.check(name, self._host)
        self._name, self._provider, self._model = name, provider, model
        self._timeout_seconds = timeout_seconds
        self._client = self._open(temperature=0.0)
        profile = self._client.profile or {}
        self._takes_schema = structured_output == "on" or (
            structured_output == "auto" and bool(profile.get("structured_output"))
        )

    @property
    def name(self) -> str:
        return self._name

    @property
    def timeout_seconds(self) -> float:
        return self._timeout_seconds

    def reply(
        self, system: str, user: str, shape: Shape | None = None, *, tell: Callable[[str], None] | None = None
    ) -> Reply:
        """Answer within `timeout_seconds`, retries included; an empty `system` is left out.

        `tell` hears only what is not asked for by a schema. Raises ModelError naming the model, what went
        wrong and what helps.
        """
        return self.send(system, user, shape.schema if shape and self._takes_schema else None, tell=tell)

    def send(
        self,
        system: str,
        content: str | list[str | dict[Any, Any]],
        schema: Json | None = None,
        *,
        tell: Callable[[str], None] | None = None,
    ) -> Reply:
        """As `reply`; `content` may be a list of LangChain's content blocks, in which models get images."""
        from langchain_core.messages import HumanMessage, SystemMessage

        messages: list[BaseMessage] = [HumanMessage(content)]
        sent_bytes, kinds = _measured(system, content)
        if system:
            messages.insert(0, SystemMessage(system))
        deadline = time.monotonic() + self._timeout_seconds
        note = ""
        for attempt in range(_ATTEMPTS):
            self._outlet.send(self._name, self._host, sent_bytes=sent_bytes, content=kinds)
            try:
                message = within(deadline - time.monotonic(), lambda: self._invoke(messages, schema, tell))  # noqa: B023
                return replace(self._read(message), note=note or _departure(message, schema))
            except AgentvidError:
                raise
            except Exception as error:  # noqa: BLE001 - providers' errors have no common base; raised typed below
                failure = read_failure(error)
            tell = None  # words that were told cannot be taken back
            if failure.refuses_temperature:
                self._client = self._open(temperature=None)
                continue
            if schema is not None and failure.may_be_of_schema:
                note = f"the provider refused a JSON schema and was asked in plain text ({failure.message})"
                self._takes_schema, schema = False, None
                continue
            wait_seconds = _wait_seconds(attempt, failure)
            if not is_retryable(failure) or attempt + 1 == _ATTEMPTS or time.monotonic() + wait_seconds >= deadline:
                break
            time.sleep(wait_seconds)
        raise self._error(failure)

    def _invoke(
        self, messages: list[BaseMessage], schema: Json | None, tell: Callable[[str], None] | None
    ) -> AIMessage:
        if schema is None:
            return self._stream(messages, tell) if tell else self._client.invoke(messages)
        structured = self._client.with_structured_output(schema, method="json_schema", include_raw=True)
        # The text is read by who asked, as that of any other reply: tokens, cassettes and repairs stay the same.
        return structured.invoke(messages)["raw"]  # type: ignore[index,no-any-return]

    def _stream(self, messages: list[BaseMessage], tell: Callable[[str], None]) -> AIMessage:
        # OpenAI counts the tokens of a stream only if it is asked to.
        asked: dict[str, Any] = {"stream_usage": True} if "stream_usage" in type(self._client).model_fields else {}
        whole: AIMessageChunk | None = None
        for chunk in self._client.stream(messages, **asked):
            tell(encodable(chunk.text))
            whole = chunk if whole is None else whole + chunk
            if len(whole.text) > MAX_REPLY_CHARACTERS:
                break
        if whole is None:
            raise ModelError(f"model {self._name!r}: empty reply", hint="ask again, or choose another model")
        return whole

    def _open(self, temperature: float | None) -> BaseChatModel:
        """Retries are ours alone: a client that retried by itself would spend the deadline unseen."""
        try:
            from langchain.chat_models import init_chat_model
        except ImportError as error:
            raise self._missing(error) from None
        chosen = {} if temperature is None else {"temperature": temperature}
        try:
            client: BaseChatModel = init_chat_model(
                self._model, model_provider=self._provider, timeout=self._timeout_seconds, max_retries=0, **chosen
            )
            return client
        except ImportError as error:
            raise self._missing(error) from None
        except ValueError as error:
            if str(error).startswith("Unsupported provider"):
                known = str(error).rpartition(": ")[2]
                raise UsageError(
                    f"model {self._name!r}: no such provider; allowed: {known}", hint=f"as {FORM}"
                ) from None
            raise self._error(read_failure(error)) from None
        except Exception as error:  # noqa: BLE001 - not chained: the original could show a key
            raise self._error(read_failure(error)) from None

    def _missing(self, error: ImportError) -> MissingDependency:
        command = re.search(r"pip install [\w\[\].-]+", str(error))
        hint = f"{command[0]} langchain" if command else "pip install langchain"
        if self._provider in EXTRAS:
            hint = f'pip install "agentvid[{EXTRAS[self._provider]}]"'
        return MissingDependency(f"model {self._name!r} needs a package that is not installed", hint=hint)

    def _error(self, failure: Failure) -> ModelError:
        message, hint = describe(failure, self._provider, self._timeout_seconds)
        return ModelError(f"model {self._name!r}: {message}", hint=hint)

    def _read(self, message: AIMessage) -> Reply:
        text = message.text  # content may be a list of blocks; this joins the text ones
        if not text.strip():
            reason = message.response_metadata.get("finish_reason") or message.response_metadata.get("stop_reason")
            refusal = message.additional_kwargs.get("refusal")
            why = "refused" if refusal else f"empty reply (finish reason: {reason or 'not given'})"
            raise ModelError(f"model {self._name!r}: {why}", hint="ask in other words, or choose another model")
        # A longer text is no reply to anything asked here, and no encoder takes a lone surrogate. A server that echoes
        # the key must not have it written into traces and threads.
        kept = without_own_keys(encodable(text[:MAX_REPLY_CHARACTERS]))
        usage = message.usage_metadata
        return Reply(kept, _count(usage["input_tokens"]), _count(usage["output_tokens"])) if usage else Reply(kept)


def _measured(system: str, content: str | list[str | dict[Any, Any]]) -> tuple[int, str]:
    """(bytes, kinds) of what a request says and shows, without the protocol around it."""
    parts = [system, content] if isinstance(content, str) else [system, *content]
    texts = [part if isinstance(part, str) else part.get("text", "") for part in parts]
    images = [part["base64"] for part in parts if isinstance(part, dict) and "base64" in part]
    sent_bytes = sum(len(text.encode("utf-8", "replace")) for text in texts) + sum(len(one) * 3 // 4 for one in images)
    return sent_bytes, "text+frames" if images else "text"


def _departure(message: AIMessage, schema: Json | None) -> str:
    """What to note of a reply that a schema was asked for; "" if it is JSON."""
    if schema is None:
        return ""
    try:
        json.loads(message.text)
    except (ValueError, RecursionError):
        return "the reply is not the JSON that was asked for and was read as plain text"
    return ""


def _count(tokens: object) -> int:
    """As the provider counted; 0 for what is no count."""
    return int(tokens) if isinstance(tokens, int | float) and 0 <= tokens < math.inf else 0


def _wait_seconds(attempt: int, failure: Failure) -> float:
    """What the server asked for, else 0.5, 1, 2 s with up to a quarter less, so that clients do not come in step."""
    if failure.retry_after_seconds is not None:
        return failure.retry_after_seconds if failure.retry_after_seconds <= _LONGEST_WAIT_SECONDS else float("inf")
    return _FIRST_WAIT_SECONDS * (1 << attempt) * random.uniform(0.75, 1.0)
