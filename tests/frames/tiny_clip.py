"""A CLIP of 0.1 million weights that knows twelve coloured shapes, trained here and saved as users' models are."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

COLOURS = {"red": (210, 40, 40), "green": (40, 170, 60), "blue": (40, 70, 210), "yellow": (220, 200, 50)}
SHAPES = ("square", "ring", "cross")
CLASSES = tuple(itertools.product(COLOURS, SHAPES))
PHRASES = ("{} {}", "a {} {}", "the {} {}", "when does the {} {} appear")
_SIDE = 32
#: Training pictures of each class.
_POOL = 400
_WORDS = ("[PAD]", "[UNK]", "[BOS]", "[EOS]", *COLOURS, *SHAPES, *"a the when does appear moving on grey".split())


def draw(
    colour: str, shape: str, *, centre: tuple[float, float], radius: float, grey: int, size: tuple[int, int] = (160, 96)
) -> NDArray[np.uint8]:
    """(height, width, 3) uint8 RGB: one shape on grey; `centre` and `radius` as shares of width, height and height."""
    width, height = size
    image = np.full((height, width, 3), grey, np.uint8)
    x, y, r = round(centre[0] * width), round(centre[1] * height), round(radius * height)
    thick = max(1, r // 3)
    if shape == "ring":
        cv2.circle(image, (x, y), r - thick // 2, COLOURS[colour], thick)
    elif shape == "square":
        cv2.rectangle(image, (x - r, y - r), (x + r, y + r), COLOURS[colour], -1)
    else:
        cv2.line(image, (x - r, y), (x + r, y), COLOURS[colour], thick)
        cv2.line(image, (x, y - r), (x, y + r), COLOURS[colour], thick)
    return image


def random_scene(random: np.random.Generator, colour: str, shape: str) -> NDArray[np.uint8]:
    centre = (float(random.uniform(0.36, 0.64)), float(random.uniform(0.42, 0.58)))
    radius = float(random.uniform(0.28, 0.36))
    return draw(colour, shape, centre=centre, radius=radius, grey=int(random.integers(60, 200)))


def train(folder: Path, *, steps: int = 600, seed: int = 3) -> Path:
    """Contrastive training (Radford et al., arXiv 2103.00020); returns `folder`. 0 steps: a model that knows none."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, PreTrainedTokenizerFast
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    words = Tokenizer(models.WordLevel({word: at for at, word in enumerate(_WORDS)}, unk_token="[UNK]"))
    words.normalizer = normalizers.Lowercase()
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[BOS] $A [EOS]", special_tokens=[("[BOS]", 2), ("[EOS]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        model_max_length=16,
    )
    pictures = CLIPImageProcessorPil(size={"height": _SIDE, "width": _SIDE}, do_center_crop=False)
    processor = CLIPProcessor(image_processor=pictures, tokenizer=tokenizer)
    layers = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    text = {"vocab_size": len(_WORDS), "max_position_embeddings": 16, "bos_token_id": 2, "eos_token_id": 3}
    model = CLIPModel(
        CLIPConfig(
            text_config={**layers, **text, "pad_token_id": 0},
            vision_config={**layers, "image_size": _SIDE, "patch_size": 8},
            projection_dim=32,
        )
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps + 1)
    model.train()
    scenes = [random_scene(random, *one) for one in CLASSES for _ in range(_POOL if steps else 1)]
    seen = pictures(scenes, return_tensors="pt")["pixel_values"]
    for _ in range(steps):
        texts = [str(random.choice(PHRASES)).format(*one) for one in CLASSES]
        chosen = np.repeat(np.arange(len(CLASSES)), 2) * _POOL + random.integers(0, _POOL, 2 * len(CLASSES))
        out = model(**tokenizer(texts, return_tensors="pt", padding=True), pixel_values=seen[chosen])
        # Two pictures of each class: a text has two partners, a picture one.
        logits = out.logits_per_image
        target = torch.arange(len(CLASSES)).repeat_interleave(2)
        log_text = torch.log_softmax(logits.T, dim=1)
        of_text = -(log_text[target, torch.arange(len(target))]).mean()
        loss = torch.nn.functional.cross_entropy(logits, target) + of_text
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
