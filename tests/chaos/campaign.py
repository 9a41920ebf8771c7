"""Many cases, on several cores, and what came of them."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from sandbox.testing import Sandbox

from .cases import case
from .executions import Zygote
from .runner import Played, Player

PROGRESS_EVERY = 50
Result = tuple[int, Played]

_of_worker = ExitStack()
"""What a worker process keeps open as long as it lives."""
_players: list[Player] = []


@contextmanager
def player() -> Iterator[Player]:
    """Offer a player with services and a zygote of its own."""
    with Zygote() as zygote, Sandbox(seed="empty") as box:
        yield Player(box, zygote)


def _begin() -> None:
    """Make the worker's player."""
    _players.append(_of_worker.enter_context(player()))


def _play(order: tuple[int, int]) -> Result:
    seed, number = order
    return number, _players[0].play(case(seed, number))


def results(seed: int, numbers: Sequence[int], workers: int) -> Iterator[Result]:
    """Play cases and yield what came of each, as they end.

    Args:
        seed: What they are drawn from.
        numbers: Their numbers.
        workers: How many are played at once.
    """
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, _begin) as pool:
        yield from pool.imap_unordered(_play, [(seed, number) for number in numbers])


def run(seed: int, numbers: Sequence[int], workers: int, *, verbose: bool) -> int:
    """Play cases and print what came of them.

    Args:
        seed: What they are drawn from.
        numbers: Their numbers.
        workers: How many are played at once.
        verbose: Print everything that the programs said.

    Returns:
        1 if a case failed, else 0.
    """
    began = time.monotonic()
    totals: Counter[str] = Counter()
    failed: list[int] = []
    for done, (number, played) in enumerate(results(seed, numbers, min(workers, len(numbers))), start=1):
        totals += played.counts
        if verbose:
            print(*played.log, sep="\n")
        if played.problems:
            failed.append(number)
            print(f"FAILED: seed {seed}, case {number}", *played.problems, sep="\n  ")
            print(
                f"  traces: .chaos/{seed}-{number}; again: make chaos SEED={seed} CASE={number}", flush=True
            )
        if done % PROGRESS_EVERY == 0:
            print(f"{done} of {len(numbers)} cases, {len(failed)} failed, {time.monotonic() - began:.0f} s", flush=True)  # fmt: skip
    print(f"\n{len(numbers)} cases of seed {seed}: {len(failed)} failed ({time.monotonic() - began:.0f} s)")
    for name, total in sorted(totals.items()):
        print(f"  {total:>8,}  {name}")
    return int(bool(failed))
