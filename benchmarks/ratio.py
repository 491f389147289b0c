"""Interleaved paired ratios: ours and a peer's times in one run, in ABBA order, with a control.

An absolute time says what the machine was doing; a ratio of neighbours in time says what the code does. The bar is met
when the upper end of a bootstrap interval of the median ratio is at most the bar; a run whose control strays from 1 by
more than `CONTROL_TOLERANCE` proves nothing and is void. What other work disturbs least is told beside it: the CPU
seconds of either, processes that it started and waited for included.
"""

from __future__ import annotations

import random
import resource
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

CONTROL_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median of ours / peer with a 95 % interval, and the control: peer / peer."""

    name: str
    bar: float
    median: float
    low: float
    high: float
    control: float
    ours_seconds: float
    peer_seconds: float
    ours_cpu_seconds: float
    peer_cpu_seconds: float

    @property
    def verdict(self) -> str:
        if abs(self.control - 1.0) > CONTROL_TOLERANCE:
            return "void (noisy)"
        return "met" if self.high <= self.bar else "NOT met"

    def line(self) -> str:
        return (
            f"{self.name}: {self.median:.3f} [{self.low:.3f}, {self.high:.3f}] bar {self.bar:g} -> {self.verdict}"
            f"  (ours {self.ours_seconds:.3f} s, peer {self.peer_seconds:.3f} s, control {self.control:.3f};"
            f" CPU {self.ours_cpu_seconds:.3f} s, {self.peer_cpu_seconds:.3f} s)"
        )


def measure(name: str, bar: float, ours: Callable[[], object], peer: Callable[[], object], *, pairs: int = 9) -> Ratio:
    """Time `ours` and `peer` in ABBA order; the control is a second peer run inside every round."""
    ours()
    peer()
    ratios, controls = [], []
    our_times: list[_Times] = []
    peer_times: list[_Times] = []
    for number in range(pairs):
        order = (ours, peer, peer) if number % 2 == 0 else (peer, peer, ours)
        times = [_time(job) for job in order]
        mine, first, second = times if number % 2 == 0 else (times[2], times[0], times[1])
        ratios.append(mine.seconds / statistics.mean((first.seconds, second.seconds)))
        controls.append(first.seconds / second.seconds)
        our_times.append(mine)
        peer_times += [first, second]
    low, high = _interval(ratios)
    return Ratio(
        name,
        bar,
        statistics.median(ratios),
        low,
        high,
        statistics.median(controls),
        *_medians(our_times, peer_times, lambda times: times.seconds),
        *_medians(our_times, peer_times, lambda times: times.cpu_seconds),
    )


class _Times(NamedTuple):
    seconds: float
    cpu_seconds: float


def _time(job: Callable[[], object]) -> _Times:
    started, cpu = time.perf_counter(), _cpu_seconds()
    job()
    return _Times(time.perf_counter() - started, _cpu_seconds() - cpu)


def _cpu_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _medians(ours: Sequence[_Times], peers: Sequence[_Times], of: Callable[[_Times], float]) -> tuple[float, float]:
    return statistics.median(map(of, ours)), statistics.median(map(of, peers))


def _interval(values: Sequence[float], *, rounds: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap of the median (Efron 1979), seeded."""
    draw = random.Random(0)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(rounds))
    return medians[round(0.025 * rounds)], medians[round(0.975 * rounds) - 1]
