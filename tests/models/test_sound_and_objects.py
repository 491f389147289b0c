"""Sound and object models by their production loaders, over tiny random ones of real architectures made here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from agentvid.cli.app import app
from agentvid.errors import ModelError, UsageError
from agentvid.media.render import Scene, render_video
from agentvid.models.object_detector import ObjectDetector
from agentvid.models.sound_classifier import SoundClassifier

Load = Callable[[str], object]
LABELS = ("glass breaking", "dog")


def save_ast(folder: Path) -> Path:
    """A random Audio Spectrogram Transformer that knows three sounds."""
    import torch
    from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification

    torch.manual_seed(0)
    names = {0: "Speech", 1: "Siren", 2: "Applause"}
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_length=256,
        num_mel_bins=32, id2label=names, label2id={name: index for index, name in names.items()},
    )  # fmt: skip
    ASTForAudioClassification(config).save_pretrained(folder)
    ASTFeatureExtractor(max_length=256, num_mel_bins=32).save_pretrained(folder)
    return folder


def save_tokenizer(folder: Path, length: int) -> int:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["<pad>", "<s>", "</s>", "<unk>"])
    words.train_from_iterator(["a photo of this is sound glass breaking dog red square car ."], trainer)
    words.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)])
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=length, **special).save_pretrained(folder)
    return words.get_vocab_size()


def save_clap(folder: Path) -> Path:
    """A random CLAP with both its towers."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

    torch.manual_seed(0)
    size = save_tokenizer(folder, 32)
    config = ClapConfig(
        text_config={
            "vocab_size": size, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 32, "max_position_embeddings": 40, "pad_token_id": 0, "projection_dim": 16,
        },
        audio_config={
            "num_mel_bins": 64, "spec_size": 256, "patch_size": 4, "patch_stride": [4, 4], "hidden_size": 64,
            "patch_embeds_hidden_size": 8, "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 1, 1],
            "projection_dim": 16, "num_classes": 2, "enable_fusion": False,
        },
        projection_dim=16,
    )  # fmt: skip
    ClapModel(config).save_pretrained(folder)
    ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad").save_pretrained(folder)
    return folder


def save_owl(folder: Path) -> Path:
    """A random OWL-ViT: text and picture towers, and its box head."""
    import torch
    from transformers import OwlViTConfig, OwlViTForObjectDetection, OwlViTImageProcessor

    torch.manual_seed(0)
    size = save_tokenizer(folder, 16)
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    tower = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = OwlViTConfig(
        text_config={**tower, "vocab_size": size, "max_position_embeddings": 16, **special},
        vision_config={**tower, "image_size": 64, "patch_size": 16},
        projection_dim=32,
    )
    owl = OwlViTForObjectDetection(config)
    with torch.no_grad():
        for weight in owl.class_head.parameters():
            weight.mul_(0.1)  # random as it is, every score underflows to 0
    owl.save_pretrained(folder)
    OwlViTImageProcessor(size={"height": 64, "width": 64}).save_pretrained(folder)
    return folder


def noise(rate: int, seconds: float = 2.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (0.1 * np.random.default_rng(0).standard_normal(round(rate * seconds))).astype(np.float32)


def test_sounds_that_a_model_knows(tmp_path: Path) -> None:
    classifier = SoundClassifier(str(save_ast(tmp_path)))
    scores = classifier.scores(noise(classifier.rate))
    assert set(scores) == {"Speech", "Siren", "Applause"}
    assert all(0.0 < score < 1.0 for score in scores.values())
    assert sum(scores.values()) != pytest.approx(1.0, abs=0.01)  # events overlap: no softmax
    assert scores == classifier.scores(noise(classifier.rate))
    assert classifier.rate == 16_000


def test_sounds_that_labels_name(tmp_path: Path) -> None:
    classifier = SoundClassifier(str(save_clap(tmp_path)), LABELS)
    scores = classifier.scores(noise(classifier.rate))
    assert set(scores) == set(LABELS)
    assert classifier.rate == 48_000


def test_objects_that_labels_name(tmp_path: Path) -> None:
    detector = ObjectDetector(str(save_owl(tmp_path)))
    image = np.random.default_rng(0).integers(0, 255, (90, 160, 3), dtype=np.uint8)
    found = detector.detect(image, ("dog", "red car"), 0.0)
    assert found
    assert {detection.label for detection in found} <= {"dog", "red car"}
    assert [detection.score for detection in found] == sorted((one.score for one in found), reverse=True)
    for detection in found:
        left, top, right, bottom = detection.box
        assert 0.0 <= left <= right <= 1.0
        assert 0.0 <= top <= bottom <= 1.0
    assert detector.detect(image, ("dog",), 1.0) == []


@pytest.mark.parametrize("kind", ["sound", "object"])
def test_index_reads_a_track_by_its_model_and_says_what_is_wrong_with_half_of_one(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    if kind == "sound":
        settings: dict[str, str] = {"AGENTVID_SOUND": str(save_ast(folder))}
    else:
        settings = {"AGENTVID_OBJECTS": str(save_owl(folder)), "AGENTVID_OBJECT_LABELS": "dog,red car"}
    settings[f"AGENTVID_{kind.upper()}_THRESHOLD"] = "0.05"
    video = tmp_path / "talk.mp4"
    render_video(video, [Scene(4.0, (90, 40, 20))], size=(160, 90), audio="tone")
    arguments = ["--library", str(tmp_path / "library"), "index", "--no-ocr", "--no-embed", "--json", str(video)]
    done = CliRunner().invoke(app, arguments, env=settings)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["indexed"][0]["observations"][kind] >= 1
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    done = CliRunner().invoke(app, arguments, env=settings)
    (partial,) = json.loads(done.stdout)["partial"]
    assert done.exit_code == 4
    assert partial["track"] == kind
    assert "cannot be loaded" in partial["reason"]
    assert "\n" not in partial["reason"]


def load_sound(folder: str) -> object:
    return SoundClassifier(folder)


def load_clap(folder: str) -> object:
    return SoundClassifier(folder, LABELS)


def load_objects(folder: str) -> object:
    return ObjectDetector(folder)


SAVERS: dict[Load, Callable[[Path], Path]] = {load_sound: save_ast, load_clap: save_clap, load_objects: save_owl}
LOADERS = tuple(SAVERS)


@pytest.mark.parametrize("load", LOADERS)
def test_a_folder_that_is_not_there_or_holds_no_model_is_one_line(load: Load, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a folder"):
        load("/no/such/folder")
    with pytest.raises(ModelError, match="cannot be loaded") as caught:
        load(str(tmp_path))
    assert caught.value.hint
    assert "\n" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize("load", LOADERS)
def test_half_a_model_is_one_line(load: Load, tmp_path: Path) -> None:
    SAVERS[load](tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    with pytest.raises(ModelError, match="cannot be loaded"):
        load(str(tmp_path))


def test_a_model_without_its_head_is_refused_and_not_filled_with_random_numbers(tmp_path: Path) -> None:
    from transformers import ASTConfig, ASTFeatureExtractor, ASTModel

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    ASTModel(ASTConfig(**size)).save_pretrained(tmp_path)
    ASTFeatureExtractor().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="of its weights are not there"):
        SoundClassifier(str(tmp_path))


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_ast(tmp_path)
    with pytest.raises(ModelError, match="which cannot do this"):
        ObjectDetector(str(tmp_path))
