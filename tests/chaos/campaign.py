"""Many cases, on several cores, and what came of them."""

from __future__ import annotations

import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from sandbox.testing import Sandbox

from .cases import case
from .executions import Zygote
from .runner import Played, Player

PROGRESS_EVERY = 50
MUST_NOT_BE: Mapping[str, str] = {
    "twins": "TWIN",
    "records deleted": "(R7)",
    "updates lost or un-owned fields changed": "(R9)",
    "records the source never said": "was created, which",
    "not converged": "in the end",
    "never quiet": "not quiet",
    "STATE ahead": "STATE was passed on",
    "ledgers wrong": "ledger: ",
    "writes without a note": "can be noted any more",
}
"""What the totals count → the words of such a problem."""

Result = tuple[int, Played]

_of_worker = ExitStack()
"""What a worker process keeps open as long as it lives."""
_players: list[Player] = []


@contextmanager
def player(sabotage: str | None = None) -> Iterator[Player]:
    """Offer a player with services and a zygote of its own.

    Args:
        sabotage: How the target is broken; None when it is not.
    """
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # it complains of clients that were killed
    with Zygote(sabotage) as zygote, Sandbox(seed="empty") as box:
        yield Player(box, zygote)


def _begin(sabotage: str | None) -> None:
    """Make the worker's player."""
    _players.append(_of_worker.enter_context(player(sabotage)))


def _play(order: tuple[int, int]) -> Result:
    seed, number = order
    return number, _players[0].play(case(seed, number))


def results(seed: int, numbers: Sequence[int], workers: int, sabotage: str | None = None) -> Iterator[Result]:
    """Play cases and yield what came of each, as they end.

    Args:
        seed: What they are drawn from.
        numbers: Their numbers.
        workers: How many are played at once.
        sabotage: How the target is broken; None when it is not.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _begin, [sabotage]) as pool:
        yield from pool.imap_unordered(_play, [(seed, number) for number in numbers])


def run(
    seed: int, numbers: Sequence[int], workers: int, *, verbose: bool, sabotage: str | None = None
) -> int:
    """Play cases and print what came of them.

    Args:
        seed: What they are drawn from.
        numbers: Their numbers.
        workers: How many are played at once.
        verbose: Print everything that the programs said.
        sabotage: How the target is broken; None when it is not.

    Returns:
        1 if a case failed, else 0.
    """
    began = time.monotonic()
    totals: Counter[str] = Counter(dict.fromkeys(MUST_NOT_BE, 0))
    failed: list[int] = []
    done = 0
    try:
        for number, played in results(seed, numbers, min(workers, len(numbers)), sabotage):
            done += 1
            totals.update(played.counts)
            totals.update(_forbidden(played.problems))
            if verbose:
                _say(*played.log)
            if played.problems:
                failed.append(number)
                _say(f"FAILED: seed {seed}, case {number}", *(f"  {problem}" for problem in played.problems))
                _say(f"  traces: .chaos/{seed}-{number}; again: make chaos SEED={seed} CASE={number}")
            if done % PROGRESS_EVERY == 0:
                _say(
                    f"{done} of {len(numbers)} cases, {len(failed)} failed, {time.monotonic() - began:.0f} s"
                )
    except KeyboardInterrupt:
        _say(f"\nStopped after {done} of {len(numbers)} cases.")
    _say(f"\n{done} cases of seed {seed}: {len(failed)} failed ({time.monotonic() - began:.0f} s)")
    for name, total in sorted(totals.items()):
        _say(f"  {total:>8,}  {name}")
    return int(bool(failed))


def _forbidden(problems: Sequence[str]) -> Counter[str]:
    """Count the problems of each kind."""
    return Counter(name for problem in problems for name, words in MUST_NOT_BE.items() if words in problem)


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
