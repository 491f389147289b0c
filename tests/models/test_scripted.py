"""The doubles that ship with agentvid: deterministic, offline, and honest about a script that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.errors import ModelError, UsageError
from agentvid.models import load_chat
from agentvid.models.base import Reply
from agentvid.models.scripted import HashEmbedder, Line, Prompt, ScriptedChat, WordReranker


@given(st.lists(st.text(st.characters(), max_size=60), max_size=5), st.integers(1, 96))
def test_every_text_has_a_unit_vector(texts: list[str], dimension: int) -> None:
    vectors = HashEmbedder(dimension).encode_document(texts)
    assert vectors.shape == (len(texts), dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_shared_words_bring_texts_nearer() -> None:
    embedder = HashEmbedder()
    documents = embedder.encode_document(["a cat sleeps on the sofa", "rain falls on the town", "THE CAT!"])
    cosines = documents @ embedder.encode_query(["the cat"])[0]
    assert cosines[2] == pytest.approx(1.0)
    assert cosines[0] > cosines[1]


def test_relevance_is_the_share_of_the_words() -> None:
    relevance = WordReranker().relevance("The red boat", ["A RED boat, the boat!", "red", "", "boats"])
    assert relevance.tolist() == pytest.approx([1.0, 1 / 3, 0.0, 0.0])
    assert WordReranker().relevance("?!", ["red"]).tolist() == [0.0]
    assert WordReranker().relevance("red", []).shape == (0,)


def test_vectors_are_the_same_in_another_process() -> None:
    program = (
        "import sys; from agentvid.models.scripted import HashEmbedder\n"
        "sys.stdout.buffer.write(HashEmbedder().encode_query(['a red box']).tobytes())"
    )
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert other == HashEmbedder().encode_query(["a red box"]).tobytes()


def test_a_dimension_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match="dimension 0"):
        HashEmbedder(0)


def test_replies_come_in_order_and_prompts_are_kept() -> None:
    chat = ScriptedChat(["one", "two words"])
    assert chat.reply("be brief", "first?") == Reply("one", 3, 1)
    assert chat.reply("", "second?") == Reply("two words", 1, 2)
    assert chat.calls == [Prompt("be brief", "first?"), Prompt("", "second?")]


def test_a_script_that_ends_is_an_error() -> None:
    chat = ScriptedChat(["one"])
    chat.reply("", "x")
    with pytest.raises(ModelError, match="call 2 has no reply; 0 of 1 lines unused"):
        chat.reply("", "x")


def test_a_reply_waits_for_its_prompt() -> None:
    chat = ScriptedChat([Line("for dogs", when="dog"), "for anything", Line("never", when="whale")])
    assert [chat.reply("", text).text for text in ("a cat", "a dog")] == ["for anything", "for dogs"]
    with pytest.raises(ModelError, match="1 of 3 lines unused"):
        chat.reply("", "a cat")


def test_a_function_is_a_script() -> None:
    assert ScriptedChat(lambda system, user: f"{system}/{user}").reply("a", "b").text == "a/b"


def test_a_script_file_by_name(tmp_path: Path) -> None:
    script = tmp_path / "script.yaml"
    script.write_text("- plain\n- reply: |\n    two\n    lines\n  when: launch\n", "utf-8")
    chat = load_chat(f"scripted:{script}", 1)
    assert chat.name == f"scripted:{script}"
    assert [chat.reply("", text).text for text in ("the launch", "the launch")] == ["plain", "two\nlines\n"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "not a list"),
        ("a: b", "not a list"),
        ("- [", "cannot be read"),
        ("- 7", "reply 1: 7 is not a reply"),
        ("- ok\n- {when: x}", "reply 2"),
        ("- {reply: 7}", "reply 1"),
        ("- {reply: x, wenn: y}", "reply 1"),
        ("- !!python/object/apply:os.system ['echo']", "cannot be read"),
    ],
)
def test_a_bad_script_file_is_named_with_its_place(tmp_path: Path, content: str | None, message: str) -> None:
    script = tmp_path / "script.yaml"
    if content is not None:
        script.write_text(content, "utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        load_chat(f"scripted:{script}", 1)
    assert str(script) in str(caught.value)
    assert "\n" not in str(caught.value)
