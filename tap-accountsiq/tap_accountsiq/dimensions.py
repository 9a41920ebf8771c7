"""Which dimension options a BI code points to: resolved by the option's code, which is unique within an entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

EXAMPLES = 5
"""How many BI codes a notice names."""


class Dimensions:
    """The dimension options of one entity, ready to be looked up.

    The code decides, not the position: AnalysisCode2 need not hold an option of the second dimension. Where the two
    disagree, and where a code belongs to no dimension, `notices` says so.

    Args:
        options: The records of the stream ``dimension_options``, in the order of the service.
    """

    FIELDS: ClassVar = tuple(f"analysis_code_{position}" for position in range(1, 7))
    """The fields of a BI code that hold option codes, in the order of the dimensions."""

    def __init__(self, options: Iterable[Mapping[str, Any]]) -> None:
        """See the class."""
        self._options: dict[str, list[Mapping[str, Any]]] = {}
        self._elsewhere: list[str] = []
        self._unknown: list[str] = []
        for option in options:
            self._options.setdefault(option["code"], []).append(option)

    def __call__(self, record: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Resolve the option codes of a BI code.

        Args:
            record: A record of the stream ``bi_codes``, with ``code`` and `FIELDS`.

        Returns:
            One entry for each option code that is there, in the order of the fields. An unknown code keeps its entry,
            without a dimension.
        """
        entries = []
        for position, name in enumerate(self.FIELDS, 1):
            if code := record[name]:
                option = self._find(code, position)
                if not option:
                    self._unknown.append(f"{record['code']} ({name} {code!r})")
                elif option["dimension_position"] != position:
                    self._elsewhere.append(
                        f"{record['code']} ({name} {code!r} belongs to {option['dimension_code']})"
                    )
                entries.append(
                    {
                        "position": position,
                        "dimension_code": option.get("dimension_code"),
                        "dimension_description": option.get("dimension_description"),
                        "code": code,
                        "description": option.get("description"),
                    }
                )
        return entries

    def _find(self, code: str, position: int) -> Mapping[str, Any]:
        """Look an option up; should its code not be unique after all, the dimension at the position comes first."""
        found = self._options.get(code, [])
        return min(found, key=lambda each: each["dimension_position"] != position, default={})

    def notices(self) -> Iterator[str]:
        """Say where position and code disagreed, and which codes are unknown: one sentence for each kind."""
        for what, cases in (
            ("stand at the position of another dimension; the code decides", self._elsewhere),
            ("belong to no dimension", self._unknown),
        ):
            if cases:
                more = f" and {len(cases) - EXAMPLES} more" if len(cases) > EXAMPLES else ""
                yield f"{len(cases)} option codes of BI codes {what}: {', '.join(cases[:EXAMPLES])}{more}."
