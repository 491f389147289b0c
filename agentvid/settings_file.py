"""The user's settings file, written by commands: with every setting explained, and changed one setting at a time.

A change keeps comments and order (tomlkit), is checked as at load, and is written aside and renamed. Keys are refused:
the file is read by others, copied and shared; the environment is where providers' packages look for them.
"""

from __future__ import annotations

import os
import re
import stat
import textwrap
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import tomlkit
from pydantic.fields import FieldInfo
from tomlkit.exceptions import TOMLKitError

from agentvid.config import Settings, check_name, merged_settings, read_settings_file, value_of_text
from agentvid.errors import NotSaved, UsageError
from agentvid.models.failures import holds_key, variable_of_key
from agentvid.saving import saving

_COLUMNS = 100
_NAMES_OF_KEYS = ("_key", "_secret", "_password", "api_token", "hf_token")
_HEAD = """\
# Settings of agentvid. Each line below shows a default; remove the "# " before it, or use `agentvid config set`,
# to set another value. Environment variables (AGENTVID_ and the name in capitals) and flags win over this file.
# Keys of providers do not belong here but into the environment, as OPENAI_API_KEY.
"""


def commented_settings() -> str:
    """The text of a settings file that sets nothing and shows every setting, what it means, and its default."""
    return _HEAD + "".join(_explained(name, field) for name, field in Settings.model_fields.items())


def write_commented(path: Path) -> None:
    """Raises UsageError if the file exists, NotSaved if it cannot be written."""
    if os.path.lexists(path):
        raise UsageError(f"{path} exists already", hint="`agentvid config set NAME VALUE` changes it")
    _write(path, commented_settings(), overwrite=False)


def set_value(path: Path, name: str, text: str) -> Any:
    """Set `name` to what `text` says, as in the environment; returns the value as JSON, which is what is written.

    Raises UsageError for a name, value or file that is not allowed, and for keys; NotSaved if it cannot be written.
    """
    given = "the command line"
    _refuse_keys(name, text)
    check_name(name, given)
    _check_unicode(text)
    before = read_settings_file(path)
    loaded = merged_settings([(str(path), before), (given, {name: value_of_text(name, text)})])
    value = loaded.settings.model_dump(mode="json")[name]
    if isinstance(getattr(loaded.settings, name), Path):
        value = os.path.abspath(value)  # the next command may run in another folder
    _change(path, {**before, name: value}, name)
    return value


def unset_value(path: Path, name: str) -> bool:
    """Remove `name`, which may be an unknown one that the file has; False if it was not there.

    Raises UsageError for an unknown name, and where the rest would not be allowed any more; NotSaved.
    """
    before = read_settings_file(path)
    if name not in before:
        check_name(name, "the command line")
        return False
    after = {known: value for known, value in before.items() if known != name}
    if _is_allowed(before):
        merged_settings([(str(path), after)])
    _change(path, after, name)
    return True


def _refuse_keys(name: str, text: str) -> None:
    variable = name.upper() if name.lower().endswith(_NAMES_OF_KEYS) else variable_of_key(text)
    if holds_key(text) or holds_key(name) or variable == name.upper():
        raise UsageError(
            "this is a key, or looks like one, and settings files hold none",
            hint=f"set the environment variable {variable or 'that its package reads, as OPENAI_API_KEY'}",
        )


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not Unicode text, and settings files are") from None


def _explained(name: str, field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True)
    meaning = str(field.description)
    if get_origin(field.annotation) is Literal:
        meaning += f" (allowed: {', '.join(get_args(field.annotation))})"
    if not default and field.examples:
        meaning, default = f"{meaning} (default: none)", field.examples[0]
    comment = textwrap.fill(meaning, _COLUMNS, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return f"\n{comment}\n# {_line(name, default)}\n"


def _line(name: str, value: Any) -> str:
    if isinstance(value, dict):  # a table of its own would take the lines below it
        table = tomlkit.inline_table()
        table.update(value)
        return f"{name} = {table.as_string()}"
    return f"{name} = {tomlkit.item(str(value) if isinstance(value, Path) else value).as_string()}"


def _is_allowed(values: Mapping[str, Any]) -> bool:
    try:
        merged_settings([("", values)])
    except UsageError:
        return False
    return True


def _change(path: Path, after: Mapping[str, Any], name: str) -> None:
    """Write the file with `after[name]`, or without `name`, and everything else as it stands there."""
    text = path.read_bytes().decode("utf-8-sig") if path.exists() else ""
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.replace("\r\n", "\n")
    try:
        changed = _below_its_comment(plain, name, after) or _in_document(plain, name, after)
    except (TOMLKitError, RecursionError):
        changed = ""
    if not _says(changed, after):
        raise UsageError(f"{path}: {name} cannot be changed by a command here", hint="edit this settings file by hand")
    _write(path, changed.replace("\n", newline), overwrite=True)


def _below_its_comment(text: str, name: str, after: Mapping[str, Any]) -> str:
    """With a new setting below the line that shows its default; "" if there is none, or it is part of something."""
    shown = re.search(rf"^# {re.escape(name)} = .*$", text, re.MULTILINE)
    if shown is None or name not in after:
        return ""
    changed = f"{text[: shown.end()]}\n{_line(name, after[name])}{text[shown.end() :]}"
    return changed if _says(changed, after) else ""


def _in_document(text: str, name: str, after: Mapping[str, Any]) -> str:
    document = tomlkit.parse(text)
    if name in after:
        document[name] = after[name]
    else:
        document.remove(name)
    return tomlkit.dumps(document)


def _says(text: str, values: Mapping[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == values
    except (tomllib.TOMLDecodeError, RecursionError):
        return False


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    """A link stays one, and who may read the file stays so."""
    target = path.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if overwrite and target.exists() else None
        with saving(target, overwrite=overwrite) as file:
            if mode is not None:
                os.fchmod(file.fileno(), mode)
            file.write(text.encode())
    except (OSError, NotSaved) as error:
        message = str(error) if isinstance(error, NotSaved) else f"{path} cannot be written: {error.strerror}"
        raise NotSaved(message, hint="AGENTVID_CONFIG names another settings file") from None
