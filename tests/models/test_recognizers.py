"""Every recogniser by its name, over tiny models made here, a real server on loopback, and a plug-in."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentvid.errors import MissingDependency, ModelError, UsageError
from agentvid.models.base import Recognizer, Samples
from agentvid.models.onnx_graph import FLOAT, INT64, Graph
from agentvid.models.recognizers import RECOGNIZERS, check_recognizer, decisive_name, load_recognizer
from agentvid.models.spoken import shared_out, words_of_tokens

RATE = 16_000


def noise(seconds: float) -> Samples:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def save_whisper(folder: Path) -> Path:
    """A random Whisper of two layers with a tokenizer of its own: special tokens where Whisper has them."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer
    from transformers.models.whisper.tokenization_whisper import LANGUAGES

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    text = ["the harbour bridge rises with the tide and the mill turns", "good morning from the harbour office"]
    bpe.train_from_iterator(
        text, trainers.BpeTrainer(vocab_size=300, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    )
    languages = [f"<|{code}|>" for code in list(LANGUAGES)[:2]]
    special = ["<|endoftext|>", "<|startoftranscript|>", *languages, "<|translate|>", "<|transcribe|>"]
    special += ["<|startoflm|>", "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]
    special += [f"<|{index * 0.02:.2f}|>" for index in range(1501)]
    model = json.loads(bpe.to_str())["model"]
    vocabulary = {**model["vocab"]}
    vocabulary.update({token: len(vocabulary) + index for index, token in enumerate(special)})
    tokenizer = WhisperTokenizer(
        vocab=vocabulary,
        merges=[tuple(pair) for pair in model["merges"]],
        language="en",
        task="transcribe",
        additional_special_tokens=special[1:9],
    )
    tokenizer.save_pretrained(folder)
    ids = tokenizer.convert_tokens_to_ids
    WhisperFeatureExtractor().save_pretrained(folder)
    torch.manual_seed(0)
    config = WhisperConfig(
        vocab_size=len(tokenizer), d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=32, decoder_ffn_dim=32, bos_token_id=ids("<|endoftext|>"),
        pad_token_id=ids("<|endoftext|>"), eos_token_id=ids("<|endoftext|>"),
        decoder_start_token_id=ids("<|startoftranscript|>"),
    )  # fmt: skip
    whisper = WhisperForConditionalGeneration(config)
    settings = whisper.generation_config
    settings._from_model_config = False  # else what is set here is left behind when it is saved
    settings.is_multilingual = True
    settings.lang_to_id = {code: ids(code) for code in languages}
    settings.task_to_id = {task: ids(f"<|{task}|>") for task in ("translate", "transcribe")}
    settings.no_timestamps_token_id = ids("<|notimestamps|>")
    settings.prev_sot_token_id = ids("<|startofprev|>")
    settings.max_initial_timestamp_index = 50
    settings.max_length = 60
    settings.alignment_heads = [[0, 0]]
    whisper.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper"))


@pytest.fixture(scope="module")
def converted(whisper: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same Whisper, in the form of CTranslate2, by its own converter."""
    pytest.importorskip("faster_whisper")
    from ctranslate2.converters import TransformersConverter

    folder = tmp_path_factory.mktemp("converted") / "whisper"
    TransformersConverter(str(whisper), copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(str(folder))
    return folder


def check_contract(recognizer: Recognizer) -> None:
    """Words lie inside the window, in order, wherever it begins; the same sound gives the same words."""
    samples = noise(3.0)
    heard = recognizer.recognize(samples, 100.0)
    for word in heard.words:
        assert word.text.strip()
        assert 100.0 <= word.start_seconds <= word.end_seconds <= 103.0 + 0.1
        assert 0.0 <= word.confidence <= 1.0
    again = recognizer.recognize(samples, 0.0)
    assert [word.text for word in again.words] == [word.text for word in heard.words]
    assert recognizer.revision
    json.dumps(recognizer.parameters)
    for wrong in (np.zeros(0, np.float32), np.zeros((2, 16_000), np.float32), np.zeros(31 * RATE, np.float32)):
        with pytest.raises(UsageError, match="sound of shape"):
            recognizer.recognize(wrong, 0.0)


def test_whisper_of_transformers(whisper: Path) -> None:
    recognizer = load_recognizer(f"hf:{whisper}")
    assert recognizer.name == f"hf:{whisper}"
    check_contract(recognizer)


def test_whisper_of_faster_whisper(converted: Path) -> None:
    recognizer = load_recognizer(f"faster-whisper:{converted}")
    check_contract(recognizer)


def test_pocketsphinx_with_the_model_of_its_wheel() -> None:
    pytest.importorskip("pocketsphinx")
    check_contract(load_recognizer("pocketsphinx:en-us"))
    with pytest.raises(UsageError, match="pocketsphinx has no model 'de'; allowed: en-us"):
        load_recognizer("pocketsphinx:de")


def save_conformer(folder: Path) -> Path:
    """A NeMo CTC model in its ONNX form: its "logits" are the six lowest bands of every eighth frame."""
    graph = Graph("conformer")
    sound = graph.input("audio_signal", FLOAT, ["batch", 80, "frames"])
    graph.input("length", INT64, ["batch"])
    frames = graph.add("Transpose", sound, perm=[0, 2, 1])
    borders = [("start", [0, 0]), ("end", [2**31, 6]), ("axes", [1, 2]), ("step", [8, 1])]
    graph.add("Slice", frames, *(graph.constant(name, values) for name, values in borders), name="logprobs")
    graph.output("logprobs", FLOAT, ["batch", "steps", 6])
    (folder / "model.onnx").write_bytes(graph.to_bytes())
    tokens = ("▁the", "▁har", "bour", "▁bridge", ".", "<blk>")
    (folder / "vocab.txt").write_text("".join(f"{token} {index}\n" for index, token in enumerate(tokens)))
    (folder / "config.json").write_text('{"model_type": "nemo-conformer-ctc"}')
    return folder


def test_a_conformer_of_onnx_asr(tmp_path: Path) -> None:
    pytest.importorskip("onnx_asr")
    recognizer = load_recognizer(f"onnx-asr:nemo-conformer-ctc@{save_conformer(tmp_path)}")
    check_contract(recognizer)
    words = recognizer.recognize(noise(3.0), 60.0).words
    assert len(words) > 3
    assert [word.start_seconds for word in words] == sorted(word.start_seconds for word in words)
    assert {word.text[0] for word in words[1:]} == {" "}


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("hf:/no/such/folder", "is not a folder", "existing folder"),
        ("faster-whisper:/no/such/folder", "is not a folder", "existing folder"),
        ("onnx-asr:whisper@/no/such/folder", "is not a folder", "existing folder"),
        ("whisper", "no speech recogniser is called 'whisper'; allowed: faster-whisper:MODEL", "faster-whisper:small"),
        ("hf:", "no speech recogniser is called 'hf:'", "for example"),
        ("scripted:/no/such/file", "is no script of a recogniser", '"words"'),
    ],
)
def test_a_wrong_name_is_one_line(name: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_recognizer(name)
    assert message in str(caught.value)
    assert hint in caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("kind", ["hf:", "faster-whisper:", "onnx-asr:whisper@"])
@pytest.mark.parametrize("damage", ["empty", "weights gone", "weights cut"])
def test_half_a_model_is_one_line(kind: str, damage: str, whisper: Path, converted: Path, tmp_path: Path) -> None:
    source = converted if kind.startswith("faster") else whisper
    for path in source.iterdir() if damage != "empty" else ():
        data = path.read_bytes()
        if path.suffix in (".safetensors", ".bin"):
            if damage == "weights gone":
                continue
            data = data[: len(data) // 2]
        (tmp_path / path.name).write_bytes(data)
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load_recognizer(f"{kind}{tmp_path}")
    assert caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"


def test_a_model_of_another_kind_is_one_line(tmp_path: Path) -> None:
    from transformers import ASTConfig, ASTModel

    ASTModel(ASTConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)).save_pretrained(
        tmp_path
    )
    with pytest.raises(ModelError, match="kind audio-spectrogram-transformer, which cannot do this"):
        load_recognizer(f"hf:{tmp_path}")


def test_a_package_that_is_not_there_is_named_with_its_command() -> None:
    code = (
        "import sys; sys.modules['faster_whisper'] = None\n"
        "import importlib.util\n"
        "from agentvid.models.faster_whisper import FasterWhisper\n"
        "from agentvid.errors import MissingDependency\n"
        "try: FasterWhisper('small')\n"
        "except MissingDependency as error: print(error, error.hint)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'pip install "agentvid[asr]"' in found


def test_what_decides_a_local_model_changes_with_its_files(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"1")
    before = decisive_name(f"faster-whisper:{tmp_path}")
    assert before == decisive_name(f"faster-whisper:{tmp_path}")
    (tmp_path / "model.bin").write_bytes(b"12")
    assert before != decisive_name(f"faster-whisper:{tmp_path}")


# -- a server ----------------------------------------------------------------------------------------------------


@contextmanager
def server(answer: Callable[[Samples, dict[str, str]], tuple[int, Any]]) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A transcription server on loopback that reads real multipart requests; (base URL, the fields it was sent)."""
    requests: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            fields, samples = _multipart(body, self.headers["Content-Type"])
            requests.append({**fields, "path": self.path, "authorization": self.headers["Authorization"]})
            status, reply = answer(samples, fields)
            data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}/v1", requests
        finally:
            http.shutdown()
            thread.join()


def _multipart(body: bytes, content_type: str) -> tuple[dict[str, str], Samples]:
    boundary = content_type.partition("boundary=")[2].encode()
    fields: dict[str, str] = {}
    samples: Samples = np.zeros(0, np.float32)
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, data = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        assert name
        if name[1] == b"file":
            with wave.open(io.BytesIO(data)) as sound:
                assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (RATE, 1, 2)
                samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").astype(np.float32) / np.float32(
                    32767
                )
        else:
            fields[name[1].decode()] = data.decode()
    return fields, samples


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Recognizer]:
    def load(url: str) -> Recognizer:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
        return load_recognizer("openai:whisper-1")

    pytest.importorskip("openai")
    return load


def test_a_server_is_sent_the_window_and_its_words_get_the_videos_times(
    remote: Callable[[str], Recognizer],
) -> None:
    sent: list[Samples] = []

    def answer(samples: Samples, fields: dict[str, str]) -> tuple[int, Any]:
        sent.append(samples)
        words = [{"word": "Good", "start": 0.5, "end": 0.8}, {"word": "morning.", "start": 0.9, "end": 1.4}]
        return 200, {"text": "Good morning.", "language": "english", "duration": 3.0, "words": words}

    with server(answer) as (url, requests):
        recognizer = remote(url)
        check_contract(recognizer)
        heard = recognizer.recognize(noise(3.0), 60.0)
    assert [(word.text, word.start_seconds, word.end_seconds) for word in heard.words] == [
        (" Good", 60.5, 60.8),
        (" morning.", 60.9, 61.4),
    ]
    assert heard.language == "en"
    assert np.max(np.abs(sent[0] - noise(3.0))) < 1e-4
    assert requests[0]["path"] == "/v1/audio/transcriptions"
    assert requests[0]["authorization"] == "Bearer sk-test-0123456789"
    assert requests[0]["model"] == "whisper-1"


def test_a_server_that_tells_phrases_or_a_text_alone(remote: Callable[[str], Recognizer]) -> None:
    def phrases(samples: Samples, fields: dict[str, str]) -> tuple[int, Any]:
        segment = {"id": 0, "start": 1.0, "end": 2.0, "text": " ab cd"}
        return 200, {"text": "ab cd", "language": "de", "duration": 3.0, "segments": [segment]}

    with server(phrases) as (url, _):
        heard = remote(url).recognize(noise(3.0), 10.0)
    assert [(word.text, word.start_seconds) for word in heard.words] == [(" ab", 11.0), (" cd", 11.5)]

    def text(samples: Samples, fields: dict[str, str]) -> tuple[int, Any]:
        if fields["response_format"] == "verbose_json":
            return 400, {"error": {"message": "response_format 'verbose_json' is not compatible", "type": "x"}}
        return 200, {"text": "ab cd"}

    with server(text) as (url, requests):
        recognizer = remote(url)
        first = recognizer.recognize(noise(4.0), 0.0)
        assert recognizer.recognize(noise(4.0), 0.0) == first
    assert [(word.text, word.start_seconds) for word in first.words] == [(" ab", 0.0), (" cd", 2.0)]
    assert len(requests) == 3  # the second window does not try again what the first was refused


@pytest.mark.parametrize(
    ("status", "reply", "message"),
    [
        (401, {"error": {"message": "bad key sk-test-0123456789"}}, r"refused the key \(HTTP 401\)"),
        (404, {"error": {"message": "no such model"}}, "no such model or address"),
        (413, b"too large", r"HTTP 413"),
        (200, b"<html>", "could not be read"),
    ],
)
def test_a_server_that_fails_is_one_line_without_the_key(
    remote: Callable[[str], Recognizer], status: int, reply: Any, message: str
) -> None:
    with server(lambda samples, fields: (status, reply)) as (url, _):
        recognizer = remote(url)
        with pytest.raises(ModelError, match=message) as caught:
            recognizer.recognize(noise(1.0), 0.0)
    assert "0123456789" not in f"{caught.value}{caught.value.hint}"
    assert caught.value.hint


def test_a_server_that_is_not_there(remote: Callable[[str], Recognizer]) -> None:
    with server(lambda samples, fields: (200, {})) as (url, _):
        pass
    with pytest.raises(ModelError, match="the connection failed"):
        remote(url).recognize(noise(1.0), 0.0)


# -- plug-ins ----------------------------------------------------------------------------------------------------

PLUGIN = """
from agentvid.models.scripted_speech import ScriptedRecognizer

def make(model):
    if model == "broken":
        raise RuntimeError("no licence")
    return ScriptedRecognizer({440.0: model}, name=f"tones:{model}")
"""
PROGRAM = """
import sys
from agentvid.errors import AgentvidError
from agentvid.models.recognizers import load_recognizer
try:
    print(load_recognizer(sys.argv[1]).name)
except AgentvidError as error:
    print(f"{type(error).__name__}: {error} - {error.hint}")
"""


@pytest.mark.parametrize(
    ("name", "switch", "shown"),
    [
        ("tones:harbour", "on", "tones:harbour"),
        ("tones:broken", "on", "ModelError: the speech recogniser 'tones:broken' failed: RuntimeError: no licence"),
        ("tones:harbour", "off", "UsageError: no speech recogniser is called 'tones:harbour'"),
        ("nothing:x", "on", "tones:MODEL"),
    ],
)
def test_an_installed_package_adds_a_kind(tmp_path: Path, name: str, switch: str, shown: str) -> None:
    (tmp_path / "tones_plugin.py").write_text(PLUGIN)
    info = tmp_path / "tones_plugin-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tones_plugin\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[agentvid.recognizers]\ntones = tones_plugin:make\n")
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path, "AGENTVID_PLUGINS": switch}
    command = [sys.executable, "-c", PROGRAM, name]
    assert shown in subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


# -- tokens ------------------------------------------------------------------------------------------------------


def test_pieces_become_words() -> None:
    words = list(words_of_tokens(["▁har", "bour", "▁bridge", "."], [0.2, 0.4, 1.0, 1.2], 5.0))
    assert [(word.text, word.start_seconds, word.end_seconds) for word in words] == [
        (" harbour", 0.2, 0.9),
        (" bridge.", 1.0, 1.7),
    ]
    assert list(words_of_tokens([], [], 1.0)) == []


def test_a_text_without_times_is_shared_out_by_characters() -> None:
    words = list(shared_out("ab abcd", 10.0, 18.0))
    assert [(word.start_seconds, word.end_seconds) for word in words] == [(10.0, 13.0), (13.0, 18.0)]
    assert list(shared_out("  ", 0.0, 1.0)) == []


@pytest.mark.parametrize("kind", sorted(RECOGNIZERS))
def test_every_kind_has_an_example_of_its_form(kind: str) -> None:
    *_, command, example = RECOGNIZERS[kind]
    assert not command or command.startswith("pip install")
    with suppress(MissingDependency):
        check_recognizer(f"{kind}:{example}")
