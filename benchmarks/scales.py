"""How much is measured: a few minutes' worth, or everything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The sizes of all cases.

    Attributes:
        name: What it is called.
        repeats: Rounds of the interleaved runs.
        slow_repeats: Rounds of what takes minutes (zeep, and peers that write one record at a time).
        records: Suppliers that the tap reads, and that the target finds unchanged.
        memory_records: Sizes between which the tap's memory must not differ.
        creates: Numbers of suppliers that the target creates.
        peer_creates: Suppliers that the target and the peers create.
        faulty_creates: Suppliers that the target and the peers create under faults.
        pair_records: Suppliers of a whole run through Meltano.
        growth: Sizes of the growth curves; none for no curves.
        growth_creates: Sizes of the curve of creations.
    """

    name: str
    repeats: int
    slow_repeats: int
    records: int
    memory_records: tuple[int, ...]
    creates: tuple[int, ...]
    peer_creates: int
    faulty_creates: int
    pair_records: int
    growth: tuple[int, ...] = ()
    growth_creates: tuple[int, ...] = ()


SCALES = {
    scale.name: scale
    for scale in (
        # To see that everything runs; its figures say nothing.
        Scale(
            "smoke",
            1,
            1,
            2_000,
            (1_000, 5_000),
            (100, 300),
            60,
            200,
            200,
            (500, 1_000, 2_000),
            (50, 100, 200),
        ),
        Scale("bench", 3, 1, 100_000, (10_000, 100_000), (2_000, 10_000), 500, 2_000, 5_000),
        Scale(
            "bench-full",
            5,
            1,
            100_000,
            (10_000, 100_000, 1_000_000),
            (2_000, 10_000),
            2_000,
            2_000,
            5_000,
            (1_000, 10_000, 100_000, 1_000_000),
            (1_000, 10_000, 100_000),
        ),
    )
}
