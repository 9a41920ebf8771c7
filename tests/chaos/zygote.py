"""A process that has imported tap and target, and forks a child for each execution of one of them.

So an execution costs tens of milliseconds instead of a second of imports, and still is a process of its own that can be
killed. In the children only the waits between the attempts at a request are shortened; nothing else is changed.

Its arguments are the descriptor of a socket, over which it obeys one client, and how to break the target, if at all. It
says when it is ready. A message with the descriptors of the child's standard streams starts a child and is answered with
its process id; a message ``{"wait": pid}`` is answered with the child's exit status.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import socket
import sys
import time
import traceback
from typing import Any

import sqlalchemy.dialects.sqlite
from tap_accountsiq import client as tap_client
from tap_accountsiq.tap import TapAccountsIQ
from target_expensein import page, planfile, report
from target_expensein.api import client as target_client
from target_expensein.api.profile import load_profile
from target_expensein.api.retry import RetryPolicy
from target_expensein.commands import main as expensein
from target_expensein.target import TargetExpenseIn

from chaos.sabotage import SABOTAGES

PROGRAMS = {"tap": TapAccountsIQ.cli, "target": TargetExpenseIn.cli, "expensein": expensein}
PRELOADED = (planfile, report, sqlalchemy.dialects.sqlite)
MESSAGE = 1 << 20


def shorten_the_waits() -> None:
    """Make both plugins wait for hundredths of a second between attempts, whatever the server asks for."""
    tap_client.BACK_OFF = (0.01, 0.02, 0.05, 0.1, 0.2)
    tap_client.AccountsIQ.__init__.__kwdefaults__["sleep"] = lambda seconds: time.sleep(min(seconds, 0.2))
    target_client.RetryPolicy = functools.partial(
        RetryPolicy, first_delay=0.01, longest_delay=0.1, longest_retry_after=0.2
    )


def main() -> None:
    """Obey until the client hangs up."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    load_profile()
    page._template()
    shorten_the_waits()
    if sys.argv[2]:
        SABOTAGES[sys.argv[2]]()
    connection.send(b"ready")
    while True:
        data, descriptors, _, _ = socket.recv_fds(connection, MESSAGE, 3)
        if not data:
            connection.close()
            return
        order = json.loads(data)
        if "wait" in order:
            _, answer = os.waitpid(order["wait"], 0)
        else:
            answer = os.fork()
            if answer == 0:
                connection.close()
                _execute(order, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
        connection.send(str(answer).encode())


def _execute(order: dict[str, Any], descriptors: list[int]) -> None:
    """Be a program, and end."""
    code: Any = 70
    try:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        # Those that were inherited remember what the zygote's own streams can do.
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w", buffering=1)  # noqa: SIM115
        os.closerange(3, 64)
        os.chdir(order["folder"])
        sys.argv = [order["program"], *order["arguments"]]
        if order["largest_file"] is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"], order["largest_file"]))
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        PROGRAMS[order["program"]]()
        code = 0
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            sys.stderr.write(f"{code}\n")
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                code = code or 1
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
