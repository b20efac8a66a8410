"""What becomes of each row of a night, rule by rule (domain, section 6); the oracle of matching and deciding.

A row is a dict of components (COMPONENT_TYPES) with `tenant_id`, `identity` and `captured_at`; its place in the list is
its place in the night. A registration is a dict of components with `device_id`, `tenant_id` and `registered_via`.
Damaged forms of serial numbers are left out. What is marked "Reading" is not said in so many words by the domain.
"""

from dataclasses import dataclass, field
from itertools import combinations, product

from tests.oracles.matcher import overlap, relation, serial_of, verdict

RANK = {"hash": 0, "product_id": 1, "tuple": 2}
CUSTOMER = {"intune", "microsoft_365", "store"}
POINTING = {"same", "contradiction", "board replaced"}
DISPUTE = {"contradiction", "board replaced"}


@dataclass
class Decided:
    """Codes of each row, the row that a duplicate points at, and which row's hash a registration learns."""

    codes: list
    kept: dict = field(default_factory=dict)
    learned: dict = field(default_factory=dict)


def made(left, right):
    """The verdict of two records, None where they share no component and so have none."""
    shared = [
        relation(left["tpm_ek_id"], right["tpm_ek_id"]),
        relation(left["smbios_uuid"], right["smbios_uuid"]),
        relation(serial_of(left), serial_of(right)),
        relation(left["product_id"], right["product_id"]),
        overlap(left["mac_addresses"], right["mac_addresses"]),
        overlap(left["disk_serials"], right["disk_serials"]),
    ]
    return verdict(left, right) if "=" in shared else None


def connected(members, linked):
    """Sets of those that are linked, by walking."""
    found, left = [], list(members)
    while left:
        reached = {left.pop(0)}
        while grown := {other for other in left if any(linked(one, other) for one in reached)}:
            reached |= grown
            left = [other for other in left if other not in grown]
        found.append(frozenset(reached))
    return found


class Night:
    """A batch and the registrations that live as it begins."""

    def __init__(self, rows, registrations):
        self.rows, self.registrations = rows, registrations
        count = range(len(rows))
        self.within = {(a, b): made(rows[a], rows[b]) for a, b in product(count, count) if a != b}
        self.against = {(a, r): made(rows[a], known) for a in count for r, known in enumerate(registrations)}
        self.hashed = [a for a in count if rows[a]["has_hash"]]
        self.devices = connected(self.hashed, self.same)
        self.groups = connected([a for a in count if a not in self.hashed], self.same)

    def same(self, one, other):
        return self.within[one, other] == "same"

    def any_within(self, some, others, verdicts):
        return any(self.within[a, b] in verdicts for a in some for b in others if a != b)

    def registered(self, row):
        """The registrations that the row is the same as."""
        return {r for r in range(len(self.registrations)) if self.against[row, r] == "same"}

    def split(self, device):
        """Two rows with a hash of one device have another verdict between them, or none."""
        return not all(self.same(a, b) for a, b in combinations(device, 2))

    def meets(self, group):
        """The batch's devices that the group is the same as, and the registrations that are devices which these are
        not: those with a hash, and (Reading) those without one that a row with a hash of their tenant is the same as.
        """
        devices = [device for device in self.devices if self.any_within(group, device, {"same"})]
        covered = {r for device in devices for a in device for r in self.registered(a)}
        known = {
            r
            for a in group
            for r in self.registered(a)
            if self.registrations[r]["has_hash"] or (devices and self.claimed(r) and self.at_home(a, r))
        }
        return devices, known - covered

    def at_home(self, row, r):
        return self.rows[row]["tenant_id"] == self.registrations[r]["tenant_id"]

    def claimed(self, r):
        return any(r in self.registered(a) and self.at_home(a, r) for a in self.hashed)

    def torn(self, group, device):
        """Reading: rows without a hash that "same" connects past a verdict against it, be it among themselves or with
        their device ("probably the same" is one, to have no verdict is not), are for review, all of the group."""
        against = {"contradiction", "probably the same", "different"}
        return self.any_within(group, group, against) or self.any_within(group, device, against)

    def order(self, row):
        moment = self.rows[row]["captured_at"]
        return RANK[self.rows[row]["identity"]], -moment.timestamp() if moment else float("inf"), row


def decide(rows, registrations):
    """Codes of every row."""
    night = Night(rows, registrations)
    decided = Decided([set() for _ in rows])
    stray, units, unmerged = _units(night)
    for row in stray:
        # Reading: a code that settles such a row would be a guess; that it is probably registered is kept.
        likely = _against_registry(night, row, {row}, {row}) & {"PROBABLE_DUPLICATE"}
        decided.codes[row] = {"AMBIGUOUS_MATCH"} | likely
    for unit in units:
        _claims(night, unit, unmerged, decided)
    _disputes(night, units, stray, unmerged, decided)
    for unit in units:
        for row in unit:
            decided.codes[row] |= _against_registry(night, row, unit, unmerged)
    _learn(night, decided)
    return decided


def _units(night):
    """Rows that are ambiguous alone; the devices with the groups that belong to them; rows that are nobody's duplicate
    (of a device that is split, or a torn group)."""
    stray, unmerged = set(), set()
    members = {device: set(device) for device in night.devices}
    alone = []
    for group in night.groups:
        devices, known = night.meets(group)
        if len(devices) + len(known) > 1:
            stray |= group
            continue
        device = devices[0] if devices else frozenset()
        if night.torn(group, device):
            unmerged |= group
        # Reading: a torn group still belongs, so that a claim of another tenant in it stops the device.
        if devices:
            members[device] |= group
        else:
            alone.append(set(group))
    for device, unit in members.items():
        if night.split(device):
            unmerged |= unit
    return stray, [*members.values(), *alone], unmerged


def _claims(night, unit, unmerged, decided):
    tenants = {night.rows[row]["tenant_id"] for row in unit}
    for row in unit if len(tenants) > 1 else ():
        decided.codes[row].add("CONFLICTING_CLAIMS")
    for tenant in tenants:
        # Reading: rows that are for review because they cannot be told apart are not called duplicates as well, since a
        # duplicate is carried out with the row that it points at.
        rows = sorted((r for r in unit - unmerged if night.rows[r]["tenant_id"] == tenant), key=night.order)
        for row in rows[1:]:
            decided.codes[row].add("DUPLICATE_IN_BATCH")
            decided.kept[row] = rows[0]


def _disputes(night, units, stray, unmerged, decided):
    """Contradictions and boards replaced. Reading: all rows of a device go to review with the one that has it; and rows
    without a hash with their group, whatever they dispute, and never a row with one."""
    for row in unmerged:
        decided.codes[row].add("AMBIGUOUS_MATCH")
    everyone = [row for unit in units for row in unit] + sorted(stray)
    for unit in units:
        device = unit & set(night.hashed)
        if night.any_within(device, night.hashed, DISPUTE):
            for row in unit:
                decided.codes[row].add("AMBIGUOUS_MATCH")
        for group in night.groups:
            if group <= unit and night.any_within(group, everyone, DISPUTE):
                for row in group:
                    decided.codes[row].add("AMBIGUOUS_MATCH")


def _verdicts(night, row, unit, unmerged):
    """For each registration the verdicts that count for the row: its own, else those of its mates."""
    mates = set() if row in unmerged else unit - unmerged - {row}
    found = {}
    for r in range(len(night.registrations)):
        own = night.against[row, r]
        if own:
            found[r] = {own}
        else:
            taken = mates & set(night.hashed) if row in night.hashed else mates
            found[r] = {night.against[mate, r] for mate in taken} - {None}
    pointing = {r for r, verdicts in found.items() if verdicts & POINTING}
    if row in night.hashed and not pointing:
        _lent(night, row, unit, mates, found)
    return found


def _lent(night, row, unit, mates, found):
    """Reading: a row with a hash takes over from mates without one only that they are the same as one registration, and
    only where neither it nor its mates with a hash point at any: never anything that sends it to review."""
    others = mates - set(night.hashed)
    device = unit & set(night.hashed)
    free = [r for r in found if all(night.against[a, r] is None for a in device)]
    pointed = [r for r in free if any(night.against[mate, r] in POINTING for mate in others)]
    if len(pointed) == 1 and {night.against[mate, pointed[0]] for mate in others} & POINTING == {"same"}:
        found[pointed[0]] = {"same"}


def _against_registry(night, row, unit, unmerged):  # noqa: PLR0911 - the rules, line by line
    found = _verdicts(night, row, unit, unmerged)
    pointing = {r: verdicts & POINTING for r, verdicts in found.items() if verdicts & POINTING}
    if not pointing:
        probable = any("probably the same" in verdicts for verdicts in found.values())
        return {"PROBABLE_DUPLICATE"} if probable else set()
    # Reading: of a row that is for review because nobody can tell which device it is, no registration is believed.
    if len(pointing) > 1 or row in unmerged:
        return {"AMBIGUOUS_MATCH"}
    ((r, verdicts),) = pointing.items()
    if verdicts == {"board replaced"}:
        return {"BOARD_REPLACED"}
    if verdicts != {"same"}:
        return {"AMBIGUOUS_MATCH"}
    known = night.registrations[r]
    if night.rows[row]["tenant_id"] != known["tenant_id"]:
        return {"REGISTERED_OTHER_TENANT"}
    if _contested(night, r) and unit & set(night.hashed):
        return {"AMBIGUOUS_MATCH"}
    return {"REGISTERED_BY_CUSTOMER"} if known["registered_via"] in CUSTOMER else {"ALREADY_REGISTERED"}


def _contested(night, r):
    """Two different devices of its own tenant match a registration without a hash. Reading: devices have a hash; rows
    that are alone without one may be the same device by what the registration says, and count not."""
    known = night.registrations[r]
    own = [
        row for row in night.hashed if r in night.registered(row) and night.rows[row]["tenant_id"] == known["tenant_id"]
    ]
    return not known["has_hash"] and not all(night.same(a, b) for a, b in combinations(own, 2))


def _learn(night, decided):
    """Reading: from a settled row alone, never from one that is for review as ambiguous."""
    for r, known in enumerate(night.registrations):
        if known["has_hash"]:
            continue
        settled = {"ALREADY_REGISTERED", "REGISTERED_BY_CUSTOMER"}
        rows = [
            row
            for row in night.hashed
            if r in night.registered(row)
            and night.rows[row]["tenant_id"] == known["tenant_id"]
            and decided.codes[row] & settled
            and "AMBIGUOUS_MATCH" not in decided.codes[row]
        ]
        if rows:
            decided.learned[known["device_id"]] = min(rows, key=night.order)
