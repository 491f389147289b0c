"""Sentences that tell what to do: found by how they begin, in English; numbered steps in any language that has digits.

No model. A tutorial says "first", "then", "step 3", and begins its sentences with verbs, as in "add the flour"; a talk
about the same thing does not. What cannot be told so is left out: `find_steps` then says that this is no tutorial.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentvid.tools.intervals import hull
from agentvid.tools.rows import streams
from agentvid.types import CAPTION, OCR, SPEECH, Observation, Span
from agentvid.words import NUMBER_WORDS, sentences, stem

#: Rows of one stream are one sentence up to its end, a pause, or so many characters.
_PAUSE_SECONDS, _SENTENCE_CHARACTERS = 1.5, 300
#: Instructions so close to each other are one step, unless a word of order stands between them.
_ONE_STEP_SECONDS, _STEP_SECONDS = 4.0, 45.0
#: What makes a tutorial: so many steps, such a part of all sentences, and words of order, or else so much more of both.
#: Chosen on screencasts (TutorialVQA) and cooking shows as heard by ASR (YouCook2), most of which it finds, and on
#: meetings and scenes (QMSum, FriendsQA), none of which it takes for one.
_LEAST_STEPS, _LEAST_SHARE, _LEAST_ORDER = 3, 0.08, 2
_SURE_INSTRUCTIONS, _SURE_SHARE = 6, 0.12

_NUMBER = "|".join([r"\d{1,2}", *(word for word, number in NUMBER_WORDS.items() if 1 <= number <= 20)])
_STEP = re.compile(rf"(?:step|schritt|étape|paso|passo|stap|шаг)\s*(?:number\s*)?#?({_NUMBER})\b[\s:.,)\-–—]*", re.I)
_LISTED = re.compile(r"^(\d{1,2})\s?[.)]\s*(?=[^\W\d_])")
_FILLER = r"(?:(?:and|so|but|okay|ok|alright|all right|well|right|um|uh|again|also)[,.]?\s+)*"
_ORDER = re.compile(
    rf"{_FILLER}(?:the\s+)?(first(?:ly)?(?:\s+of\s+all)?|second(?:ly)?|third(?:ly)?|next(?:\s+up)?|then|after\s+that|afterwards?"
    r"|now|finally|lastly|last(?:\s+of\s+all)?|to\s+(?:start|begin|finish)(?:\s+(?:off|with))?|once\s+(?:that|this)(?:'s|\s+is)?\s+\w+"
    r"|(?:step|thing)(?:\s+is)?)\b[,:]?\s*(?:(?:thing|step)\s+(?:you|we)\s+(?:do|need)\s+(?:is\s+)?(?:to\s+)?)?",
    re.I,
)
#: What stands before the verb where people speak: "you want to click", "we're just going to add", "I'll choose".
_LEAD = re.compile(
    r"(?:(?:go\s+ahead\s+and|(?:you|we|i)(?:\s+(?:will|just|then|can|should|must|may|do|now|also)|'ll|['’]d)*\s+(?:want|need|have|like)\s+to"
    r"|(?:you|we|i)(?:\s+(?:will|can|should|must)|['’]ll)|(?:we|you)(?:['’]re|\s+are)\s+(?:just\s+|now\s+|also\s+)?(?:going\s+to|gonna)"
    r"|i(?:['’]m|\s+am)\s+(?:just\s+|now\s+|also\s+)?(?:going\s+to|gonna)|let(?:['’]s|\s+us)|make\s+sure\s+(?:to|that\s+you|you)"
    r"|be\s+sure\s+to|please|just|simply|carefully|gently|quickly|slowly|start\s+by|begin\s+by|then|now|and|also|double|right)[,\s-]+)+",
    re.I,
)
#: "To do that, choose": what follows the comma tells what to do.
_CONDITION = re.compile(r"(?:if|when|once|to|for|with|in|on|from|after|before|while|as)\b", re.I)
#: Verbs that tell what to do only with these words after them.
_GO = re.compile(
    r"(?:go|come|head)\s+(?:right\s+)?(?:up|over|back|down|in|into|to|out)\b|let\s+(?:it|them|this|the)\b", re.I
)
_VERBS = frozenset(
    stem(verb)
    for verb in """add adjust align apply arrange assign attach bake beat bend blend blow boil bolt bring brush
    build change check chill choose chop clamp clean clear click close coat collapse collect combine connect cook
    cool copy cover crack create crop cross crush cut dab delete deploy detach dice dip disconnect dissolve
    download drag drain drape draw dredge drill drizzle drop dry edit enable enter expand extract fasten feed file
    fill finish fit flip fold follow fry garnish glue grab grate grease grind grip hammer hang heat highlight hit
    hold import insert inspect install iron join knead knit knot lay layer leave lift line lock loop loosen lower
    marinate mark mash measure melt mix mount move nail name navigate open paint paste peel pick pin place plug
    polish position pour preheat prepare press pull punch push put raise reach reattach reduce refrigerate release
    remove rename repeat replace resize rest restart return rinse roll rotate rub run sand saute save saw scan
    scoop score scramble scrape screw scroll scrub seal season secure select separate serve set sew shake shape
    sharpen shut sift simmer skip slice slide smooth snap soak spin split spoon spray spread sprinkle squeeze
    stack stick stir stitch store strain stretch strip swap sweep switch take tap tape tear test thread tie
    tighten tilt tip toast toss touch transfer trim turn twist type unplug unscrew unwrap use wait warm wash weigh
    whip whisk wind wipe wrap write zip""".split()
)
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence with the rows that it was put together from."""

    span: Span
    track: str
    text: str
    rows: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do, in the words of the video, and when."""

    span: Span
    text: str
    rows: tuple[Observation, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The steps in order of time; none if this is no tutorial, with the reason either way."""

    steps: tuple[Step, ...]
    reason: str


def find_steps(rows: Iterable[Observation]) -> Found:
    """The steps that rows of one video tell."""
    told = _sentences(rows)
    spoken = [said for said in told if said.track != OCR]
    instructions = [said for said in spoken if _is_instruction(said.text)]
    numbered = _counted(told, _STEP)
    # Numbered lines on slides are the parts of a talk, unless who speaks tells what to do, or nobody speaks.
    if not numbered and len(instructions) >= _LEAST_SHARE * len(spoken):
        numbered = _counted([said for said in told if said.track == OCR], _LISTED)
    if numbered:
        return Found(tuple(_until_next(numbered, told)), f"{len(numbered)} steps are numbered")
    steps = _grouped(instructions)
    ordered = sum(bool(_ORDER.match(said.text)) for said in instructions)
    counted = f"{len(instructions)} of {len(spoken)} sentences tell what to do, {ordered} of them in an order"
    share = len(instructions) / max(1, len(spoken))
    is_sure = len(instructions) >= _SURE_INSTRUCTIONS and share >= _SURE_SHARE
    if len(steps) < _LEAST_STEPS or share < _LEAST_SHARE or not (ordered >= _LEAST_ORDER or is_sure):
        return Found((), f"{counted}: too few for a tutorial")
    return Found(tuple(steps), counted)


def _sentences(rows: Iterable[Observation]) -> list[Said]:
    """Rows of each stream put together up to the ends of sentences, in time order."""
    found: list[Said] = []
    for (track, _), stream in streams(rows).items():
        if track == SPEECH:
            found += _put_together(stream)
        elif track in (OCR, CAPTION):
            found += [Said(row.span, track, row.text, (row,)) for row in stream]
    return sorted(found, key=lambda said: (said.span, said.track))


def _put_together(stream: Sequence[Observation]) -> list[Said]:
    found: list[Said] = []
    held: list[Observation] = []
    for row in stream:
        if held and _is_end(held, row):
            found += _cut(held)
            held = []
        held.append(row)
    return found + (_cut(held) if held else [])


def _is_end(held: Sequence[Observation], row: Observation) -> bool:
    last = held[-1]
    return (
        last.text.rstrip("\"'”’)").endswith((".", "!", "?", "…"))
        or row.span.start_seconds - last.span.end_seconds > _PAUSE_SECONDS
        or sum(len(each.text) for each in held) > _SENTENCE_CHARACTERS
    )


def _cut(held: Sequence[Observation]) -> list[Said]:
    """The sentences of joined rows, each with the rows that share words with it."""
    joined = " ".join(row.text for row in held)
    starts, at = [], 0
    for row in held:
        starts.append(at)
        at += len(row.text) + 1
    found, at = [], 0
    for sentence in sentences(joined):
        begin = joined.index(sentence, at)
        at = begin + len(sentence)
        own = tuple(
            row for row, start in zip(held, starts, strict=True) if start < at and begin < start + len(row.text)
        )
        found.append(Said(hull([row.span for row in own]), own[0].track, sentence, own))
    return found


def _counted(told: Sequence[Said], pattern: re.Pattern[str]) -> list[tuple[int, Said]]:
    """What has the numbers 1, 2, 3..., each once and later than the one before; nothing if there is no 2."""
    found: list[tuple[int, Said]] = []
    for said in told:
        match = pattern.search(said.text)
        if not match or (found and said.span.start_seconds == found[-1][1].span.start_seconds):
            continue
        number = NUMBER_WORDS.get(match[1].casefold()) or (int(match[1]) if match[1].isdecimal() else 0)
        if number == len(found) + 1:
            found.append((number, Said(said.span, said.track, said.text[match.start() :], said.rows)))
    return found if len(found) >= 2 else []


def _until_next(numbered: Sequence[tuple[int, Said]], told: Sequence[Said]) -> Iterable[Step]:
    """Each numbered step up to the next one's beginning, with what is instructed meanwhile."""
    end = max(said.span.end_seconds for said in told)
    for at, (_, head) in enumerate(numbered):
        following = numbered[at + 1][1].span.start_seconds if at + 1 < len(numbered) else end
        span = Span(head.span.start_seconds, max(following, head.span.end_seconds))
        inside = [said for said in told if head.span.start_seconds <= said.span.start_seconds < span.end_seconds]
        more = [
            said for said in inside if said.rows != head.rows and said.track == SPEECH and _is_instruction(said.text)
        ]
        text = " ".join([head.text, *(said.text for said in more[:2])])
        yield Step(span, text, (*head.rows, *(row for said in more[:2] for row in said.rows)))


def _grouped(instructions: Sequence[Said]) -> list[Step]:
    """Neighbouring instructions as one step; a word of order begins a new one."""
    groups: list[list[Said]] = []
    for said in instructions:
        last = groups[-1] if groups else []
        is_near = bool(last) and said.span.start_seconds - last[-1].span.end_seconds <= _ONE_STEP_SECONDS
        is_short = bool(last) and said.span.end_seconds - last[0].span.start_seconds <= _STEP_SECONDS
        if is_near and is_short and not _ORDER.match(said.text):
            last.append(said)
        else:
            groups.append([said])
    return [
        Step(
            hull([said.span for said in group]),
            " ".join(dict.fromkeys(said.text for said in group)),
            _rows_of(group),
        )
        for group in groups
    ]


def _rows_of(group: Sequence[Said]) -> tuple[Observation, ...]:
    return tuple({row.id: row for said in group for row in said.rows}.values())


def _is_instruction(text: str) -> bool:
    """True if a sentence, or what follows a comma in it, begins with a verb of doing or with "you want to" and one."""
    if text.rstrip().endswith("?"):
        return False
    first, *others = re.split(r"[,;]\s+", re.sub(f"^{_FILLER}", "", text, flags=re.I))
    ordered = _ORDER.match(first)
    if _begins_with_doing(first[ordered.end() :] if ordered else first):
        return True
    is_open = bool(ordered or _CONDITION.match(first))
    return any(_begins_with_doing(clause) for clause in others if is_open or _LEAD.match(clause))


def _begins_with_doing(clause: str) -> bool:
    led = _LEAD.match(clause)
    rest = clause[led.end() :] if led else clause
    first = _WORD.match(rest)
    verb = first[0].casefold() if first else ""
    return bool(_GO.match(rest)) or (stem(verb) in _VERBS and not verb.endswith(("ing", "ed")))
