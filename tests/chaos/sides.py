"""Both sides while a case is played: what AccountsIQ has, and what admins do by hand in ExpenseIn."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from sandbox.testing import Sandbox

from .model import COLLECTION, Model, Row

ENTITY = "ONE"
UNOWNED: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "categories": (
        ("description", "by hand"),
        ("appliesTo", ["time", "invoice"]),
        ("fixedAmount", Decimal("12.50")),
        ("requiresReceipt", True),
    ),
    "projects": (
        ("isActive", False),
        ("isBillable", True),
        ("description", "mine"),
        ("approvalFlowId", "F1"),
    ),
    "departments": (("approvalFlowId", "F2"), ("visibility", "managers")),
    "taxrates": (("visibility", "nobody"), ("rate", Decimal("19.5"))),
    "suppliers": (
        ("isActive", False),
        ("iban", "GB33BUKB20201555555555"),
        ("email", "a@b.example"),
        ("paymentTerms", "30"),
    ),
}
UNKNOWN = (("x-custom", {"deep": [1, None, "ü"]}), ("budget", Decimal("0.10")), ("tags", []))
NAMES = (
    "Travel",
    "Meals & Drinks",
    'O\'Brien "Ltd"',
    "Größe",
    "=cmd()",
    "<b>Bold</b>",
    "日本",
    "a" * 200,
    "Zoë\u2019s",
    "x",
)
KEPT = 0.7
"""How many of the edits of what is being written are of fields that the sync must keep."""
ODD_CODES = (" 7", "007", "7", "A1", "a1", "\uff211", "é", "%2e/..", "0")


class Sides:
    """The source's rows, and edits on both sides; the model is told of all of them.

    Attributes:
        source: Item → the rows that AccountsIQ has now.
    """

    def __init__(self, box: Sandbox, model: Model) -> None:
        """Begin with empty lists."""
        self._box = box
        self._model = model
        self.source: dict[str, list[Row]] = {item: [] for item in COLLECTION}
        self._sent: set[tuple[str, str]] = set()
        self._added = False

    def were_sent(self, requests: Iterable[Mapping[str, Any]]) -> None:
        """Remember the creations of the last run: the server may still be at work on one.

        An admin who made the same record now would have no chance to see it, nor the sync the admin's: two writers at
        once, which is no fault of either.

        Args:
            requests: All that the run sent to ExpenseIn.
        """
        self._sent = {
            (request["operation"].removeprefix("POST "), request["body"]["reference"])
            for request in requests
            if request["method"] == "POST" and isinstance(request["body"], dict)
        }

    def new_row(self, item: str, rng: random.Random, code: str) -> Row:
        """Draw a row that AccountsIQ might have."""
        rate = Decimal(rng.choice(["0", "0.2", "0.175", "0.23", "1"])) if item == "tax_rates" else None
        can_be_inactive = item in {"categories", "projects", "suppliers"}
        return Row(
            code,
            f"{rng.choice(NAMES)} {rng.randint(0, 99)}",
            rng.random() < 0.9 or not can_be_inactive,
            rate,
        )

    def edit_source(self, number: int) -> None:
        """Make an edit in AccountsIQ, drawn from a number."""
        rng = random.Random(number)  # noqa: S311 - reproducible on purpose
        item = rng.choice(list(COLLECTION))
        rows = self.source[item]
        place = rng.randrange(len(rows)) if rows else 0
        kind = rng.choice(
            ["add", "add", "add_odd", "rename", "rename", "toggle", "remove", "twin", "rate", "blank"]
        )
        if kind.startswith("add") or not rows:
            code = rng.choice(ODD_CODES) if kind == "add_odd" else f"{rng.randint(1, 60):03}"
            if all(row.code != code for row in rows):
                rows.append(self.new_row(item, rng, code))
            return
        row = rows[place]
        match kind:
            case "rename":
                rows[place] = Row(
                    row.code, f"{rng.choice(NAMES)} {rng.randint(100, 999)}", row.active, row.rate
                )
            case "toggle" if item in {"categories", "projects", "suppliers"}:
                rows[place] = Row(row.code, row.name, not row.active, row.rate)
            case "remove" if len(rows) > 1:
                del rows[place]
            case "twin":
                rows.append(Row(row.code, row.name + rng.choice(["", " other"]), row.active, row.rate))
            case "rate" if item == "tax_rates":
                rows[place] = Row(
                    row.code, row.name, row.active, Decimal(rng.choice(["0.05", "0.21", "20", "-0.1"]))
                )
            case "blank":
                rows[place] = Row(row.code, rng.choice(["", "  "]), row.active, row.rate)

    def tell_source(self) -> None:
        """Bring the rows into the sandbox, and to the notice of the model."""
        box, source = self._box, self.source

        def plain(code: str, item: str, name: str = "Description") -> list[dict[str, Any]]:
            return [{code: row.code, name: row.name, "IsActive": row.active} for row in source[item]]

        box.set_source(ENTITY, "accounts", plain("Code", "categories"))
        box.set_source(ENTITY, "bi_codes", plain("DepartmentID", "projects"))
        box.set_source(ENTITY, "suppliers", plain("Code", "suppliers", "Name"))
        options = [{"Code": row.code, "Description": row.name} for row in source["departments"]]
        dimension = {"Code": "DEPT", "Description": "Department", "DimensionCodes": options}
        box.set_source(ENTITY, "dimensions", [dimension])
        rates = [{"Code": row.code, "Description": row.name, "Rate": row.rate} for row in source["tax_rates"]]
        box.set_source(ENTITY, "tax_codes", rates)
        self._model.source_is(source)

    def add_by_hand(self, collection: str, reference: str | None, rng: random.Random) -> None:
        """Make a record in ExpenseIn, as an admin would."""
        fields: dict[str, Any] = {"name": f"By hand {rng.randint(0, 999)}", "reference": reference}
        fields |= {"rate": Decimal(rng.choice(["20", "5.5"]))} if collection == "taxrates" else {}
        fields |= dict([rng.choice(UNOWNED[collection]), rng.choice(UNKNOWN)])
        self._model.edited(collection, self._box.add_live(collection, **fields))
        self._added = True

    def take_added(self) -> bool:
        """Tell whether an admin has made a record since this was asked last."""
        added, self._added = self._added, False
        return added

    def edit_by_hand(self, number: int, *, existing_only: bool = False) -> None:
        """Make an edit in ExpenseIn, drawn from a number.

        Args:
            number: What to draw from.
            existing_only: Only fields of records that are there.
        """
        rng = random.Random(number)  # noqa: S311 - reproducible on purpose
        collection = rng.choice(list(UNOWNED))
        records = self._box.live(collection)
        kind = rng.choice(
            ["rename", "rename", "unowned", "unowned", "unknown", "add", "twin", "clear", "remove"]
        )
        if existing_only and kind in {"add", "twin", "clear", "remove"}:
            kind = "unowned"
        if kind == "add" or (not records and not existing_only):
            taken = {record["reference"] for record in records}
            taken |= {reference for one, reference in self._sent if one == collection}
            reference = rng.choice([None, "", f"{rng.randint(1, 60):03}", rng.choice(ODD_CODES)])
            if reference in taken and reference:
                return
            self.add_by_hand(collection, reference, rng)
            return
        if not records:
            return
        record = rng.choice(
            sorted(records, key=lambda one: (str(one["reference"]), str(one["name"]), str(one["id"])))
        )
        match kind:
            case "rename":
                changes = {"name": f"Edited {rng.randint(0, 999)}"}
            case "unowned":
                changes = dict([rng.choice(UNOWNED[collection])])
            case "unknown":
                changes = dict([rng.choice(UNKNOWN)])
            case "clear":
                changes = {"reference": None}
            case "twin":
                if record["reference"] and rng.random() < 0.3:
                    self.add_by_hand(collection, record["reference"], rng)
                return
            case _:
                self._box.remove_live(collection, record["id"])
                self._model.removed(collection, record)
                return
        self._model.edited(collection, self._box.edit_live(collection, record["id"], **changes))

    def edit_what_is_written(self, path: str, number: int) -> bool:
        """Edit the record that a PUT is about to change.

        Args:
            path: The PUT's path.
            number: What to draw the edit from: an owned field, or one that the sync must keep.

        Returns:
            Whether there is such a record.
        """
        rng = random.Random(number)  # noqa: S311 - reproducible on purpose
        collection, identity = path.split("/")[-2:]
        record = next((one for one in self._box.live(collection) if str(one["id"]) == identity), None)
        if record is None:
            return False
        kept = [
            (name, value) for name, value in (*UNOWNED[collection], *UNKNOWN) if record.get(name) != value
        ]
        owned = [("name", f"Edited {rng.randint(0, 999)}"), ("reference", None)]
        name, value = rng.choice(kept if kept and rng.random() < KEPT else owned)
        self._model.edited(collection, self._box.edit_live(collection, record["id"], **{name: value}))
        return True

    def edit_all_names(self) -> None:
        """Give every record of ExpenseIn another name by hand."""
        for collection in COLLECTION.values():
            for record in self._box.live(collection):
                edited = self._box.edit_live(collection, record["id"], name=f"Edited {record['id']}")
                self._model.edited(collection, edited)
