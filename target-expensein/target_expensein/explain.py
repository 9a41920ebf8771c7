"""Why a reference is what it is: the source record, the filter, the candidates, the decision, the past.

Nothing is decided here. The source comes through the intake, the decision out of the plan and the gate, exactly as in a
run; an explanation picks what concerns one reference and puts words to it. :func:`explain` gives plain JSON data,
:func:`text` the same for people. Nothing is written but a ledger file, if there was none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, Final

from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_expensein import exactjson, planfile
from target_expensein.api.client import ExpenseInClient
from target_expensein.api.errors import ApiError
from target_expensein.engine import plan_and_gate, read_live
from target_expensein.guard import Gated
from target_expensein.intake import Arrival, Intake, NotARecordError
from target_expensein.ledger import Entry, Ledger
from target_expensein.live import LiveIndex, fold_reference
from target_expensein.model import WRITES, Field, Kind, LiveRecord, SourceRecord, Value
from target_expensein.names import fold_name
from target_expensein.page import ORIGINS
from target_expensein.plan import percent
from target_expensein.reader import MessageReader
from target_expensein.reasons import REASONS, Reason
from target_expensein.report import directory_of
from target_expensein.run import connect, sync_tasks
from target_expensein.settings import ItemSettings, Settings
from target_expensein.visible import visible

TRAIL: Final = 10
"""How many entries of the ledger are shown for a reference."""

PLANS: Final = 100
"""How many of the last runs are looked through for a plan file."""

NO_KEY: Final = "api_key is not set, so ExpenseIn was not read"


@dataclass(slots=True)
class Seen:
    """One item's source side as it arrived, and the records of the reference in question.

    Attributes:
        intake: What a run would have of it.
        records: The records with the reference, as they arrived, other dimensions' included.
        lookalikes: References that differ from it only in case, spaces, leading zeros or Unicode form.
    """

    intake: Intake
    records: list[Mapping[str, Any]] = field(default_factory=list)
    lookalikes: list[str] = field(default_factory=list)


def read_source(
    items: Mapping[str, ItemSettings], reference: str, lines: IO[bytes] | IO[str]
) -> dict[str, Seen]:
    """Read a saved tap output into the intakes of some items.

    Args:
        items: The items' settings.
        reference: The reference in question.
        lines: The Singer messages.

    Returns:
        The source side of each item.

    Raises:
        InvalidInputLine: If the lines are not a Singer stream.
    """
    seen = {name: Seen(Intake(settings, keep_verdicts=True)) for name, settings in items.items()}
    reader = MessageReader()
    for message in reader.messages(lines):
        try:
            for one in seen.values():
                if message["type"] in _TAKE and message["stream"] == one.intake.settings.source.stream:
                    _TAKE[message["type"]](one, reference, message)
        except NotARecordError as error:
            raise InvalidInputLine(f"line {reader.line}: {error}") from None
    return seen


def _take_schema(seen: Seen, _reference: str, message: Mapping[str, Any]) -> None:
    seen.intake.open(message["schema"])


def _take_record(seen: Seen, reference: str, message: Mapping[str, Any]) -> None:
    if seen.intake.arrival is Arrival.MISSING:
        raise NotARecordError(f"a record of {message['stream']!r} comes before the stream's SCHEMA")
    record = message["record"]
    seen.intake.offer(record, message.get("version"))
    found = record.get(seen.intake.settings.source.reference)
    if found == reference:
        seen.records.append(record)
    elif isinstance(found, str) and fold_reference(found) == fold_reference(reference):
        seen.lookalikes.append(found)


def _take_end(seen: Seen, _reference: str, message: Mapping[str, Any]) -> None:
    seen.intake.close(message["version"])


_TAKE = {"SCHEMA": _take_schema, "RECORD": _take_record, "ACTIVATE_VERSION": _take_end}


def explain(
    settings: Settings, items: Sequence[str], reference: str, lines: IO[str] | None
) -> dict[str, Any]:
    """Explain a reference.

    Args:
        settings: The settings. Without a key in them, ExpenseIn is not read, and only the past is told.
        items: Names of the items to look into, all of them enabled.
        reference: The reference, character for character.
        lines: A saved tap output; None for what the last plan knew.

    Returns:
        JSON data, numbers as ``Decimal``.

    Raises:
        InvalidInputLine: If the lines are not a Singer stream.
        LedgerError: If the ledger cannot be read.
    """
    chosen = {name: settings.items[name] for name in items}
    seen = {} if lines is None else read_source(chosen, reference, lines)
    with ExitStack() as stack:
        ledger = stack.enter_context(Ledger.open(settings.ledger, settings.account))
        client = stack.enter_context(connect(ExpenseInClient, settings)) if settings.api_key else None
        last_plan = None if seen else _last_plan(settings, ledger)
        facts = []
        for name in items:
            live = NO_KEY if client is None else _read_live(client, name)
            if name in seen:
                facts.append(_explain_now(seen[name], live, ledger, reference))
            else:
                facts.append(_explain_then(name, last_plan, live, ledger, reference))
    return {"reference": reference, "account": settings.account, "items": facts}


def _read_live(client: ExpenseInClient, item: str) -> LiveIndex | str:
    """Return ExpenseIn's state of an item, or why it could not be read."""
    try:
        return read_live(client, item)
    except ApiError as error:
        return str(error)


def _last_plan(settings: Settings, ledger: Ledger) -> tuple[str, dict[str, Any]] | None:
    """Return the plan file of the latest sync that left one, and that run's id."""
    for run in ledger.history(PLANS):
        directory = directory_of(settings.output_dir, run.run_id)
        path = directory and directory / "plan.json"
        if run.mode in {"plan", "apply"} and path and path.is_file():
            try:
                document = planfile.load(path.read_text(encoding="utf-8"))
            except planfile.PlanFileError:
                continue
            return run.run_id, document
    return None


def _explain_now(seen: Seen, live: LiveIndex | str, ledger: Ledger, reference: str) -> dict[str, Any]:
    """Explain by what the source and ExpenseIn have now."""
    item = seen.intake.settings.item.name
    source = source_facts(seen, reference)
    task = sync_tasks({item: seen.intake.settings}, {item: seen.intake})[0]
    names = [mapped["value"] for mapped in source["mapping"] if mapped["field"] == Field.NAME]
    if task.problem is not None or isinstance(live, str):
        decision = _undecided(None, task.problem or str(live))
    else:
        gated = plan_and_gate(task, live, ledger)
        decision = {"run_id": None, "problem": None} | decided_now(seen, gated, reference)
    return {
        "item": item,
        "source": source,
        "expensein": live_facts(live, reference, names),
        "decision": decision,
        "past": _past(item, ledger, reference),
    }


def _explain_then(
    item: str, plan: tuple[str, dict[str, Any]] | None, live: LiveIndex | str, ledger: Ledger, reference: str
) -> dict[str, Any]:
    """Explain by what the last plan and ExpenseIn have."""
    run_id, document = plan or (None, {"items": []})
    of_item = next((one for one in document["items"] if one["item"] == item), None)
    decision = (
        _undecided(run_id, "no plan of it is left; give a saved tap output with --input")
        if of_item is None
        else {"run_id": run_id, "problem": of_item["problem"]} | decided_then(of_item, reference)
    )
    past = _past(item, ledger, reference)
    names = [row["name"] for row in decision["rows"] if row["name"]]
    return {
        "item": item,
        "source": None,
        "expensein": live_facts(live, reference, names),
        "decision": decision,
        "past": past,
    }


def _undecided(run_id: str | None, problem: str) -> dict[str, Any]:
    return {"run_id": run_id, "problem": problem, "rows": [], "holds": []}


def _past(item: str, ledger: Ledger, reference: str) -> dict[str, Any]:
    return past_facts(ledger.trail(item, reference, TRAIL), ledger.applied(item).get(reference))


def source_facts(seen: Seen, reference: str) -> dict[str, Any]:
    """Return what the source has of a reference: records, the filter's verdict on each, and the mapping.

    Args:
        seen: The item's source side.
        reference: The reference.
    """
    settings = seen.intake.settings
    reduced = [record for record in seen.intake.source.records if record.reference == reference]
    return {
        "stream": settings.source.stream,
        "problem": seen.intake.problem(),
        "records": [_record_facts(settings, record) for record in seen.records],
        "mapping": [mapped for record in dict.fromkeys(reduced) for mapped in _mapping(settings, record)],
        "lookalikes": sorted(set(seen.lookalikes)),
    }


def _record_facts(settings: ItemSettings, record: Mapping[str, Any]) -> dict[str, Any]:
    dimension = settings.source.dimension
    other = dimension is not None and record.get(dimension) != settings.dimension
    return {
        "record": dict(record),
        "dimension": f"not of the dimension {settings.dimension!r}: it takes no part" if other else None,
        "passes": not other and settings.filter.failed(record) is None,
        "conditions": [
            {
                "condition": str(condition),
                "value": record.get(condition.field),
                "passes": condition.passes(record),
            }
            for condition in settings.filter.conditions
        ],
    }


def _mapping(settings: ItemSettings, record: SourceRecord) -> Iterator[dict[str, Any]]:
    """Yield for each ExpenseIn field where it comes from, its value, and when it is written."""
    source, item, decisions = settings.source, settings.item, settings.decisions
    rate = record.rate
    fields: tuple[tuple[Field, str | None, Value, Value], ...] = (
        (Field.REFERENCE, source.reference, record.reference, record.reference),
        (Field.NAME, source.name, record.name, record.name),
        (
            Field.RATE,
            source.rate,
            rate,
            percent(rate, decisions.rate_unit) if rate is not None and rate.is_finite() else None,
        ),
        (Field.IS_ACTIVE, source.active, record.active, record.active),
        (Field.APPLIES_TO, None, None, list(decisions.applies_to)),
    )
    for name, source_field, source_value, value in fields:
        if name is Field.REFERENCE:
            written = "with a new record; records are matched on it"
        elif name in item.owned:
            written = "whenever ExpenseIn has another one"
        elif name in item.on_creation and name not in decisions.absent:
            written = "with a new record only"
            if name in item.observed:
                written += ", compared ever after"
            if name is Field.IS_ACTIVE and item.wakes:
                written += ", and to make an inactive one active"
        else:
            continue
        yield {
            "field": name.value,
            "from": source_field,
            "source_value": source_value,
            "value": value,
            "written": written,
        }


def live_facts(live: LiveIndex | str, reference: str, names: Iterable[str]) -> dict[str, Any]:
    """Return ExpenseIn's records that could be meant.

    Args:
        live: ExpenseIn's state, or why it could not be read.
        reference: The reference.
        names: The names that the reference has at the source.

    Returns:
        Those with the reference, those whose reference looks alike, and others of the same name (with a reference: but
        for case and spacing).
    """
    if isinstance(live, str):
        return {"problem": live, "exact": [], "lookalikes": [], "same_name": []}
    exact = live.matches(reference)
    wanted = {*names, *(record.name or "" for record in exact)} - {""}
    folded = {fold_name(name) for name in wanted}
    namesakes = [record for name in sorted(wanted) for record in live.unreferenced(name)]
    namesakes += [
        record
        for other, records in live.references()
        for record in records
        if other != reference and fold_name(record.name) in folded
    ]
    return {
        "problem": None,
        "exact": [_live(record) for record in exact],
        "lookalikes": [_live(record) for record in live.lookalikes(reference)],
        "same_name": [_live(record) for record in namesakes],
    }


def _live(record: LiveRecord) -> dict[str, Any]:
    facts = {
        "id": record.id,
        "reference": record.reference,
        "name": record.name,
        "is_active": record.is_active,
        "rate": record.rate,
    }
    return {
        name: value for name, value in facts.items() if value is not None or name in {"reference", "name"}
    }


def decided_now(seen: Seen, gated: Gated, reference: str) -> dict[str, Any]:
    """Return what the plan and the gate say about a reference.

    Args:
        seen: The item's source side.
        gated: The item's plan after the gate.
        reference: The reference.

    Returns:
        The rows with their meaning, and the holds on the whole item. A plan has no rows for what is as it should be
        and for what the filter kept out; then there is one row here that says so.
    """
    document = planfile.plan_document({gated.plan.item: gated}, configuration="")["items"][0]
    decision = decided_then(document, reference)
    if any(row["kind"] != Kind.NOTICE for row in decision["rows"]):
        return decision
    verdicts = [one.failed for one in seen.intake.verdicts or () if one.reference == reference]
    if None in verdicts:
        decision["rows"].insert(0, _explained({"reason": "equal", "fields": {}, "detail": ""}))
    elif verdicts:
        row = {"reason": "filtered", "fields": {}, "detail": f"not: {verdicts[0]}"}
        decision["rows"].insert(0, _explained(row))
    return decision


def decided_then(item_document: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Return what a plan document says about a reference.

    Args:
        item_document: The item's part of the document.
        reference: The reference.
    """
    return {
        "rows": [_explained(row) for row in item_document["rows"] if row["reference"] == reference],
        "holds": [_explained(hold) for hold in item_document["holds"]],
    }


def _explained(decided: Mapping[str, Any]) -> dict[str, Any]:
    """Add to a row or a hold what its reason means."""
    code = decided["reason"]
    reason = REASONS.get(code) or Reason(Kind.NOTICE, "", code.replace("_", " "))  # of another version's plan
    words = {
        "kind": reason.kind.value,
        "meaning": reason.meaning,
        "rules": reason.rules,
        "advice": reason.advice,
    }
    return words | dict(decided)


def past_facts(trail: Sequence[Entry], applied: Mapping[str, Value] | None) -> dict[str, Any]:
    """Return what the ledger knows of a reference.

    Args:
        trail: What the last runs did to it, newest first.
        applied: What was applied last; None when nothing was.
    """
    return {
        "last_applied": None if applied is None else dict(applied),
        "entries": [
            {
                "run_id": entry.run_id,
                "at": entry.noted_at.isoformat(timespec="seconds"),
                "kind": entry.row.kind.value,
                "reason": entry.reason,
                "fields": {
                    change.field.value: {
                        "before": change.before,
                        "after": change.after,
                        "origin": change.origin.value,
                    }
                    for change in entry.row.changes
                },
                "status": "not known" if entry.status is None else entry.status.value,
                "detail": entry.detail or entry.row.detail,
            }
            for entry in trail
        ],
    }


def text(explanation: Mapping[str, Any]) -> str:
    """Return an explanation for people.

    Args:
        explanation: What :func:`explain` gave.

    Returns:
        Lines of text. Texts from outside are quoted, so that blanks show and no control character reaches the terminal.
    """
    reference = explanation["reference"]
    lines: list[str] = []
    unknown = []
    for facts in explanation["items"]:
        if is_known(facts):
            lines += _item_lines(facts, reference)
        else:
            unknown.append(facts["item"])
    if unknown:
        lines.append(f"Nothing is known of {_shown(reference)} in {', '.join(unknown)}.")
    return "".join(f"{visible(line)}\n" for line in lines)


def is_known(facts: Mapping[str, Any]) -> bool:
    """Tell whether there is anything to say about the reference in an item, a failure included.

    Args:
        facts: The item's part of an explanation.
    """
    source, live, decision, past = (facts[part] for part in ("source", "expensein", "decision", "past"))
    return bool(
        (source and (source["problem"] or source["records"] or source["lookalikes"]))
        or (live["problem"] not in {None, NO_KEY})
        or live["exact"]
        or live["lookalikes"]
        or decision["rows"]
        or past["entries"]
        or past["last_applied"]
    )


def _item_lines(facts: Mapping[str, Any], reference: str) -> Iterator[str]:
    yield f"{facts['item']} {_shown(reference)}"
    yield from _source_lines(facts["source"])
    yield from _live_lines(facts["expensein"])
    yield from _decision_lines(facts["decision"])
    yield from _past_lines(facts["past"])
    yield ""


def _source_lines(source: Mapping[str, Any] | None) -> Iterator[str]:
    if source is None:
        yield "  Source: not given (--input FILE: a saved tap output)"
        return
    yield f"  Source, stream {source['stream']}: {len(source['records']) or 'no'} record(s) with this reference"
    for facts in source["records"]:
        yield "    " + ", ".join(f"{name}: {_shown(value)}" for name, value in facts["record"].items())
        if facts["dimension"]:
            yield f"      {facts['dimension']}"
        yield f"      Filter: {'passes' if facts['passes'] else 'kept out'}" + (
            "" if facts["conditions"] else " (there are no conditions)"
        )
        for condition in facts["conditions"]:
            verdict = "yes" if condition["passes"] else "NO "
            yield f"        {verdict}  {condition['condition']}: it is {_shown(condition['value'])}"
    if source["lookalikes"]:
        yield f"    The source also has: {', '.join(map(_shown, source['lookalikes']))}"
    if source["mapping"]:
        yield "    Becomes in ExpenseIn:"
    for mapped in source["mapping"]:
        origin = (
            "the settings" if mapped["from"] is None else f"{mapped['from']} {_shown(mapped['source_value'])}"
        )
        yield f"      {mapped['field']} {_shown(mapped['value'])} ← {origin}; written {mapped['written']}"


def _live_lines(live: Mapping[str, Any]) -> Iterator[str]:
    yield "  ExpenseIn now:"
    if live["problem"]:
        yield f"    {live['problem']}"
        return
    titles = {"exact": "This reference", "lookalikes": "Looks alike", "same_name": "Same name"}
    for key, title in titles.items():
        for record in live[key]:
            yield f"    {title}: " + ", ".join(f"{name} {_shown(value)}" for name, value in record.items())
    if not any(live[key] for key in titles):
        yield "    no record with this reference, one that looks alike, or this name"


def _decision_lines(decision: Mapping[str, Any]) -> Iterator[str]:
    yield f"  Decision {'now' if decision['run_id'] is None else 'in run ' + decision['run_id']}:"
    if decision["problem"]:
        yield f"    none: {decision['problem']}"
        return
    if not decision["rows"]:
        yield "    no row in the plan: already as it should be, kept out by the filter, or nowhere"
    for row in decision["rows"]:
        yield f"    {row['kind']}: {row['meaning']} [{row['reason']}, {row['rules']}]"
        for name, change in row["fields"].items():
            yield f"      {_change_line(name, change)} ({ORIGINS[change['origin']]})"
        if row["detail"]:
            yield f"      {row['detail']}"
        if row["advice"]:
            yield f"      What to do: {row['advice']}."
    for hold in decision["holds"]:
        yield f"  Gate: holds the whole item: {hold['meaning']} [{hold['reason']}, {hold['rules']}]"
        yield from (f"    {line}" for line in hold["message"].splitlines())
        yield f"    What to do: {hold['advice']}."
    if not decision["holds"]:
        writes = any(row["kind"] in WRITES for row in decision["rows"])
        yield f"  Gate: lets the item pass{', this change included' if writes else ''}"


def _past_lines(past: Mapping[str, Any]) -> Iterator[str]:
    applied = past["last_applied"]
    shown = (
        "nothing" if not applied else ", ".join(f"{name} {_shown(value)}" for name, value in applied.items())
    )
    yield f"  Last applied: {shown}"
    for entry in past["entries"]:
        changes = ", ".join(_change_line(name, change) for name, change in entry["fields"].items())
        detail = f": {entry['detail']}" if entry["detail"] else ""
        yield f"    {entry['at']} run {entry['run_id']}: {entry['kind']} [{entry['reason']}] {changes} - {entry['status']}{detail}"


def _change_line(name: str, change: Mapping[str, Any]) -> str:
    return f"{name} {_shown(change['before'])} → {_shown(change['after'])}"


def _shown(value: object) -> str:
    """Return a value as JSON, decimals digit for digit, so that blanks can be seen."""
    return exactjson.one_line(value)
