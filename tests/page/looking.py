"""What a person sees of a page's player."""

from __future__ import annotations

import base64

import cv2
import numpy as np
from playwright.sync_api import Page, expect

from agentvid.media.render import read_burnt_time

_PICTURE = """() => {
  const video = document.querySelector("video");
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d").drawImage(video, 0, 0);
  return canvas.toDataURL("image/png").split(",")[1];
}"""
FRAME_SECONDS = 0.04


def stands_at(page: Page, seconds: float) -> None:
    """The player stands at exactly that second, and the picture that it shows is that of the second."""
    page.wait_for_function(
        """(seconds) => {
          const video = document.querySelector("video");
          return video && video.readyState >= 2 && !video.seeking && Math.abs(video.currentTime - seconds) < 0.001;
        }""",
        arg=seconds,
    )
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(page.evaluate(_PICTURE)), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    shown = read_burnt_time(picture[:, :, ::-1].astype(np.uint8))
    assert seconds - FRAME_SECONDS < shown <= seconds + 0.001


def now(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def search(page: Page, words: str) -> None:
    page.get_by_label("Search or question").fill(words)
    page.keyboard.press("Enter")
    expect(page.locator("#list .heading h1")).to_have_text(words)


def ask(page: Page, question: str) -> None:
    page.keyboard.press("a")
    page.get_by_label("Search or question").fill(question)
    page.keyboard.press("Enter")
    expect(page.locator(".question").last).to_have_text(question)
    page.locator(".turn").last.locator(".coverage").wait_for()
