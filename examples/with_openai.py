"""OpenAI's client, or any server that speaks its protocol: the loop of an agent in plain Python."""

from common import main

from agentvid import Library
from agentvid.adapters.openai import tools


def answer(library: Library, question: str, model: str) -> str:
    from openai import OpenAI

    client, toolbox = OpenAI(), tools(library)
    messages = [{"role": "user", "content": question}]
    while True:
        reply = client.chat.completions.create(model=model, messages=messages, tools=toolbox.chat).choices[0].message
        if not reply.tool_calls:
            return reply.content or ""
        messages += [reply, *toolbox.chat_messages(reply.tool_calls)]


if __name__ == "__main__":
    main(answer)
