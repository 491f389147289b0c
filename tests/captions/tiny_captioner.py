"""Builds a tiny LLaVA and trains it to caption moving shapes: `python tests/captions/tiny_captioner.py FOLDER`.

A transformers architecture with a small configuration, a tokenizer of its own, saved as every model is. It learns from
drawings, not from the videos that the tests render, and is asked with the prompt that agentvid sends: its tokenizer
makes one token of every run of words that it does not know.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 80, 230),
    "yellow": (235, 220, 50),
    "white": (245, 245, 245),
}
SHAPES = ("square", "ring", "triangle")
_SIDE, _PATCH = 40, 8
#: Drawings in a batch, and batches, of each of the two stages.
_DRAWINGS, _SEEING_STEPS = 96, 250
_SCENES, _TELLING_STEPS = 32, 160


@dataclass(frozen=True)
class Scene:
    """A coloured shape that crosses a grey background or stands still. Sizes and places are shares of the picture."""

    colour: str
    shape: str
    moves: bool = True
    grey: int = 30
    size: float = 0.45
    across: float = 0.5

    @property
    def caption(self) -> str:
        return f"a {self.colour} {self.shape} {'moves' if self.moves else 'stands still'}"

    def draw(self, progress: float, size: tuple[int, int]) -> NDArray[np.uint8]:
        """(height, width, 3) RGB after `progress` (0 to 1) of the scene."""
        import cv2

        width, height = size
        image = np.full((height, width, 3), self.grey, np.uint8)
        x = (0.15 + 0.7 * progress if self.moves else self.across) * width
        y, half, colour = height / 2, self.size * height / 2, COLOURS[self.colour]
        if self.shape == "ring":
            cv2.circle(image, (round(x), round(y)), round(0.8 * half), colour, max(1, round(0.4 * half)), cv2.LINE_AA)
        elif self.shape == "square":
            cv2.rectangle(image, (round(x - half), round(y - half)), (round(x + half), round(y + half)), colour, -1)
        else:
            corners = [(x, y - half), (x - half, y + half), (x + half, y + half)]
            cv2.fillPoly(image, [np.array(corners).round().astype(np.int32)], colour, cv2.LINE_AA)
        return image


def write_video(
    path: Path, scenes: list[tuple[float, Scene]], size: tuple[int, int] = (320, 180), rate: int = 10
) -> None:
    """One shot after the other, each as many seconds as it is given."""
    import av

    with av.open(str(path), "w") as out:
        video: Any = out.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        for seconds, scene in scenes:
            count = round(seconds * rate)
            for number in range(count):
                image = scene.draw((number + 0.5) / count, size)
                out.mux(video.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        out.mux(video.encode(None))


def random_scene(dice: random.Random) -> Scene:
    return Scene(
        dice.choice([*COLOURS]),
        dice.choice(SHAPES),
        moves=dice.random() < 0.7,
        grey=dice.randint(0, 110),
        size=dice.uniform(0.35, 0.6),
        across=dice.uniform(0.2, 0.8),
    )


def reply_of(scene: Scene) -> str:
    return f'{{"caption": "{scene.caption}", "objects": ["{scene.colour} {scene.shape}"]}}'


def build() -> tuple[Any, Any]:
    """(model, processor), untrained."""
    import torch
    from tokenizers import Tokenizer, decoders, models
    from transformers import (
        CLIPImageProcessorPil,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    torch.manual_seed(5)
    special = ["<pad>", "<unk>", "</s>", "<image>", "<answer>"]
    pieces = [
        '{"caption": "a ',
        '", "objects": ["',
        '"]}',
        *COLOURS,
        *(f" {s}" for s in SHAPES),
        " moves",
        " stands still",
    ]
    vocabulary = [(token, 0.0) for token in special] + [(piece, -1.0) for piece in pieces]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=1, byte_fallback=False))
    tokenizer.decoder = decoders.Fuse()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        additional_special_tokens=["<image>", "<answer>"],
        model_max_length=2048,
    )
    template = (
        "{% for message in messages %}{% for part in message.content %}"
        "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}"
        "{% endfor %}{% endfor %}{% if add_generation_prompt %}<answer>{% endif %}"
    )
    processor = LlavaProcessor(
        CLIPImageProcessorPil(
            size={"height": _SIDE, "width": _SIDE},
            do_center_crop=False,
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        fast,
        patch_size=_PATCH,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=_SIDE,
        patch_size=_PATCH,
        projection_dim=64,
    )
    text = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=2,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=fast.convert_tokens_to_ids("<image>"),
        image_seq_length=(_SIDE // _PATCH) ** 2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        pad_token_id=0,
        eos_token_id=2,
    )
    model = LlavaForConditionalGeneration(config)
    for name, weights in model.named_parameters():  # the usual start is made for large models
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.5 if "embed" in name else weights[0].numel() ** -0.5)
    return model, processor


def drawings(
    scene: Scene, dice: random.Random, count: int, size: tuple[int, int] = (96, 54)
) -> list[NDArray[np.uint8]]:
    """`count` frames of a scene from about its start to about its end."""
    first, last = dice.uniform(0, 0.2), dice.uniform(0.8, 1)
    return [scene.draw(first + (last - first) * (number + 0.5) / count, size) for number in range(count)]


def prompt_of(dice: random.Random, count: int) -> list[str]:
    """The texts of agentvid's prompt: the question, then the words before each of `count` frames."""
    from agentvid.prompts import render
    from agentvid.untrusted import Fence, quoted

    rows = [f"shown before: {quoted(random_scene(dice).caption, limit=200)}"] if dice.random() < 0.6 else []
    start = dice.uniform(0, 100)
    fence, times = Fence(), {"start": f"{start:.2f}", "end": f"{start + 6:.2f}"}
    question = render("caption", **times, marker=fence.marker, rows=fence.wrap(rows or ["nothing"]))
    return [question, *(f"Frame {number + 1} at t={start + number:.2f} s:" for number in range(count))]


def train(model: Any, processor: Any) -> None:
    """First the eyes alone learn colours and shapes, then all of it learns to tell them."""
    dice = random.Random(11)
    model.train()
    _learn_to_see(model.model.vision_tower, dice)
    _learn_to_tell(model, processor.tokenizer, dice)
    model.eval()


def _learn_to_see(eyes: Any, dice: random.Random) -> None:
    import torch
    from torch.nn.functional import cross_entropy

    head = torch.nn.Linear(eyes.config.hidden_size, len(COLOURS) + len(SHAPES))
    step = _stepper([*eyes.parameters(), *head.parameters()], _SEEING_STEPS, rate=3e-3)
    for _ in range(_SEEING_STEPS):
        scenes = [random_scene(dice) for _ in range(_DRAWINGS)]
        seen = head(eyes(_pixels([drawings(scene, dice, 1)[0] for scene in scenes])).last_hidden_state[:, 1:].mean(1))
        colours, shapes = seen.split([len(COLOURS), len(SHAPES)], dim=1)
        true_colours = torch.tensor([[*COLOURS].index(scene.colour) for scene in scenes])
        true_shapes = torch.tensor([SHAPES.index(scene.shape) for scene in scenes])
        step(cross_entropy(colours, true_colours) + cross_entropy(shapes, true_shapes), "seeing")


def _learn_to_tell(model: Any, tokenizer: Any, dice: random.Random) -> None:
    import torch

    step = _stepper([*model.parameters()], _TELLING_STEPS, rate=2.5e-3)
    image, tokens_per_image = model.config.image_token_id, model.config.image_seq_length
    prompts = {count: [_prompt_ids(tokenizer, dice, count) for _ in range(60)] for count in (1, 2, 3, 4)}
    for _ in range(_TELLING_STEPS):
        count = dice.choice([*prompts])
        # What stands still is shown once: frames that look the same are left out.
        scenes = [replace(random_scene(dice), moves=count > 1) for _ in range(_SCENES)]
        pixels = _pixels([frame for scene in scenes for frame in drawings(scene, dice, count)])
        asked = [dice.choice(prompts[count]) for _ in scenes]
        told = [[*tokenizer.encode(reply_of(s), add_special_tokens=False), tokenizer.eos_token_id] for s in scenes]
        rows = [
            [part for token in ids for part in [token] * (tokens_per_image if token == image else 1)] for ids in asked
        ]
        longest = max(map(len, rows))
        padded = [[tokenizer.pad_token_id] * (longest - len(row)) + row for row in rows]
        ids = torch.tensor([row + answer for row, answer in zip(padded, told, strict=True)])
        labels = ids.clone()
        labels[:, :longest] = -100
        mask = (ids != tokenizer.pad_token_id).long()
        step(model(input_ids=ids, attention_mask=mask, labels=labels, pixel_values=pixels).loss, "telling")


def _stepper(weights: list[Any], steps: int, *, rate: float) -> Callable[[Any, str], None]:
    import torch

    optimiser = torch.optim.AdamW(weights, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)

    def step(loss: Any, what: str) -> None:
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if (done := schedule.last_epoch) % 50 == 0:
            sys.stderr.write(f"{what} {done}: loss {loss.item():.4f}\n")

    return step


def _pixels(images: list[NDArray[np.uint8]]) -> Any:
    """As the processor makes them."""
    import cv2
    import torch

    small = [cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA) for image in images]
    return torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2).float() / 127.5 - 1


def _prompt_ids(tokenizer: Any, dice: random.Random, count: int) -> list[int]:
    question, *labels = prompt_of(dice, count)
    text = question + "\n" + "".join(f"{label}\n<image>" for label in labels) + "<answer>"
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def save(folder: Path) -> None:
    """A trained model and its processor in `folder`, as `save_pretrained` writes them."""
    model, processor = build()
    train(model, processor)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


if __name__ == "__main__":
    save(Path(sys.argv[1]))
