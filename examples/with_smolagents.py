"""smolagents: an agent with the tools of a library. CodeAgent takes them as well."""

from common import main

from agentvid import Library
from agentvid.adapters.smolagents import show_frames, tools


def answer(library: Library, question: str, model: str) -> str:
    from smolagents import OpenAIModel, ToolCallingAgent

    agent = ToolCallingAgent(tools=tools(library), model=OpenAIModel(model), step_callbacks=[show_frames])
    return str(agent.run(question))


if __name__ == "__main__":
    main(answer)
