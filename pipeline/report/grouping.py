"""Rejected rows in groups, as pages show them: by who must act, then by reason; what waits apart from what is new."""

from dataclasses import dataclass
from typing import Any

from pipeline.report.marking import expected, marked
from pipeline.report.telling import WHO, meaning_of, to_you
from schemas.kinds import DEPARTURE, KINDS

NEW, WAITING = "new", "waiting"
"""Parts of a partner's page: what it has to be told tonight, and what it was told before and waits."""

_NOTHING = "\N{EN DASH}"

Cells = tuple[str | None, ...]
"""What a page shows of a row: its place, serial number, tenant, column, what was found and expected, what to do where
that is not what its reason says, its further reasons, and since when. A template takes a tuple apart in a fifth of the
time that it needs to ask a dictionary."""


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one reason.

    Attributes:
        anchor: its place on the page.
        reason: what `report.json` says of the reason.
        rows: how many rows it has.
        listed: what is shown of some of them.
    """

    anchor: str
    reason: dict[str, Any]
    rows: int
    listed: list[Cells]


@dataclass(frozen=True, slots=True)
class Section:
    """Groups that the same people must act on."""

    part: str
    who: str
    groups: list[Group]

    @property
    def tile(self) -> str:
        """By which tile its rows are counted and shown: what waits has one of its own, whoever must act."""
        return WAITING if self.part == WAITING else self.who

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(group.rows for group in self.groups)


def sections(report: dict[str, Any]) -> list[Section]:
    """The groups of a page in the order of `WHO`; on a partner's page what waits since an earlier run comes last."""
    parts = (NEW, WAITING) if report["page"] == "partner" else (None,)
    found = [Section(part or NEW, who, _groups(report, who, part)) for part in parts for who in WHO]
    return [section for section in found if section.groups]


def tiles(found: list[Section]) -> dict[str, int]:
    """Rows of a partner's page by the tile that counts them."""
    return {name: sum(section.rows for section in found if section.tile == name) for name in (*WHO, WAITING)}


def departing(report: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """The reasons of departures that were not carried out, as `report.json` has them, and how many have each."""
    reasons = {meaning_of(one): one for one in report["reasons"]}
    counted = report["departures"]["reasons"].items()
    meant = [(KINDS[DEPARTURE].reason_of(code).meaning, code, rows) for code, rows in counted]
    return [(reasons.get(key) or reasons[code], rows) for key, code, rows in meant]


def _groups(report: dict[str, Any], who: str, part: str | None) -> list[Group]:
    reasons = [one for one in report["reasons"] if one["who"] == who and _number(one, part)]
    reasons.sort(key=lambda one: -_number(one, part))
    listed: dict[str, list[Cells]] = {meaning_of(reason): [] for reason in reasons}
    for row in report["rejected_rows"]["listed"]:
        if meaning_of(row) in listed and (part is None or row["again"] == (part == WAITING)):
            listed[meaning_of(row)].append(_cells(row, to_partner=report["page"] == "partner"))
    return [Group(_anchor(one, part), one, _number(one, part), listed[meaning_of(one)]) for one in reasons]


def _anchor(reason: dict[str, Any], part: str | None) -> str:
    """What the reason says; of what waits another one where the page has new rows of it too."""
    return f"{meaning_of(reason)}-waiting" if part == WAITING and _number(reason, NEW) else meaning_of(reason)


def _number(reason: dict[str, Any], part: str | None) -> int:
    if part is None:
        return int(reason["rows"])
    return int(reason["again"] if part == WAITING else reason["rows"] - reason["again"])


def _cells(row: dict[str, Any], *, to_partner: bool) -> Cells:
    found, meant, remedy = row["found"], row["meant"], row["remedy"]
    wanted = to_you(row["expected"]) if to_partner else row["expected"]
    nights = row["nights"]
    since = _NOTHING if nights is None else "tonight" if nights == 1 else f"{nights} nights"
    return (
        f"{row['source_file']}:{row['source_line']}",
        row["serial"] or _NOTHING,
        row["tenant_id"],
        row["field"] or _NOTHING,
        _NOTHING if found is None else marked(found, meant),
        wanted if meant is None or found is None else expected(wanted, meant, found),
        to_you(remedy) if remedy and to_partner else remedy,
        ", ".join(row["others"]),
        f"{since}, waits" if row["waits"] else since,
    )
