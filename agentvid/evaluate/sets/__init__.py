"""Published annotated sets, one file each. A reader takes the folder that holds the set's own files, unchanged.

To add one: a module with `read(directory) -> AnnotatedSet`, and its line in SETS.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from zipfile import BadZipFile

from agentvid.errors import UsageError
from agentvid.evaluate.types import AnnotatedSet

#: Name -> module in this package; "name:variant" calls its function `read_variant`.
SETS = (
    "activitynet:human",
    "activitynet:machine",
    "tacos",
    "charades",
    "star",
    "nextgqa",
    "tutorialvqa",
    "youcook2",
    "qmsum",
    "pororoqa",
    "friendsqa",
    "soccer",
)


def read_set(name: str, directory: Path) -> AnnotatedSet:
    """The annotated set `name` from its published files.

    Raises UsageError for an unknown name, and for files that are missing, in another format, or without any query.
    """
    if name not in SETS:
        raise UsageError(f"annotated set {name!r} is not known; allowed: {', '.join(SETS)}")
    module, _, variant = name.partition(":")
    reader: Callable[[Path], AnnotatedSet] = getattr(
        import_module(f"agentvid.evaluate.sets.{module}"), f"read_{variant}" if variant else "read"
    )
    try:
        annotated = reader(directory)
    except OSError as error:
        raise UsageError(
            f"{name}: {error.filename} cannot be read: {error.strerror}", hint="give the folder with the set's files"
        ) from error
    except (AttributeError, BadZipFile, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{name}: the files in {directory} are not in the published format: {error!r}",
            hint="give the set's own files, unchanged",
        ) from error
    if not annotated.queries:
        raise UsageError(
            f"{name}: the files in {directory} hold no query about a video with text",
            hint="give the set's own files, unchanged",
        )
    return annotated
