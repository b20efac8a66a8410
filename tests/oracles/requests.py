"""Requests over several nights, as the contract tells them: plain Python objects, no frames, no registry.

It knows of a row what its maker knows: which device it is, with which board, in which capture, and what is wrong with
it. Everything else follows from what was decided in the nights before.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

MATCH_ORDER = (
    "CONFLICTING_CLAIMS",
    "DUPLICATE_IN_BATCH",
    "REGISTERED_OTHER_TENANT",
    "ALREADY_REGISTERED",
    "BOARD_REPLACED",
    "AMBIGUOUS_MATCH",
    "DEVICE_LEFT",
)
WAITING = {
    "FILE_PARTNER_UNKNOWN",
    "AUTH_NO_RELATIONSHIP",
    "GROUP_TAG_TOO_LONG",
    "CONFLICTING_CLAIMS",
    "REGISTERED_OTHER_TENANT",
    "BOARD_REPLACED",
    "AMBIGUOUS_MATCH",
}
CARRIED, FINAL, WAITS = "carried out", "final", "waits"


@dataclass(frozen=True)
class Row:
    """A row as its maker knows it; `device` None is a row without identity, `tenant` None that of the folder."""

    device: int | None
    board: int
    capture: int
    tag: str
    tenant: str | None = None


@dataclass(frozen=True)
class Delivery:
    """A file: whose it is, in whose folder it lies, what it holds."""

    partner: str
    folder: str
    rows: tuple[Row, ...]

    @property
    def names_tenants(self) -> bool:
        return any(row.tenant for row in self.rows)

    @property
    def request(self) -> tuple[object, ...]:
        return self.partner, None if self.names_tenants else self.folder, self.rows


@dataclass(frozen=True)
class Rules:
    """What holds in a night."""

    as_of: datetime
    partners: frozenset[str]
    consents: frozenset[tuple[str, str]]
    tag_limit: int = 128
    wait_days: int = 90
    reprocess: bool = False
    dry_run: bool = False

    def in_time(self, since: datetime | None) -> bool:
        """Whether what has waited since then waits still."""
        assert since is not None
        return self.as_of - since < timedelta(days=self.wait_days)


@dataclass
class Registration:
    device: int
    board: int
    tenant: str
    ended: bool = False
    ended_after: int = 0


@dataclass
class Request:
    """What is remembered of a request."""

    row: Row
    tenant: str
    first: datetime
    state: str = WAITS
    since: datetime | None = None
    registration: Registration | None = None
    met: Registration | None = None
    night: int = 0


@dataclass
class Decision:
    """A row that is decided in a night."""

    place: tuple[str, int]
    key: tuple[object, ...]
    row: Row
    partner: str
    tenant: str
    first: datetime
    reasons: list[str] = field(default_factory=list)
    points_at: "Decision | None" = None
    registration: Registration | None = None
    state: str = WAITS
    since: datetime | None = None
    final_since: int | None = None

    @property
    def primary(self) -> str | None:
        return self.reasons[0] if self.reasons else None

    @property
    def preference(self) -> tuple[object, ...]:
        return -self.row.capture, self.place


@dataclass
class Night:
    """What a night must have come to."""

    rules: Rules
    decisions: list[Decision]
    settled: int
    first_time: int
    already_processed: set[str]

    @property
    def primaries(self) -> dict[tuple[str, int], str | None]:
        return {decision.place: decision.primary for decision in self.decisions}

    @property
    def states(self) -> dict[tuple[str, int], tuple[str, tuple[str, ...]]]:
        return {decision.place: (decision.state, tuple(decision.reasons)) for decision in self.decisions}

    @property
    def waiting(self) -> int:
        return sum(decision.state == WAITS and self.rules.in_time(decision.since) for decision in self.decisions)


class Ledger:
    """All that was ever asked and registered."""

    def __init__(self) -> None:
        self.requests: dict[tuple[object, ...], Request] = {}
        self.registrations: list[Registration] = []
        self.nights = 0

    @property
    def live(self) -> list[Registration]:
        return [registration for registration in self.registrations if not registration.ended]

    def remove(self, registration: Registration, reason: str) -> None:
        """End a registration; what has waited for the device in its tenant ends with it, unless it comes back."""
        registration.ended, registration.ended_after = True, self.nights
        if "repair" in reason:
            return
        for request in self.requests.values():
            is_its_own = request.tenant == registration.tenant and request.row.device == registration.device
            if (request.met is registration or is_its_own) and request.state == WAITS:
                request.state = FINAL

    def night(self, inbox: dict[str, Delivery], rules: Rules) -> Night:
        """Decide what is in the inbox, and remember it unless the run is dry."""
        seen: dict[tuple[object, ...], bool] = {}
        decisions: list[Decision] = []
        settled = 0
        processed = set()
        for path in sorted(inbox):
            delivery = inbox[path]
            if delivery.request in seen:
                processed.add(path)
                settled += len(delivery.rows) if seen[delivery.request] else 0
                continue
            decided = [
                self._asked(path, line, row, delivery, rules)
                for line, row in enumerate(delivery.rows, start=2)
                if self._is_open((delivery.request, line), rules)
            ]
            seen[delivery.request] = bool(decided)
            if decided:
                settled += len(delivery.rows) - len(decided)
            else:
                processed.add(path)
            decisions += decided
        first_time = sum(decision.key not in self.requests for decision in decisions)
        self._decide(decisions, rules)
        if not rules.dry_run:
            self.nights += 1
            self._remember(decisions)
        return Night(rules, decisions, settled, first_time, processed)

    def _is_open(self, key: tuple[object, ...], rules: Rules) -> bool:
        request = self.requests.get(key)
        if request is None:
            return True
        if request.state == CARRIED:
            return False
        if rules.reprocess:
            return True
        return request.state == WAITS and rules.in_time(request.since)

    def _asked(self, path: str, line: int, row: Row, delivery: Delivery, rules: Rules) -> Decision:
        key = delivery.request, line
        known = self.requests.get(key)
        tenant = row.tenant or delivery.folder
        first = known.first if known else rules.as_of
        decision = Decision((path, line), key, row, delivery.partner, tenant, first)
        if known and not (known.state == WAITS and rules.in_time(known.since)):
            decision.final_since = known.night
        return decision

    def _decide(self, decisions: list[Decision], rules: Rules) -> None:
        for decision in decisions:
            decision.reasons = _own(decision, rules)
        matched = [decision for decision in decisions if not decision.reasons]
        devices: dict[int, list[Decision]] = {}
        for decision in matched:
            assert decision.row.device is not None
            devices.setdefault(decision.row.device, []).append(decision)
        for rows in devices.values():
            self._match(rows)
        for decision in decisions:
            decision.state = _state(decision)
            decision.since = decision.first
        for rows in devices.values():
            _end_together(rows)
        for decision in decisions:
            target = decision.points_at
            if target is not None and "CONFLICTING_CLAIMS" not in decision.reasons:
                decision.state, decision.since = target.state, target.since

    def _match(self, rows: list[Decision]) -> None:
        """All rows of one device, with whatever board."""
        boards: dict[int, list[Decision]] = {}
        for decision in rows:
            boards.setdefault(decision.row.board, []).append(decision)
        for of_board in boards.values():
            claims = {decision.tenant for decision in of_board}
            _point(of_board)
            for decision in of_board:
                found = {"DUPLICATE_IN_BATCH"} if decision.points_at else set()
                found |= {"CONFLICTING_CLAIMS"} if len(claims) > 1 else set()
                found |= {"AMBIGUOUS_MATCH"} if len(boards) > 1 else set()
                decision.reasons = sorted(found | self._against(decision), key=MATCH_ORDER.index)

    def _against(self, decision: Decision) -> set[str]:
        """What the registry says of a row."""
        met = [registration for registration in self.live if registration.device == decision.row.device]
        assert len(met) <= 1, "one device, registered twice"
        codes = {_against(decision, registration) for registration in met}
        decision.registration = met[0] if met else None
        return codes | ({"DEVICE_LEFT"} if self._left(decision) else set())

    def _left(self, decision: Decision) -> bool:
        before = [
            request.registration.ended
            for request in self.requests.values()
            if request.registration is not None
            and request.tenant == decision.tenant
            and _cells(request.row) == _cells(decision.row)
        ]
        return (bool(before) and all(before)) or self._left_since(decision)

    def _left_since(self, decision: Decision) -> bool:
        """What was final, of a device that has left since it was read first."""
        return decision.final_since is not None and any(
            (ended.device, ended.board, ended.tenant) == (decision.row.device, decision.row.board, decision.tenant)
            and ended.ended_after >= decision.final_since
            for ended in self.registrations
            if ended.ended
        )

    def _remember(self, decisions: list[Decision]) -> None:
        for decision in decisions:
            if decision.primary is None:
                assert decision.row.device is not None
                made = Registration(decision.row.device, decision.row.board, decision.tenant)
                self.registrations.append(made)
                decision.registration = made
        for decision in decisions:
            target = decision.points_at or decision
            known = Request(decision.row, decision.tenant, decision.first, decision.state, decision.since)
            known.registration = target.registration if decision.state == CARRIED else None
            met = decision.registration
            known.met = met if met is not None and met.tenant == decision.tenant else None
            before = self.requests.get(decision.key)
            known.night = before.night if before else self.nights
            assert before is None or before.state != CARRIED, "carried out, and decided again"
            self.requests[decision.key] = known


def _point(rows: list[Decision]) -> None:
    """Of the rows of a device and tenant all point at the one that would be kept."""
    for tenant in {decision.tenant for decision in rows}:
        mine = sorted((d for d in rows if d.tenant == tenant), key=lambda d: d.preference)
        for other in mine[1:]:
            other.points_at = mine[0]


def _own(decision: Decision, rules: Rules) -> list[str]:
    known = decision.partner in rules.partners
    consent = (decision.partner, decision.tenant) in rules.consents
    checks = (
        ("FILE_PARTNER_UNKNOWN", not known),
        ("AUTH_NO_RELATIONSHIP", known and not consent),
        ("IDENTITY_MISSING", decision.row.device is None),
        ("GROUP_TAG_TOO_LONG", len(decision.row.tag) > rules.tag_limit),
    )
    return [code for code, wrong in checks if wrong]


def _against(decision: Decision, registration: Registration) -> str:
    if registration.board != decision.row.board:
        return "BOARD_REPLACED"
    return "ALREADY_REGISTERED" if registration.tenant == decision.tenant else "REGISTERED_OTHER_TENANT"


def _cells(row: Row) -> tuple[object, ...]:
    return row.device, row.board, row.capture


def _state(decision: Decision) -> str:
    if decision.primary in (None, "ALREADY_REGISTERED"):
        return CARRIED
    others = set(decision.reasons) - {"DUPLICATE_IN_BATCH"}
    return WAITS if others <= WAITING else FINAL


def _end_together(rows: list[Decision]) -> None:
    """Rows in each other's way wait as long as the first of them."""
    in_the_way = [row for row in rows if {"CONFLICTING_CLAIMS", "AMBIGUOUS_MATCH"} & set(row.reasons)]
    open_rows = [row for row in in_the_way if row.state == WAITS]
    for row in open_rows:
        row.since = min(other.first for other in open_rows)
