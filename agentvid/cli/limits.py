"""The flags of `ask` that limit what one question may use; each is the setting of the same name."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def _limit(name: str, metavar: str, help_: str) -> Any:
    return typer.Option(f"--max-{name}", metavar=metavar, help=help_, show_default=False)


MaxSteps = Annotated[int | None, _limit("steps", "N", "Run at most N lines of programs.")]
MaxToolCalls = Annotated[int | None, _limit("tool-calls", "N", "Call tools at most N times.")]
MaxLlmCalls = Annotated[int | None, _limit("llm-calls", "N", "Ask the LLM at most N times.")]
MaxTokens = Annotated[int | None, _limit("tokens", "N", "Let the LLM read and write at most N tokens.")]
MaxMoney = Annotated[float | None, _limit("money", "X", "Spend at most X; needs the setting prices.")]
MaxFrames = Annotated[int | None, _limit("frames", "N", "Decode at most N frames.")]
MaxSeconds = Annotated[float | None, _limit("seconds", "S", "Stop after S seconds.")]
