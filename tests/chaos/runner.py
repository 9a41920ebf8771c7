"""Plays a case: edits, faults, kills, then runs until quiet; and checks after every run and at the end."""

from __future__ import annotations

import json
import random
import shutil
import signal
import tempfile
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.requestlog import Entry, Moment
from sandbox.testing import Sandbox
from target_expensein.apply import Status
from target_expensein.ledger import Entry as LedgerEntry
from target_expensein.ledger import Ledger
from target_expensein.model import Kind

from .cases import Case, Kill, Step
from .configs import Configs
from .disk import Disk
from .executions import ROOT, Execution, Hangs, Meltano, Pair, Zygote
from .model import COLLECTION, Model
from .sides import ENTITY, Sides

QUIET_RUNS = 12
"""After how many undisturbed runs it must be quiet."""


@dataclass
class Played:
    """What came of a case.

    Attributes:
        problems: One sentence for each thing that must not be; none when the case passed.
        counts: What happened, for the totals.
        log: What the programs said, and what was done to them.
    """

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    log: list[str] = field(default_factory=list)


class Player:
    """Plays cases, one after the other, against one sandbox and with one zygote."""

    def __init__(self, box: Sandbox, zygote: Zygote) -> None:
        """Remember what to play with."""
        self._box = box
        self._zygote = zygote

    def play(self, case: Case) -> Played:
        """Play a case."""
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            play = _Play(self._box, self._zygote, case, Path(folder))
            try:
                play.play()
            except Hangs as error:
                play.played.problems.append(str(error))
            except Exception:  # what the case itself stumbles over must name the case as well
                play.played.problems.append(traceback.format_exc())
            finally:
                self._box.observe(None)
            if play.played.problems:
                play.keep_traces(ROOT / ".chaos" / case.name.replace("/", "-"))
            return play.played


class _Play:
    """One case being played."""

    def __init__(self, box: Sandbox, zygote: Zygote, case: Case, folder: Path) -> None:
        self._box = box
        self._case = case
        self._folder = folder
        self._recorded = folder / "recorded.jsonl"
        self._is_recorded = False
        self._pair = Pair(zygote, folder)
        self._meltano: Meltano | None = None
        self._model = Model()
        self._rng = random.Random(case.name)  # noqa: S311 - reproducible on purpose
        self._sides = Sides(box, self._model)
        self._configs = Configs(box, case, folder)
        self._disk = Disk(folder, self._configs, self._rng)
        self._requests: list[dict[str, Any]] = []
        self.played = Played()

    def play(self) -> None:
        """Play it."""
        self._set_up()
        for number, step in enumerate(self._case.steps):
            self._say(f"--- step {number}: {step}")
            self._step(step)
            if self.played.problems:
                return
        self._until_quiet()
        self._check_ledger()

    def keep_traces(self, folder: Path) -> None:
        """Keep what helps to understand a case that failed."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(
            self._folder, folder, symlinks=True, ignore=shutil.ignore_patterns("home", ".meltano")
        )
        requests = [json.dumps(request, default=str) for request in self._requests + self._box.requests()]
        (folder / "requests.jsonl").write_text("\n".join(requests))
        (folder / "log.txt").write_text("\n".join(self.played.log))

    # --- before -------------------------------------------------------------------------------------------------------

    def _set_up(self) -> None:
        case, box = self._case, self._box
        box.reset({"accountsiq": {"entities": {ENTITY: {"name": "One Ltd"}}}})
        box.configure(expensein=case.expensein)
        for item, rows in self._sides.source.items():
            rows += [self._sides.new_row(item, self._rng, f"{n + 1:03}") for n in range(case.rows)]
        self._sides.tell_source()
        for collection in COLLECTION.values():  # some are there already, under another name
            for number in range(case.rows):
                if self._rng.random() < case.already:
                    self._sides.add_by_hand(collection, f"{number + 1:03}", self._rng)
        self._configs.write()
        if case.meltano:
            self._meltano = Meltano(self._folder, self._configs.environment())
            shutil.copy(ROOT / "meltano.yml", self._folder)
            (self._folder / ".venv").symlink_to(ROOT / ".venv")

    # --- a step -------------------------------------------------------------------------------------------------------

    def _step(self, step: Step) -> None:
        for number in step.source_edits:
            self._sides.edit_source(number)
        if step.source_edits:
            self._sides.tell_source()
            self._is_recorded = False
        self._look()  # a creation that the last run left on its way may have arrived
        for number in step.hand_edits:
            self._sides.edit_by_hand(number)
        if step.all_names:
            self._sides.edit_all_names()
        if not step.tap:
            self._record()
        if self._sides.take_added():
            time.sleep(
                self._case.expensein.get("list_delay", 0)
            )  # no sync can see what an admin made just now
        watch = _Watch(self, step)
        self._box.configure(accountsiq=self._case.accountsiq)
        self._box.faults(step.faults)
        self._box.observe(watch.see)
        largest_file = self._disk.before(step.disk)
        at = step.kill.after if step.kill and step.kill.side is None else None
        try:
            if self._meltano is None:
                execution = self._pair.run(None if step.tap else self._recorded, largest_file, at, watch.kill)
            else:
                execution = self._meltano.run(at, watch.kill)
        finally:
            self._box.observe(None)
            self._box.clear_faults()
            self._box.configure(accountsiq={"token_lifetime": 1200})
            self._disk.mend()
        self._sides.were_sent(self._box.requests("expensein"))
        self.played.counts["disturbed runs"] += 1
        self.played.counts.update(watch.counts)
        self.played.counts.update(
            f"fault {request['fault']}" for request in self._box.requests() if request["fault"]
        )
        self._forget_requests()
        if step.disk:
            self.played.counts["disk troubles"] += 1
        self._judge(execution, disturbed=True)
        refused = any(400 <= rule["fault"].get("status", 0) < 500 for rule in step.faults)
        if execution.states and not step.edit_at and not step.edit_at_put and not refused:
            self._check_states(execution)
        self._look()

    def _forget_requests(self) -> None:
        self._requests += self._box.requests()
        self._box.clear_requests()

    def _record(self) -> None:
        if not self._is_recorded:
            if self._pair.record(self._recorded):
                self._fail("the tap failed although nothing disturbed it")
            self._is_recorded = True

    def fill_the_disk(self) -> None:
        """Let nothing be written any more by the target that is at work."""
        self._pair.fill_the_disk()

    def fail(self, problem: str) -> None:
        """Take note of what must not be."""
        self._fail(problem)

    def spoil(self, disk: str | None) -> None:
        """Put something in the way while the run is at work."""
        self._disk.during(disk)

    def kill(self, kill: Kill) -> int:
        """Kill the victims; return how many were at work."""
        if self._meltano is not None:
            self._meltano.kill(kill.signal, everybody=kill.victims == ("all",))
            return 1
        return self._pair.kill(kill.victims, kill.signal)

    def edit_during(self, number: int) -> None:
        """Edit by hand while the run is at work."""
        self._look()
        self._sides.edit_by_hand(number, existing_only=True)

    def edit_what_is_written(self, path: str, number: int) -> bool:
        """Edit by hand what a PUT is about to change; return whether it is there."""
        self._look()
        return self._sides.edit_what_is_written(path, number)

    # --- checks -------------------------------------------------------------------------------------------------------

    def _live(self) -> dict[str, list[dict[str, Any]]]:
        return {collection: self._box.live(collection) for collection in COLLECTION.values()}

    def _look(self) -> None:
        for problem in self._model.witness(self._live()):
            self._fail(problem)

    def _judge(self, execution: Execution, *, disturbed: bool) -> None:
        self._say(f"codes {execution.codes}, states {execution.states}\n{execution.log}")
        if "Traceback" in execution.log and self._meltano is None:
            self._fail("a traceback was shown")
        if self._box.api_key in execution.log or self._box.client_secret in execution.log:
            self._fail("a secret was shown")
        endings = {0, 1, 3, 128 + signal.SIGTERM, -signal.SIGKILL, -signal.SIGTERM} if disturbed else {0, 3}
        for program, code in execution.codes.items():
            if code not in endings and self._meltano is None:
                self._fail(f"{program} ended with {code}: {execution.log[-2000:]}")

    def _check_states(self, execution: Execution) -> None:
        """STATE never ahead of what is written."""
        feeds = {"accounts": "categories", "bi_codes": "projects", "dimension_options": "departments"}
        ahead = {
            feeds.get(stream, stream) for state in execution.states for stream in state.get("bookmarks", {})
        }
        source = {item: rows for item, rows in self._sides.source.items() if item in ahead}
        self.played.counts["states checked"] += 1
        for problem in self._model.behind(self._live(), source):
            self._fail(f"STATE was passed on although {problem}")

    def _until_quiet(self) -> None:
        self._say("--- until quiet")
        self._record()
        for number in range(QUIET_RUNS):
            self._forget_requests()
            if self._meltano is not None and number == 0:
                execution = self._meltano.run()
            else:
                execution = self._pair.run(self._recorded if number else None)
            self.played.counts["undisturbed runs"] += 1
            self._judge(execution, disturbed=self._meltano is not None and number == 0)
            self._look()
            if self.played.problems:
                return
            if execution.codes.get("meltano"):
                continue  # a killed Meltano counts as running for five minutes, and the next one refuses
            writes = sum(
                n for name, n in self._box.counters()["expensein"].items() if not name.startswith("GET")
            )
            open_ends = self._open_ends()
            if not writes and not open_ends:
                break
            if open_ends:
                time.sleep(self._case.shows_within / 2)
        else:
            self._fail(f"it is not quiet after {QUIET_RUNS} undisturbed runs")
        for problem in self._model.behind(self._live(), self._sides.source):
            self._fail(f"in the end {problem}")

    def _open_ends(self) -> int:
        """How much is left open; in the ledger also what the source has no longer, and the report says nothing of."""
        summary = json.loads((self._configs.output / "latest/summary.json").read_text())
        with Ledger.open(str(self._configs.ledger), "default") as ledger:
            in_ledger = len(ledger.unsettled())
        return in_ledger + sum(item["counts"]["unsettled"] for item in summary["items"].values())

    def _check_ledger(self) -> None:
        """Everything that happened is on record, nothing is left open, and the chain fits."""
        refused = any(
            rule["fault"]["type"] == "status_after" for step in self._case.steps for rule in step.faults
        )
        with Ledger.open(str(self._configs.ledger), "default") as ledger:
            for broken in ledger.verify():
                self._fail(f"ledger: {broken}")
            for entry in ledger.unsettled():
                self._fail(
                    f"ledger: {entry.row.item} {entry.row.reference!r} of run {entry.run_id} is still open"
                )
            entries = [entry for run in ledger.history(1000) for entry in ledger.entries(run.run_id)]
        written = {(one.row.item, one.row.reference, one.row.kind) for one in entries}
        told = {
            (one.row.item, one.row.reference)
            for one in entries
            if one.row.kind is Kind.CREATE and self._is_true_of_what_happened(one, refused=refused)
        }
        for item, reference in self._model.created - told:
            self._fail(f"ledger: nothing says that {item} {reference!r} was created")
        for item, reference in self._model.changed:
            if (item, reference, Kind.UPDATE) not in written:
                self._fail(f"ledger: nothing says that {item} {reference!r} was changed")
        code, said = self._pair.history()
        if code:
            self._fail(f"expensein history --verify ended with {code}: {said}")
        self.played.counts["records created"] += len(self._model.created)
        self.played.counts["records changed"] += len(self._model.changed)

    def _is_true_of_what_happened(self, entry: LedgerEntry, *, refused: bool) -> bool:
        taken_away = self._model.taken_away.get((entry.row.item, entry.row.reference or ""))
        is_there = str(entry.answer) in self._model.expected[COLLECTION[entry.row.item]]
        return is_true_of_what_happened(entry, taken_away=taken_away, is_there=is_there, refused=refused)

    def _fail(self, problem: str) -> None:
        if problem not in self.played.problems:
            self.played.problems.append(problem)
            self._say(f"PROBLEM: {problem}")

    def _say(self, text: str) -> None:
        self.played.log.append(text)


def is_true_of_what_happened(
    entry: LedgerEntry, *, taken_away: datetime | None, is_there: bool, refused: bool
) -> bool:
    """Tell whether the ledger may say this of a creation that happened.

    "Failed" is true if an admin took the record away before that was noted, for then no list showed it to the run that
    noted it: admins do that between two runs, and a run reads before it notes. It is not true of a record that is there
    under the ID by which the server confirmed it.

    Args:
        entry: What the ledger says.
        taken_away: When an admin removed the record or took the reference from it; None when nobody did.
        is_there: Whether a record has the ID that the server confirmed.
        refused: Whether the server refused after it had done the work.
    """
    match entry.status:
        case Status.DONE:
            return True
        case Status.REJECTED:
            return refused
        case Status.FAILED if taken_away and entry.settled_at:
            return entry.settled_at > taken_away and not is_there
        case _:
            return False


class _Watch:
    """Sees every request of a step, in the server's thread, and strikes at the right one."""

    def __init__(self, play: _Play, step: Step) -> None:
        self._play = play
        self._step = step
        self._seen: Counter[str] = Counter()
        self._hits = 0
        self._writes = 0
        self.counts: Counter[str] = Counter()

    def see(self, moment: Moment, entry: Entry) -> None:
        """Be told of a request."""
        try:
            self._see(moment, entry)
        except Exception:  # what the case itself stumbles over must not look like a fault of the server
            self._play.played.problems.append(traceback.format_exc())

    def _see(self, moment: Moment, entry: Entry) -> None:
        kill = self._step.kill
        if moment is Moment.ARRIVED:
            if entry.side == "expensein":
                self._seen["expensein"] += 1
                if edit := self._step.edit_at.get(self._seen["expensein"]):
                    self._play.edit_during(edit)
                    self.counts["edits during a run"] += 1
            if (entry.method != "GET" and entry.side == "expensein") or self._seen["expensein"] == 1:
                self._play.spoil(self._step.disk)
            if entry.method != "GET" and entry.side == "expensein":
                self._write(entry)
        if (
            kill
            and kill.side == entry.side
            and kill.moment == moment.value
            and kill.method in {"*", entry.method}
        ):
            self._hits += 1
            if self._hits == kill.number:
                self.kill()

    def _write(self, entry: Entry) -> None:
        """Be told of a write that arrives."""
        self._writes += 1
        if entry.method == "PUT":
            self._seen["PUT"] += 1
            edit = self._step.edit_at_put.get(self._seen["PUT"])
            if edit is not None and self._play.edit_what_is_written(entry.path, edit):
                self.counts["edits between reading and writing"] += 1
        if self._writes == self._step.full_at:
            self._play.fill_the_disk()
            self.counts["disks that got full between two writes"] += 1
        elif self._step.full_at and self._writes > self._step.full_at:
            self._play.fail("a write was sent although nothing can be noted any more")

    def kill(self) -> None:
        """Strike."""
        if self._step.kill is not None:
            number = self._play.kill(self._step.kill)
            self.counts[f"kills by {signal.Signals(self._step.kill.signal).name}"] += number
