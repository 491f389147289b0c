"""LangChain and LangGraph: an agent with the tools of a library."""

from common import main

from agentvid import Library
from agentvid.adapters.langchain import tools


def answer(library: Library, question: str, model: str) -> str:
    from langchain.agents import create_agent

    agent = create_agent(model, tools(library))
    result = agent.invoke({"messages": [{"role": "user", "content": question}]})
    return str(result["messages"][-1].text)


if __name__ == "__main__":
    main(answer, scripted_model="openai:gpt-4o-mini")
