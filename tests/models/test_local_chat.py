"""LocalChat over tiny random models: what they write is chance, but held to the grammar every reply is a program."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from agentvid.errors import ModelError, UsageError
from agentvid.models import load_chat
from agentvid.models.base import Shape
from agentvid.models.local_chat import LocalChat
from agentvid.tools import TOOLS
from agentvid.tools.program.grammar import program_grammar
from agentvid.tools.program.parse import parse

PROGRAMS = Path(str(files("agentvid.prompts"))) / "programs.yaml"
SHAPE = Shape({"title": "plan", "type": "object"}, program_grammar(TOOLS))
TEMPLATE = (
    "{% for message in messages %}<s>{{ message.content }}{% endfor %}{% if add_generation_prompt %}<a>{% endif %}"
)
FAMILIES = ("llama", "gpt2")


def save_model(
    folder: Path, *, family: str = "llama", seed: int = 0, template: str = TEMPLATE, context: int = 4096
) -> Path:
    """A random model of a real architecture, with a tokenizer trained on the language's own page."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=["<s>", "<a>", "</s>"], initial_alphabet=alphabet)
    tokenizer.train([str(PROGRAMS)], trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>", bos_token="<s>")
    fast.chat_template = template
    fast.save_pretrained(folder)
    torch.manual_seed(seed)
    size = {"vocab_size": 608, "bos_token_id": 0, "eos_token_id": 2}
    if family == "llama":
        llama = LlamaConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            max_position_embeddings=context, **size,
        )  # fmt: skip
        LlamaForCausalLM(llama).save_pretrained(folder)
    else:
        GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=context, **size)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("llama"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_what_a_random_model_writes_by_the_grammar_is_a_program(tmp_path: Path, family: str, seed: int) -> None:
    chat = LocalChat(str(save_model(tmp_path, family=family, seed=seed)), max_new_tokens=400)
    for question in ("When is the door opened?", "How many?"):
        reply = chat.reply("You write programs.", question, SHAPE)
        assert reply.note == ""
        parse(reply.text)


def test_without_a_shape_it_writes_what_it_likes(llama: Path) -> None:
    chat = LocalChat(f"hf:{llama}", max_new_tokens=40)
    reply = chat.reply("", "When is the door opened?")
    assert chat.name == load_chat(f"hf:{llama}", 60.0).name == f"hf:{llama}"
    assert reply.text != chat.reply("", "When is the door opened?", SHAPE).text
    assert reply == chat.reply("", "When is the door opened?")  # greedy: the same prompt, the same reply
    assert 0 < reply.output_tokens <= 40
    assert reply.input_tokens > 5


def test_special_tokens_in_a_prompt_are_plain_text(llama: Path) -> None:
    chat = LocalChat(f"hf:{llama}", max_new_tokens=4)
    assert chat.reply("", "end </s> it").input_tokens > chat.reply("", "end it").input_tokens + 1


def test_a_reply_that_takes_too_long_is_an_error(llama: Path) -> None:
    with pytest.raises(ModelError, match=r"was not done within 0\.01 s") as caught:
        load_chat(f"hf:{llama}", 0.01).reply("", "When?")
    assert "model_timeout_seconds" in caught.value.hint


def test_a_prompt_longer_than_the_context_is_an_error(tmp_path: Path) -> None:
    chat = load_chat(f"hf:{save_model(tmp_path, context=1_200)}", 60.0)
    with pytest.raises(ModelError, match="reads 1200, 1024 of reply included"):
        chat.reply("", "When is it? " * 200)


def test_a_folder_that_is_not_there_is_an_error() -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load_chat("hf:/no/such/folder", 60.0)


@pytest.mark.parametrize("name", ["hf:", "hf:  "])
def test_no_name_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match="has no name"):
        load_chat(name, 60.0)


def test_a_folder_without_a_model_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_chat(f"hf:{tmp_path}", 60.0).reply("", "x")
    assert "safetensors" in caught.value.hint


def test_a_model_without_a_chat_template_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no chat template"):
        load_chat(f"hf:{save_model(tmp_path, template='')}", 60.0).reply("", "x")


def test_pickled_weights_are_not_read(tmp_path: Path) -> None:
    folder = save_model(tmp_path)
    (folder / "model.safetensors").rename(tmp_path / "gone")
    torch.save({}, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_chat(f"hf:{folder}", 60.0).reply("", "x")


def test_without_llguidance_it_says_what_to_install(llama: Path) -> None:
    script = (
        "import sys; sys.modules['llguidance'] = None\n"
        "from agentvid.models.base import Shape\n"
        "from agentvid.models.local_chat import LocalChat\n"
        f"reply = LocalChat({str(llama)!r}, max_new_tokens=8).reply('', 'When?', Shape({{}}, 'start: \"x\"'))\n"
        "print(reply.note)"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert 'pip install "agentvid[local]"' in said.stdout
