"""OpenAI Agents SDK: an agent with the tools of a library."""

from common import main

from agentvid import Library
from agentvid.adapters.openai_agents import tools


def answer(library: Library, question: str, model: str) -> str:
    from agents import Agent, Runner, set_default_openai_api, set_tracing_disabled

    set_tracing_disabled(True)  # else every run is sent to OpenAI
    set_default_openai_api("chat_completions")  # what other servers speak too
    agent = Agent("viewer", instructions="Cite videos and seconds.", model=model, tools=tools(library))
    return str(Runner.run_sync(agent, question).final_output)


if __name__ == "__main__":
    main(answer)
