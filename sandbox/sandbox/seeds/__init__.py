"""What the sandbox starts with: seeds by name, from a file, or of any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from pathlib import Path
from typing import Final

from sandbox.exactjson import loads
from sandbox.seeds.company import company
from sandbox.seeds.generated import generate
from sandbox.seeds.state import SeedError, State, complete

__all__ = ["NAMES", "SeedError", "generate", "load"]

_GENERATED: Final = "generated"
_NAMED: Final[dict[str, Callable[[], State]]] = {
    "company": company,
    "empty": lambda: complete({}),
    _GENERATED: generate,
}
NAMES: Final = tuple(_NAMED)
"""The names that `load` knows."""


def load(seed: str | Path | Mapping[str, object]) -> State:
    """Load a seed.

    Args:
        seed: A name (see `NAMES`), `generated:` with sizes such as `generated:suppliers=500,seed=7`, the path of a JSON
            file, or a state itself. File and state may be partial, see `state.complete`.

    Returns:
        A complete state.

    Raises:
        SeedError: There is no such seed, or it cannot be used.
    """
    if isinstance(seed, Mapping):
        return complete(seed)
    name = str(seed)
    if name in _NAMED:
        return _NAMED[name]()
    if name.startswith(f"{_GENERATED}:"):
        return generate(**_sizes(name.removeprefix(f"{_GENERATED}:")))
    return _read(Path(seed))


def _sizes(text: str) -> dict[str, int]:
    known = tuple(signature(generate).parameters)
    sizes = {}
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name.strip() not in known:
            message = f"generated seed: unknown size {name.strip()!r}; known are {', '.join(known)}"
            raise SeedError(message)
        try:
            sizes[name.strip()] = int(number)
        except ValueError:
            message = f"generated seed: {part.strip()!r} needs a whole number, as in {name.strip()}=100"
            raise SeedError(message) from None
    return sizes


def _read(path: Path) -> State:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"there is no seed {str(path)!r} (names: {', '.join(NAMES)}), and it cannot be read as a file: {error}"
        raise SeedError(message) from None
    except UnicodeDecodeError:
        message = f"the seed file {path} is not UTF-8 text"
        raise SeedError(message) from None
    try:
        given = loads(text)
    except ValueError as error:
        message = f"the seed file {path} is not JSON: {error}"
        raise SeedError(message) from None
    try:
        return complete(given)
    except SeedError as error:
        message = f"the seed file {path}: {error}"
        raise SeedError(message) from None
