"""Rejected rows in groups, as pages show them: by who must act, then by reason; what waits apart from what is new."""

from dataclasses import dataclass
from typing import Any

from pipeline.report.telling import WHO

_NEW, _WAITING = "new", "waiting"


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one reason.

    Attributes:
        anchor: its place on the page.
        reason: what `report.json` says of the reason.
        rows: how many rows it has.
        listed: those that are shown.
    """

    anchor: str
    reason: dict[str, Any]
    rows: int
    listed: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Section:
    """Groups that the same people must act on."""

    part: str
    who: str
    groups: list[Group]

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(group.rows for group in self.groups)


def sections(report: dict[str, Any]) -> list[Section]:
    """The groups of a page in the order of `WHO`; on a partner's page what waits since an earlier run comes last."""
    parts = (_NEW, _WAITING) if report["page"] == "partner" else (None,)
    found = [
        Section(part or _NEW, who, _groups(report, who, part)) for part in parts for who in WHO
    ]
    return [section for section in found if section.groups]


def _groups(report: dict[str, Any], who: str, part: str | None) -> list[Group]:
    reasons = sorted((one for one in report["reasons"] if one["who"] == who), key=lambda one: -one["rows"])
    listed: dict[str, list[dict[str, Any]]] = {}
    for row in report["rejected_rows"]["listed"]:
        if part is None or row["again"] == (part == _WAITING):
            listed.setdefault(row["code"], []).append(row)
    suffix = "-waiting" if part == _WAITING else ""
    groups = [
        Group(reason["code"] + suffix, reason, _number(reason, part), listed.get(reason["code"], []))
        for reason in reasons
    ]
    return [group for group in groups if group.rows]


def _number(reason: dict[str, Any], part: str | None) -> int:
    if part is None:
        return int(reason["rows"])
    return int(reason["again"] if part == _WAITING else reason["rows"] - reason["again"])
