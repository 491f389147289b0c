"""Any cross-encoder reranks hits: probabilities, one line per error, safetensors only. The model is trained here.

It learns in seconds what word statistics cannot tell: whether a thing is named in a text, or is denied there.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from agentvid import Library
from agentvid.config import load_settings
from agentvid.errors import ModelError, UsageError
from agentvid.models import load_reranker
from agentvid.models.cross_encoder import CrossEncoderReranker
from tests.commands import agentvid

THINGS = "boat crane bridge lamp train river barge bell".split()
OTHERS = "a the in there is comes stands old slowly today".split()
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "no", *THINGS, *OTHERS]
STEPS, PAIRS_A_STEP, LONGEST = 300, 64, 48


class Pair(NamedTuple):
    query: str
    text: str
    is_relevant: bool


def make_pair(chance: random.Random) -> Pair:
    """A thing and a text that names it, denies it ("no boat") or does not have the word."""
    thing, kind = chance.choice(THINGS), chance.choice(["named", "named", "denied", "absent"])
    words = chance.choices([*OTHERS, *(other for other in THINGS if other != thing)], k=chance.randint(1, 4))
    at = chance.randint(0, len(words))
    words[at:at] = {"named": [thing], "denied": ["no", thing], "absent": []}[kind]
    return Pair(thing, " ".join(words), kind == "named")


HELD_OUT = {make_pair(random.Random(f"held out {number}")) for number in range(400)}


def build(folder: Path, architecture: str, **settings: Any) -> tuple[Any, Any]:
    """(model, tokenizer) of two BERT layers with random weights; the tokenizer is saved already."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=LONGEST,
    )
    fast.save_pretrained(folder)
    torch.manual_seed(2)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=128,
        max_position_embeddings=LONGEST,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.15,
        **settings,
    )
    return getattr(transformers, architecture)(config), fast


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained cross-encoder, saved as most on the hub are: by transformers, without sentence-transformers' files."""
    import torch

    saved = tmp_path_factory.mktemp("reranker")
    model, tokenizer = build(saved, "BertForSequenceClassification", num_labels=1)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    chance = random.Random(2)
    for _ in range(STEPS):
        made = (make_pair(chance) for _ in range(PAIRS_A_STEP))
        queries, texts, labels = zip(*(pair for pair in made if pair not in HELD_OUT), strict=True)
        batch = tokenizer(list(queries), list(texts), padding=True, return_tensors="pt")
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            model(**batch).logits[:, 0], torch.tensor(labels, dtype=torch.float32)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    model.save_pretrained(saved)
    return saved


@pytest.fixture(scope="module")
def reranker(folder: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(str(folder), device="cpu")


def test_held_out_pairs_are_in_the_right_order(reranker: CrossEncoderReranker) -> None:
    right: list[bool] = []
    for thing in THINGS:
        pairs = sorted(pair for pair in HELD_OUT if pair.query == thing)
        relevance = reranker.relevance(thing, [pair.text for pair in pairs])
        is_relevant = np.array([pair.is_relevant for pair in pairs])
        right += (relevance[is_relevant][:, None] > relevance[~is_relevant]).ravel().tolist()
    assert len(right) > 1000
    assert np.mean(right) >= 0.95


def test_one_probability_for_each_text_in_its_order(reranker: CrossEncoderReranker, folder: Path) -> None:
    texts = ["the boat comes", "", "no boat today", "a lamp", "неизвестно 红 ?!", "boat " * 30]
    relevance = reranker.relevance("boat", texts)
    assert reranker.name == str(folder)
    assert relevance.shape == (6,)
    assert relevance.dtype == np.float64
    assert ((relevance >= 0) & (relevance <= 1)).all()
    assert relevance[0] > 0.5 > relevance[2]
    alone = [float(reranker.relevance("boat", [text])[0]) for text in texts]
    assert relevance == pytest.approx(alone, abs=1e-5)


def test_no_text_at_all_loads_no_model(tmp_path: Path) -> None:
    assert CrossEncoderReranker(str(tmp_path)).relevance("boat", []).shape == (0,)


def test_a_long_text_is_cut_where_the_model_ends(reranker: CrossEncoderReranker) -> None:
    beginning = "the boat comes in " * LONGEST
    one, other = reranker.relevance("boat", [beginning + "no " * 5000, beginning + "lamp " * 9000])
    assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.parametrize("text", ["caf\udce9", "\ud800", "\0", "https://example.org/boat.png", "data:image/png,x"])
def test_any_text_is_only_a_text(reranker: CrossEncoderReranker, text: str) -> None:
    assert np.isfinite(reranker.relevance("boat", [text])).all()
    assert np.isfinite(reranker.relevance(text, ["a boat", text])).all()


def test_threads_share_one_model(folder: Path) -> None:
    shared = CrossEncoderReranker(str(folder), device="cpu")
    texts = [" ".join([thing] * length) for thing in THINGS for length in (1, 7, 60)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda thing: shared.relevance(thing, texts), THINGS * 2))
    for thing, relevance in zip(THINGS * 2, together, strict=True):
        assert relevance == pytest.approx(shared.relevance(thing, texts), abs=1e-5)


def test_a_model_saved_by_sentence_transformers_gives_the_same(
    reranker: CrossEncoderReranker, folder: Path, tmp_path: Path
) -> None:
    import torch
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(str(folder), device="cpu", activation_fn=torch.nn.Identity())
    model.save_pretrained(str(tmp_path))
    texts = sorted(pair.text for pair in HELD_OUT)[:20]
    saved = CrossEncoderReranker(str(tmp_path), device="cpu").relevance("bell", texts)
    assert saved == pytest.approx(reranker.relevance("bell", texts), abs=1e-5)
    log_odds = model.predict([("bell", text) for text in texts])  # what would come without the sigmoid
    assert saved == pytest.approx(1 / (1 + np.exp(-log_odds)), abs=1e-5)


# -- models that cannot be used -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "  "])
def test_no_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="the reranker has no name"):
        load_reranker(name)


@pytest.mark.parametrize("name", ["./missing/model", "/missing/model", "~/missing-model-of-agentvid"])
def test_a_path_that_is_no_folder_is_refused_at_once(name: str) -> None:
    with pytest.raises(UsageError, match=r"the reranker .* is not a folder"):
        load_reranker(name)


def pickled(folder: Path) -> None:
    import torch

    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")


def cut(name: str) -> Callable[[Path], None]:
    return lambda folder: os.truncate(folder / name, 100)


DAMAGE: dict[str, Callable[[Path], None]] = {
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "half of the weights": lambda folder: os.truncate(folder / "model.safetensors", 50_000),
    "empty weights": lambda folder: os.truncate(folder / "model.safetensors", 0),
    "pickled weights": pickled,
    "no config": lambda folder: (folder / "config.json").unlink(),
    "half a config": cut("config.json"),
    "half a tokenizer": cut("tokenizer.json"),
    "no tokenizer": lambda folder: (folder / "tokenizer.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_an_incomplete_folder_is_one_line_with_a_way_out(folder: Path, tmp_path: Path, damage: str) -> None:
    copy = tmp_path / "model"
    shutil.copytree(folder, copy)
    DAMAGE[damage](copy)
    refused(copy, "cannot be loaded: .", "safetensors weights")


def refused(folder: Path, message: str, hint: str = "cross-encoder for ranking texts") -> None:
    with pytest.raises(ModelError, match=message) as caught:
        load_reranker(str(folder)).relevance("boat", ["a boat"])
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert hint in caught.value.hint


def test_a_classifier_of_two_labels_is_refused(tmp_path: Path) -> None:
    build(tmp_path, "BertForSequenceClassification", num_labels=2)[0].save_pretrained(tmp_path)
    refused(tmp_path, "gives 2 numbers for each text; needed: 1")


@pytest.mark.parametrize("architecture", ["BertModel", "BertForMaskedLM"])
def test_a_model_of_another_kind_is_refused(tmp_path: Path, architecture: str) -> None:
    """Loading would put a random layer on it, and search would be shuffled."""
    build(tmp_path, architecture)[0].save_pretrained(tmp_path)
    refused(tmp_path, "was not trained to compare a query with a text")


def test_values_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    model, _ = build(tmp_path, "BertForSequenceClassification", num_labels=1)
    model.classifier.bias.data.fill_(float("nan"))
    model.save_pretrained(tmp_path)
    refused(tmp_path, "no numbers")


def test_code_inside_a_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    copy, marker = tmp_path / "model", tmp_path / "ran"
    shutil.copytree(folder, copy)
    (copy / "trap.py").write_text(f"open({str(marker)!r}, 'w').close()\nclass Trap: ...\n", "utf-8")
    config = copy / "config.json"
    mapped = {**json.loads(config.read_text("utf-8")), "model_type": "trap", "auto_map": {"AutoConfig": "trap.Trap"}}
    config.write_text(json.dumps(mapped), "utf-8")
    refused(copy, "cannot be loaded", "no code of its own")
    assert not marker.exists()


def test_nothing_heavy_is_imported_before_the_first_text(folder: Path) -> None:
    program = (
        "import sys\nfrom agentvid.models import load_reranker\n"
        "assert len(load_reranker(sys.argv[1]).relevance('boat', [])) == 0\n"
        "heavy = {'torch', 'transformers', 'sentence_transformers'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.slow
def test_a_hub_model_is_found_and_a_missing_one_is_one_line(folder: Path, tmp_path: Path) -> None:
    """Offline, on a real hub cache: what `hf download` leaves behind."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = tmp_path / "hub" / "models--cross-encoder--tiny"
    shutil.copytree(folder, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit, "utf-8")
    program = (
        "import sys\nfrom agentvid.errors import ModelError\nfrom agentvid.models import load_reranker\n"
        "named, denied = load_reranker('tiny').relevance('boat', ['the boat comes', 'no boat today'])\n"
        "assert named > denied\n"
        "try: load_reranker('no-such-model').relevance('boat', ['a boat'])\n"
        "except ModelError as error: sys.stdout.write(f'{error}\\n{error.hint}')"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    message, hint = done.stdout.split("\n")
    assert message.startswith("the reranker 'no-such-model' cannot be loaded: ")
    assert "hf download cross-encoder/no-such-model" in hint


# -- in a library ---------------------------------------------------------------------------------------------------

#: The plain order trusts words: it prefers the rows that deny the boat.
ROWS = [
    ("harbour", 0, "no boat comes"),
    ("harbour", 20, "no boat today"),
    ("harbour", 40, "the crane stands there"),
    ("harbour", 60, "the old boat comes in"),
    ("station", 0, "no boat there"),
    ("station", 20, "the train is slowly in there"),
]
RIGHT = "the old boat comes in"


def write_rows(file: Path) -> Path:
    lines = [
        {"video": video, "duration": 80, "track": "caption", "start": start, "end": start + 5, "text": text}
        for video, start, text in ROWS
    ]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return file


def test_the_right_hit_comes_first(folder: Path, reranker: CrossEncoderReranker, tmp_path: Path) -> None:
    by_words = load_settings({"embed": False}).settings
    with Library.open(tmp_path / "films", settings=by_words) as library:
        library.import_file(write_rows(tmp_path / "rows.jsonl"))
        plain = [hit.moment for hit in library.search("boat", k=10)]
    assert plain[0].text.startswith("no boat")
    assert RIGHT in [moment.text for moment in plain[1:]]
    with_reranker = load_settings({"embed": False, "reranker": str(folder)}).settings
    with Library.open(tmp_path / "films", settings=with_reranker) as library:
        hits = [hit.moment for hit in library.search("boat", k=10)]
        (first,) = library.search("boat", k=1)
    assert hits[0].text == first.moment.text == RIGHT
    gains = {(moment.video_id, moment.span): moment.score for moment in plain}
    expected = reranker.relevance("boat", [moment.text for moment in hits])
    for hit, relevance in zip(hits, expected, strict=True):
        assert hit.score == pytest.approx(gains[hit.video_id, hit.span] * relevance, rel=1e-3, abs=1e-9)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)


def test_on_the_command_line(folder: Path, tmp_path: Path) -> None:
    assert agentvid("import", str(write_rows(tmp_path / "rows.jsonl")))[0] == 0
    code, out, _ = agentvid("search", "boat", "--json", "--reranker", str(folder))
    assert (code, json.loads(out)["hits"][0]["text"]) == (0, RIGHT)
    code, out, err = agentvid("search", "boat", "--json", "--explain", "--reranker", str(folder))
    assert code == 0
    assert json.loads(out)["hits"][0]["text"].startswith("no boat")
    assert "--explain shows the hits before reranking" in err
    assert "rerank" not in agentvid("search", "boat", "--explain")[2]

    query = {"query": "boat", "video": "harbour", "start": 60, "end": 65}
    (tmp_path / "queries.jsonl").write_text(json.dumps(query), "utf-8")
    evaluate = ("eval", "retrieval", str(tmp_path / "queries.jsonl"), "--channel", "fused", "--json")
    plain, reranked = (
        json.loads(agentvid(*evaluate, *flags)[1])["results"][0]["metrics"]["R@1/0.7"]
        for flags in ((), ("--reranker", str(folder)))
    )
    assert (plain, reranked) == (0, 1)
    assert json.loads(agentvid("ask", "When is the boat shown?", "--json", "--reranker", str(folder))[1])["claims"]


def test_a_wrong_reranker_is_one_line_and_only_where_it_is_used(tmp_path: Path) -> None:
    assert agentvid("import", str(write_rows(tmp_path / "rows.jsonl")))[0] == 0
    os.environ["AGENTVID_RERANKER"] = "./nowhere"
    assert agentvid("ls")[0] == 0
    code, out, err = agentvid("search", "boat")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert "the reranker './nowhere' is not a folder" in err
