"""What a library learns: programs that an LLM had to repair, and that then ran and answered, as examples for others.

They lie in `<library>/examples.yaml`, in the form of any bank; an id is "learned-" and the trace that tells how it came
about. `agentvid examples ls` and `rm` show and remove them. Only an LLM planner is shown them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentvid.errors import NotFound, UsageError
from agentvid.planners.bank import ExampleBank, Form, parse_examples
from agentvid.planners.example_files import entry_of, example_of, joined, read_examples, write_examples

FILE, FAMILY = "examples.yaml", "learned"
#: The oldest make room for new ones.
MAX_EXAMPLES = 200
_LISTED = 5


def read_learned(library: Path) -> list[Form]:
    """The oldest first. Raises UsageError if the file is damaged."""
    path = library / FILE
    return read_examples(path) if path.exists() else []


def with_learned(bank: ExampleBank, library: Path, *, before: str | None = None) -> ExampleBank:
    """`bank` behind what the library learned, all of it or only before the trace `before`. Raises as `read_learned`."""
    forms = [form for form in read_learned(library) if before is None or form.id < f"{FAMILY}-{before}"]
    return joined(bank, forms[::-1]) if forms else bank


def learn(library: Path, trace_id: str, question: str, choices: Sequence[str], program: str) -> str:
    """Keep a program as an example; returns what was kept, or why not, in one line, "" if it is no example.

    It is none if it holds words that are not the question's, or if the same is known.
    """
    entry = example_of(question, choices, program, family=FAMILY)
    if entry is None:
        return ""
    entry["id"] = f"{FAMILY}-{trace_id}"
    try:
        known = read_learned(library)
        (new,) = parse_examples([entry])
        if any((form.examples, form.program) == (new.examples, new.program) for form in known):
            return ""
        write_examples(library / FILE, [entry_of(form) for form in [*known, new][-MAX_EXAMPLES:]])
    except UsageError as error:
        return f"nothing was learned: {error}"
    return f"learned as {entry['id']}: {entry['examples'][0]}"


def forget(library: Path, reference: str) -> str:
    """Raises NotFound if no learned example has this id or begins so, UsageError if several do."""
    known = read_learned(library)
    ids = [form.id for form in known]
    found = [reference] if reference in ids else [name for name in ids if name.startswith(reference)]
    if not found:
        raise NotFound(f"no learned example {reference!r}", hint=f"there are: {', '.join(ids[-_LISTED:]) or 'none'}")
    if len(found) > 1:
        raise UsageError(
            f"{reference!r} fits {len(found)} examples: {', '.join(found[:_LISTED])}", hint="give the whole id"
        )
    write_examples(library / FILE, [entry_of(form) for form in known if form.id != found[0]])
    return found[0]
