"""What `run.json` holds: a run as its readers see it."""

from typing import TypedDict


class FileCounts(TypedDict):
    """Manifests by what became of them."""

    found: int
    processed: int
    empty: int
    already_processed: int
    unreadable: int


class RunFileCounts(FileCounts):
    """The same of a whole run, with the entries of the inboxes that are no manifests."""

    ignored: int


class RowCounts(TypedDict):
    """Rows; read = settled + registered + deregistered + rejected.

    `waiting`, `structure` (lines that are no rows of data) and `to_decide` (by an operator's word) are among the
    rejected. `first_time` are those decided
    for the first time, of which `first_time_structure` and, without those, `first_time_rejected` were rejected.
    """

    read: int
    settled: int
    registered: int
    deregistered: int
    rejected: int
    waiting: int
    structure: int
    to_decide: int
    first_time: int
    first_time_rejected: int
    first_time_structure: int


class Counts(TypedDict):
    """What became of files and rows; `outcomes` and `reasons` count rejected rows, by primary reason."""

    files: FileCounts
    rows: RowCounts
    outcomes: dict[str, int]
    reasons: dict[str, int]


class PartnerCounts(Counts):
    """The same of one partner; None stands for files that are in no partner's folder."""

    partner_id: str | None


class RegistryVersions(TypedDict):
    """The registry's version that a run matched against, and the one that it made."""

    before: int
    after: int


class RunManifest(TypedDict):
    """A published run. Timestamps are RFC 3339 in UTC, `seconds` is wall time by stage."""

    run_id: str
    started_at: str
    finished_at: str
    as_of: str
    dry_run: bool
    engine: str
    versions: dict[str, str]
    registry_version: RegistryVersions
    files: RunFileCounts
    rows: RowCounts
    outcomes: dict[str, int]
    reasons: dict[str, int]
    partners: list[PartnerCounts]
    seconds: dict[str, float]
