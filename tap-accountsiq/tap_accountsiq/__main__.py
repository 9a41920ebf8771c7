"""The command ``tap-accountsiq``, also as ``python -m tap_accountsiq``.

Discovery depends on no setting and on no answer, so ``--discover`` prints a file: Meltano asks for it before every run, and the
start of the whole tap would be the larger part of that. The file is made, and held to what the streams declare, by
:mod:`tap_accountsiq.discovery`.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

CATALOG = Path(__file__).with_name("catalog.json")
FROM_ENVIRONMENT = ("--config", "ENV")


def main() -> None:
    """Print the catalog if that is all that is asked for; else run the tap."""
    if asks_for_the_catalog_alone(sys.argv[1:]):
        sys.stdout.write(CATALOG.read_text(encoding="utf-8"))
        return
    gc.disable()  # importing makes no garbage, but to look for it, 200 times, is an eighth of a short run
    from tap_accountsiq.tap import TapAccountsIQ  # noqa: PLC0415 - takes most of the time of a start

    gc.freeze()
    gc.enable()
    TapAccountsIQ.cli()


def asks_for_the_catalog_alone(arguments: list[str]) -> bool:
    """Tell whether a command line is ``--discover``, with nothing but configurations and a state that are there.

    Args:
        arguments: The arguments of the command; Meltano gives the state, too.
    """
    rest = iter(arguments)
    files = [(option, next(rest, "")) for option in rest if option in {"--config", "--state"}]
    others = len(arguments) - 2 * len(files)
    return (
        others == 1
        and "--discover" in arguments
        and all((option, name) == FROM_ENVIRONMENT or Path(name).is_file() for option, name in files)
    )


if __name__ == "__main__":
    main()
