"""LlamaIndex: an agent with the tools of a library. Its OpenAI class is the package llama-index-llms-openai."""

import asyncio

from common import main

from agentvid import Library
from agentvid.adapters.llamaindex import tools


def answer(library: Library, question: str, model: str) -> str:
    from llama_index.core.agent.workflow import FunctionAgent
    from llama_index.llms.openai import OpenAI

    agent = FunctionAgent(tools=tools(library), llm=OpenAI(model))

    async def run() -> str:
        return str(await agent.run(question))

    return asyncio.run(run())


if __name__ == "__main__":
    main(answer)
