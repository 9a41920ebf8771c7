"""Runs one command and measures it from outside; prints the measurement as JSON.

It is a process of its own because Linux starts a child's peak memory with that of the process that forked it: from
this one, which imports next to nothing, that is a few megabytes. It stands alone: only the standard library.

    python -I -S spawn.py STDIN STDOUT STDERR COMMAND [ARGUMENT ...]
"""

from __future__ import annotations

import os
import sys
import time


def measure(stdin: str, stdout: str, stderr: str, command: list[str]) -> dict[str, float]:
    """Run a command to its end.

    Args:
        stdin: File that it reads.
        stdout: File that its output goes to.
        stderr: File that its messages go to.
        command: The command, with its full path.

    Returns:
        ``wall`` and ``cpu`` in seconds (with the children that it waited for), ``peak`` in bytes (of the largest
        process among them), ``exit_code`` (negative: the signal that ended it).
    """
    create = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    files = [
        (os.POSIX_SPAWN_OPEN, 0, stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout, create, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr, create, 0o600),
    ]
    begun = time.monotonic()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=files)
    _, status, usage = os.wait4(pid, 0)
    return {
        "wall": time.monotonic() - begun,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak": usage.ru_maxrss * 1024,  # Linux counts kilobytes
        "exit_code": os.waitstatus_to_exitcode(status),
    }


if __name__ == "__main__":
    measured = measure(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
    print("{" + ", ".join(f'"{name}": {value}' for name, value in measured.items()) + "}")
