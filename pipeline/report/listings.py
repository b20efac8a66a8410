"""CSV lists of each partner: what is wrong, what was registered, what is open. A list is its name and its columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.report.masking import masked, masked_user
from pipeline.report.meanings import meaning
from pipeline.report.tables import Table, lines, safe, titles
from pipeline.report.telling import OURS, is_ours, to_you, who
from schemas.reasons import MEANINGS, Waits
from schemas.steps import SYSTEMS, TITLES

WAITS_FOR = {
    Waits.REFERENCE: "consent, or another entry of the operator's lists",
    Waits.SETTINGS: "a setting of the operator",
    Waits.REGISTRY: "the registration in its way",
    Waits.DELIVERY: "a new delivery",
}
"""What a row waits for, in words for a partner."""

_MOMENT = "%Y-%m-%d %H:%M UTC"
_AT_ONCE = 50_000
"""Lines whose text is in memory at once."""


def _of_reason(texts: Mapping[str, str]) -> pl.Expr:
    return meaning(pl.col("reason")).replace_strict(texts, default=None, return_dtype=pl.String)


_SENTENCE = _of_reason({key: to_you(reason.sentence) for key, reason in MEANINGS.items()})
_REMEDY = _of_reason({key: OURS if is_ours(key) else to_you(reason.remedy) for key, reason in MEANINGS.items()})
_MICROSOFT = _of_reason({key: reason.microsoft for key, reason in MEANINGS.items()})
_WHO = _of_reason({key: who(key) for key in MEANINGS})
_WAITS_FOR = pl.col("waits_for").list.eval(
    pl.element().replace_strict({what.value: text for what, text in WAITS_FOR.items()}, return_dtype=pl.String)
)
_IS_WAITING = (
    pl.when(pl.col("waits_for").list.contains(Waits.DELIVERY.value).not_() & (pl.col("waits_for").list.len() > 0))
    .then(pl.lit("yes"))
    .otherwise(pl.lit("no"))
)
_SERIAL = pl.coalesce("serial_number", "hash_serial_number")
_OURS = frozenset(
    {
        "Line",
        "Reason",
        "Other reasons",
        "What is wrong",
        "Who must act",
        "Open since",
        "Nights",
        "Waits",
        "Waits for",
        "In resubmit",
        "Microsoft",
    }
)


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that every partner gets.

    Attributes:
        name: of its file, without the ending.
        columns: for each title what stands there.
        ours: titles of columns with our words and numbers alone, which hold nothing that a spreadsheet runs: to look
            for that in all of a list is a fifth of what its lines cost.
    """

    name: str
    columns: dict[str, pl.Expr]
    ours: frozenset[str] = frozenset()

    def lines(self) -> pl.Expr:
        """A line of CSV for each row, nothing of which a spreadsheet runs."""
        texts = {title: cell.cast(pl.String) for title, cell in self.columns.items()}
        return lines(text if title in self.ours else safe(text) for title, text in texts.items())

    def lines_of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The lines of rows of any partners, in order: `partner_id`, `line`."""
        return rows.drop_nulls("partner_id").select("partner_id", line=self.lines())

    def csv(self, rows: pl.DataFrame) -> Iterator[str]:
        """All of a list of one table, its titles first, some lines at a time."""
        yield titles(self.columns)
        for part in rows.iter_slices(_AT_ONCE):
            yield "".join(part.select(self.lines()).to_series())


ERRORS = Listing(
    "errors",
    {
        "File": pl.col("source_file"),
        "Line": pl.col("source_line"),
        "Tenant ID": pl.coalesce("tenant_claim", "tenant_id"),
        "Serial number": masked(_SERIAL),
        "Reason": pl.col("reason"),
        "Other reasons": pl.col("reasons").list.slice(1).list.join(" "),
        "What is wrong": _SENTENCE,
        "Column": pl.col("field"),
        "Found": pl.col("found"),
        "Expected": pl.col("expected"),
        "What to do": pl.coalesce("remedy", _REMEDY),
        "Who must act": _WHO,
        "Nights": pl.col("nights"),
        "Waits": _IS_WAITING,
        "Waits for": _WAITS_FOR.list.join(", "),
        "In resubmit": pl.col("in_resubmit"),
        "Microsoft": _MICROSOFT,
    },
    ours=_OURS,
)
"""One line a rejected row; its rows have the columns of the rejected set, of its first finding, and `in_resubmit`."""

REGISTERED = Listing(
    "registered",
    {
        "File": pl.col("source_file"),
        "Line": pl.col("source_line"),
        "Tenant ID": pl.col("tenant_id"),
        "Serial number": _SERIAL,
        "Windows Product ID": pl.coalesce("windows_product_id", "hash_product_id"),
        "Manufacturer": pl.coalesce("manufacturer", "hash_manufacturer"),
        "Model": pl.coalesce("model", "hash_model"),
        "Group Tag": pl.col("group_tag"),
        "Assigned User": masked_user(pl.col("assigned_user")),
        "Registered by": pl.col("identity"),
        "Device ID": pl.col("device_id"),
        "Profile": pl.col("profile"),
        "Registered at": pl.col("registered_at").dt.strftime(_MOMENT),
        "Warnings": pl.col("warnings").list.join(" "),
    },
)
"""The receipt: one line a row of the registered set."""

OPEN = Listing(
    "open",
    {
        "File": pl.col("source_file"),
        "Line": pl.col("source_line"),
        "Tenant ID": pl.col("tenant_id"),
        "Reason": pl.col("reason"),
        "What is wrong": _SENTENCE,
        "What to do": _REMEDY,
        "Who must act": _WHO,
        "Open since": pl.col("since").dt.strftime(_MOMENT),
        "Nights": pl.col("nights"),
        "First run": pl.col("first_run"),
        "Waits": _IS_WAITING,
        "Waits for": _WAITS_FOR.list.join(", "),
    },
    ours=_OURS,
)
"""One line a row that is open, as `pipeline.report.open_rows.OpenRows.open` gives them."""


DEPARTURES = Listing(
    "departures",
    {
        "Tenant ID": pl.col("tenant_id"),
        "Serial number": pl.col("serial_number"),
        "Device ID": pl.col("device_id"),
        "Step": pl.col("step").replace_strict(TITLES, return_dtype=pl.String),
        "System": pl.col("system").replace_strict(SYSTEMS, return_dtype=pl.String),
        "Who must act": pl.col("owner"),
        "After": pl.col("after").replace_strict(TITLES, default=None, return_dtype=pl.String),
        "State": pl.col("state"),
        "What to do": pl.col("text"),
    },
)
"""What remains of the partner's departures: one line a device and step, with the columns of `schemas.steps`."""


class Listings:
    """One list, of every partner."""

    def __init__(self, listing: Listing) -> None:
        """Begin."""
        self._listing = listing
        self._tables: dict[str, Table] = {}

    def begin(self, partner_id: str, folder: Path) -> None:
        """Begin a partner's."""
        self._tables[partner_id] = Table(folder, self._listing.name, tuple(self._listing.columns))

    def write(self, rows: pl.DataFrame) -> None:
        """Add rows of any partners, each to its own."""
        self.add(self._listing.lines_of(rows))

    def add(self, lines: pl.DataFrame) -> None:
        """Add lines, as `Listing.lines_of` makes them."""
        for (partner_id,), mine in lines.group_by("partner_id", maintain_order=True):
            self._tables[str(partner_id)].write(mine["line"])

    def finish(self) -> dict[str, list[tuple[str, int]]]:
        """Name of the file and number of rows, by partner."""
        return {partner_id: [(table.name, table.rows)] for partner_id, table in self._tables.items()}
