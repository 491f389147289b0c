"""CrewAI: a crew of one with the tools of a library."""

import os

from common import main

from agentvid import Library
from agentvid.adapters.crewai import tools


def answer(library: Library, question: str, model: str) -> str:
    os.environ |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false"}  # read when it is imported
    from crewai import Agent

    viewer = Agent(role="viewer", goal="answer from videos", backstory="cites seconds", llm=model, tools=tools(library))
    return str(viewer.kickoff(question))


if __name__ == "__main__":
    main(answer, scripted_model="openai/gpt-4o-mini")
