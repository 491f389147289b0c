"""Calibration on answers whose chance of being right is known, and the command over a small library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentvid.cli import main
from agentvid.config import Settings
from agentvid.errors import UsageError
from agentvid.evaluate.calibration import (
    Judged,
    brier,
    calibration_json,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    judge_answers,
    read_judged,
    reliability,
    risk_coverage,
    write_judged,
)
from agentvid.evaluate.queries import load_queries
from agentvid.library import Library

RANDOM = np.random.default_rng(7)
CHANCE = RANDOM.uniform(0.02, 0.98, 4_000)
RIGHT = (RANDOM.uniform(size=len(CHANCE)) < CHANCE).astype(float)


def test_true_probabilities_are_calibrated_and_others_are_not() -> None:
    assert expected_calibration_error(CHANCE, RIGHT) < 0.03
    assert expected_calibration_error(CHANCE**3, RIGHT) > 0.15
    assert brier(CHANCE, RIGHT) < brier(CHANCE**3, RIGHT)
    assert sum(one.count for one in reliability(CHANCE, RIGHT)) == len(CHANCE)
    assert all(one.low <= one.confidence <= one.high for one in reliability(CHANCE, RIGHT))


def test_exact_values() -> None:
    confidence, right = np.array([0.95, 0.95, 0.15, 0.15]), np.array([1.0, 0.0, 0.0, 0.0])
    assert expected_calibration_error(confidence, right) == pytest.approx((0.45 + 0.15) / 2)
    assert brier(confidence, right) == pytest.approx((0.05**2 + 0.95**2 + 2 * 0.15**2) / 4)
    assert risk_coverage(confidence, right)[1.0] == 0.75
    assert risk_coverage(confidence, right)[0.5] == 0.5


@pytest.mark.parametrize("fit", [fit_platt, fit_isotonic])
def test_a_fitted_map_mends_confidence_on_answers_it_has_not_seen(fit: type) -> None:
    skewed = CHANCE**2 / (CHANCE**2 + (1 - CHANCE) ** 2) * 0.9
    mend = fit(skewed[:2_000], RIGHT[:2_000])
    unseen, truth = skewed[2_000:], RIGHT[2_000:]
    assert expected_calibration_error(mend(unseen), truth) < 0.6 * expected_calibration_error(unseen, truth)
    assert brier(mend(unseen), truth) < brier(unseen, truth)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=40))
def test_every_map_rises_and_stays_a_probability(answers: list[tuple[float, bool]]) -> None:
    confidence = np.array([one for one, _ in answers])
    right = np.array([float(two) for _, two in answers])
    grid = np.linspace(0, 1, 101)
    values = fit_isotonic(confidence, right)(grid)
    assert (np.diff(values) >= 0).all()
    for fitted in (values, fit_platt(confidence, right)(grid)):
        assert ((fitted >= 0) & (fitted <= 1)).all()
    assert 0 <= expected_calibration_error(confidence, right) <= 1


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    rows, queries = [], []
    for number in range(12):
        name = f"film {number}"
        for at, thing in enumerate(("lantern", "anchor", "kettle")):
            text = f"Here the {thing} number {number} is repaired by hand."
            rows.append({"video": name, "track": "speech", "start": at * 20, "end": at * 20 + 6, "text": text})
            queries.append(
                {"query": f"When is the {thing} repaired?", "video": name, "start": at * 20, "end": at * 20 + 6}
            )
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, queries)), "utf-8")
    settings = Settings(library=tmp_path / "library", cache=tmp_path, embed=False, index="numpy")
    with Library.open(tmp_path / "library", settings=settings) as opened:
        assert not opened.import_file(tmp_path / "rows.jsonl").failed
        yield opened


def test_answers_are_judged_by_where_their_evidence_lies(library: Library, tmp_path: Path) -> None:
    asked = load_queries(library, tmp_path / "q.jsonl")
    judged = list(judge_answers(library, asked, has_absent=True))
    own, absent = judged[::2], judged[1::2]
    assert all(one.is_right for one in own)
    assert all(one.is_absent and not one.is_right for one in absent)
    write_judged(tmp_path / "judged.jsonl", judged)
    again = read_judged(tmp_path / "judged.jsonl")
    assert [one.is_right for one in again] == [one.is_right for one in judged]
    document = calibration_json(again)
    assert document["answered"] == sum(not one.is_abstained for one in judged)
    assert document["held_out"] is None or set(document["held_out"]["maps"]) == {"as it is", "Platt", "isotonic"}


def test_the_command_prints_the_document(library: Library, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where, queries, written = str(tmp_path / "library"), str(tmp_path / "q.jsonl"), str(tmp_path / "a.jsonl")
    start = ["--library", where, "eval", "calibration", queries]
    with pytest.raises(SystemExit) as done:
        main([*start, "-o", written, "--json"])
    assert done.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["asked"] == 36
    with pytest.raises(SystemExit):
        main([*start, "--limit", "1", "--with", written])
    assert "37 questions" in capsys.readouterr().err


def test_what_cannot_be_measured_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 answers are too few"):
        calibration_json([Judged("q", "v", 0.5, False, True)] * 3)
    bad = tmp_path / "bad.jsonl"
    for line in ('{"query": "q"}', json.dumps(Judged("q", "v", 0.5, False, True).to_json() | {"confidence": 7})):
        bad.write_text(line, "utf-8")
        with pytest.raises(UsageError, match="line 1 is no judged answer"):
            read_judged(bad)
