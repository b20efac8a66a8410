"""Random nights, with what happens between them, played by the real flow and by an oracle of its own."""

import base64
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import timedelta

import polars as pl
import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Device, Factory, with_board
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from pipeline.registry.removing import remove_devices
from tests.conftest import AS_OF, OTHER_TENANT, TENANT, World, make_world
from tests.oracles.requests import Delivery, Ledger, Night, Row, Rules

SERIAL, PRODUCT_ID, HASH, TAG, USER = INTUNE
TENANTS = (TENANT, OTHER_TENANT)
PARTNERS = ("contoso", "tailspin", "woodgrove")
"""The last one is not known before somebody adds it."""
WEAK = 3
"""Every so many'th device is known by its product ID alone: it has no boards and no captures."""


@dataclass
class Play:
    """A world, and what the oracle knows of it."""

    world: World
    random: random.Random
    ledger: Ledger = field(default_factory=Ledger)
    inbox: dict[str, Delivery] = field(default_factory=dict)
    away: dict[str, Delivery] = field(default_factory=dict)
    rules: Rules = field(default_factory=lambda: Rules(AS_OF, frozenset(PARTNERS[:2]), frozenset()))
    told: list[str] = field(default_factory=list)
    devices: dict[int, Device] = field(default_factory=dict)
    boards: dict[tuple[int, int], Device] = field(default_factory=dict)
    texts: dict[tuple[int, int, int], str] = field(default_factory=dict)
    ever: Counter[str] = field(default_factory=Counter)
    ids: dict[str, tuple[int, str]] = field(default_factory=dict)
    files: int = 0

    def happen(self, count: int) -> None:
        for _ in range(count):
            getattr(self, self.random.choice(HAPPENINGS))()

    def deliver(self) -> None:
        self.files += 1
        partner = self.random.choices(PARTNERS, (6, 3, 2))[0]
        names_tenants = self.random.random() < 0.3
        rows = tuple(self._row(names_tenants=names_tenants) for _ in range(self.random.randint(1, 4)))
        delivery = Delivery(partner, self.random.choice(TENANTS), rows)
        self._put(f"{partner}/{delivery.folder}/{self.random.choice('abcdef')}{self.files}.csv", delivery)

    def deliver_more(self) -> None:
        """A cumulative list: the same file with one more row."""
        if self.inbox:
            path = self.random.choice(sorted(self.inbox))
            delivery = self.inbox[path]
            self._put(path, replace(delivery, rows=(*delivery.rows, self._row(names_tenants=delivery.names_tenants))))

    def copy(self) -> None:
        if self.inbox:
            self._put_elsewhere(self.inbox[self.random.choice(sorted(self.inbox))])

    def move(self) -> None:
        if self.inbox:
            path = self.random.choice(sorted(self.inbox))
            self._put_elsewhere(self._take(path))

    def take_away(self) -> None:
        if self.inbox:
            path = self.random.choice(sorted(self.inbox))
            self.away[path] = self._take(path)

    def bring_back(self) -> None:
        if self.away:
            path = self.random.choice(sorted(self.away))
            self._put(path, self.away.pop(path))

    def remove(self) -> None:
        live = self.ledger.live
        if not live:
            return
        registration = self.random.choice(live)
        reason = self.random.choice(("sold", "repair"))
        ids = [key for key, value in self.ids.items() if value == (registration.device, registration.tenant)]
        registry = Registry.open(self.world.registry, create=False)
        is_live = set(registry.live().select("device_id").collect()["device_id"])
        (device_id,) = is_live & set(ids)
        remove_devices(registry, [device_id], reason, self.rules.as_of)
        self.ledger.remove(registration, reason)
        self.told.append(f"remove {registration} {reason}")

    def consent(self) -> None:
        pair = self.random.choice(PARTNERS), self.random.choice(TENANTS)
        self._rule(consents=self.rules.consents ^ {pair})

    def know(self) -> None:
        self._rule(partners=frozenset(PARTNERS))

    def raise_limit(self) -> None:
        self._rule(tag_limit=self.random.choice((128, 128, 300)))

    def lose_runs(self) -> None:
        shutil.rmtree(self.world.home / "runs", ignore_errors=True)
        self.told.append("runs lost")

    def night(self) -> None:
        days = self.random.choice((1, 1, 1, 4, 5, 9, 10, -1))
        self._rule(
            as_of=self.rules.as_of + timedelta(days=days),
            wait_days=self.random.choice((90, 10, 10, 5, 0)) if self.random.random() < 0.6 else 90,
            reprocess=self.random.random() < 0.15,
            dry_run=self.random.random() < 0.15,
        )
        self._write_reference()
        rules = self.rules
        self.told.append(f"night {rules}")
        registered_before = [(r.device, r.board, r.tenant) for r in self.ledger.live]
        expected = self.ledger.night(self.inbox, rules)
        published = self.world.run(
            as_of=rules.as_of,
            group_tag_limit=rules.tag_limit,
            wait_days=rules.wait_days,
            reprocess=rules.reprocess,
            dry_run=rules.dry_run,
        )
        self.told.append(f"  found {sorted(self.found(published).items())}")
        self._compare(expected, published, registered_before)

    @staticmethod
    def found(published) -> dict[tuple[str, int], str | None]:
        return {place: codes[0] if codes else None for place, codes in published.reasons().items()}

    def _compare(self, expected: Night, published, before: list[tuple[int, int, str]]) -> None:
        rules = self.rules
        found = self.found(published)
        differ = {place: (found.get(place, "none"), code) for place, code in expected.primaries.items()}
        differ = {place: both for place, both in differ.items() if both[0] != both[1]}
        assert found == expected.primaries, differ
        rows = published.manifest["rows"]
        assert rows["read"] == rows["settled"] + rows["registered"] + rows["rejected"]
        counted = {"waiting": expected.waiting, "first_time": expected.first_time}
        if not rules.reprocess:  # which reads more files, whose rows are settled all the same
            counted["settled"] = expected.settled
        assert {name: rows[name] for name in counted} == counted, (
            counted,
            rows,
            expected.states,
            published.rejected.select("source_file", "source_line", "reasons", "waits_for").rows(),
        )
        self._compare_files(expected, published)
        self._compare_waits(expected, published)
        if rules.dry_run:
            assert self._live() == Counter(before)
            return
        for made in published.registered.iter_rows(named=True):
            decision = next(d for d in expected.decisions if d.place == (made["source_file"], made["source_line"]))
            assert made["tenant_id"] == decision.tenant
            self.ever[made["device_id"]] += 1
            self.ids[made["device_id"]] = decision.row.device, decision.tenant
        assert max(self.ever.values(), default=0) <= 1
        live = self._live()
        assert live == Counter((r.device, r.board, r.tenant) for r in self.ledger.live)
        assert max(Counter(device for device, _, _ in live.elements()).values(), default=0) <= 1

    def _compare_files(self, expected: Night, published) -> None:
        files = published.files
        assert set(files["source_file"]) == set(self.inbox)
        parts = pl.sum_horizontal("rows_settled", "rows_registered", "rows_rejected")
        assert files.filter(pl.col("rows_read") != parts).is_empty()
        already = set(files.filter(pl.col("disposition") == "already_processed")["source_file"])
        assert already == expected.already_processed or (self.rules.reprocess and already <= expected.already_processed)
        for path, read in files.select("source_file", "rows_read").iter_rows():
            whole = len(self.inbox[path].rows)
            assert read == whole or (path in already and read == 0), path
        manifest = published.manifest
        for name, count in manifest["rows"].items():
            assert sum(partner["rows"][name] for partner in manifest["partners"]) == count, name

    @staticmethod
    def _compare_waits(expected: Night, published) -> None:
        rows = published.rejected.select("source_file", "source_line", "waits_for").rows()
        without = {(file, line) for file, line, waits in rows if waits is None}
        assert without == {d.place for d in expected.decisions if d.primary and d.state == "carried out"}

    def _live(self) -> Counter[tuple[int, int, str]]:
        if not self.world.registry.exists():
            return Counter()
        frame = Registry.open(self.world.registry, create=False).live()
        known = {text: key for key, text in self.texts.items()}
        hashes = {self._bytes(text): key for text, key in known.items()}
        rows = frame.select("tenant_id", "hardware_hash", "product_id").collect().rows()
        return Counter(
            (*(hashes[raw.rstrip(b"\0")] if raw else known[product_id])[:2], tenant) for tenant, raw, product_id in rows
        )

    @staticmethod
    def _bytes(text: str) -> bytes:
        return b"" if len(text) == 13 else base64.b64decode(text + "==").rstrip(b"\0")

    def _rule(self, **changes: object) -> None:
        self.rules = replace(self.rules, **changes)

    def _write_reference(self) -> None:
        lines = [f"{name},{name.title()},direct_csp,partner_center_csv,EU," for name in sorted(self.rules.partners)]
        header = "partner_id,name,partner_type,channel,region,provider_id"
        self.world.reference("partners.csv", "\n".join([header, *lines, ""]))
        pairs = [f"{partner},{tenant},active,2024-01-01T00:00:00Z," for partner, tenant in sorted(self.rules.consents)]
        header = "partner_id,tenant_id,status,granted_at,revoked_at"
        self.world.reference("authorizations.csv", "\n".join([header, *pairs, ""]))

    def _take(self, path: str) -> Delivery:
        (self.world.inbox / path).unlink()
        self.told.append(f"take away {path}")
        return self.inbox.pop(path)

    def _put_elsewhere(self, delivery: Delivery) -> None:
        self.files += 1
        folder = self.random.choice((delivery.folder, *TENANTS))
        partner = self.random.choice((delivery.partner, delivery.partner, *PARTNERS))
        there = replace(delivery, folder=folder, partner=partner)
        self._put(f"{partner}/{folder}/{self.random.choice('abcdef')}{self.files}.csv", there)

    def _put(self, path: str, delivery: Delivery) -> None:
        self.inbox[path] = delivery
        self.told.append(f"put {path} {delivery}")
        header = (*INTUNE[:4], "Tenant ID") if delivery.names_tenants else INTUNE[:4]
        self.world.deliver(path, *(self._cells(row) for row in delivery.rows), header=header)

    def _row(self, *, names_tenants: bool) -> Row:
        tenant = self.random.choice(TENANTS) if names_tenants else None
        tag = f"{self.random.randrange(10**6)}" + ("x" * 130 if self.random.random() < 0.15 else "")
        if self.random.random() < 0.06:
            return Row(None, 0, 0, tag, tenant)
        device = self.random.randrange(1, 7)
        if device % WEAK == 0:
            return Row(device, 0, 0, tag, tenant)
        return Row(device, self.random.choice((0, 0, 0, 1)), self.random.choice((0, 0, 1, 2)), tag, tenant)

    def _cells(self, row: Row) -> dict[str, str]:
        named = {TAG: row.tag} | ({"Tenant ID": row.tenant} if row.tenant else {})
        if row.device is None:
            return named
        text = self._text(row.device, row.board, row.capture)
        return named | {PRODUCT_ID if row.device % WEAK == 0 else HASH: text}

    def _text(self, device: int, board: int, taken: int) -> str:
        key = device, board, taken
        if key not in self.texts:
            made = self.devices.setdefault(device, self.world.factory.device())
            if board:
                made = self.boards.setdefault((device, board), with_board(made, self.world.factory))
            weak = device % WEAK == 0
            captured = replace(made, captured_at=self.devices[device].captured_at + 10_000 * taken + 1_000 * board)
            self.texts[key] = made.product_id if weak else capture(captured)
        return self.texts[key]


HAPPENINGS = (
    *["deliver"] * 8,
    *["deliver_more"] * 2,
    *["remove"] * 4,
    *["consent"] * 2,
    *["copy", "move", "take_away", "bring_back", "know", "raise_limit", "lose_runs"],
)


def play(tmp_path, seed: int) -> None:
    source = random.Random(seed)
    game = Play(make_world(tmp_path, Factory(random.Random(seed))), source)
    pairs = [(partner, tenant) for partner in PARTNERS for tenant in TENANTS]
    game.rules = replace(game.rules, consents=frozenset(pair for pair in pairs if source.random() < 0.8))
    (tmp_path / "reference" / "tenants.csv").unlink()
    try:
        for _ in range(source.randint(3, 6)):
            game.happen(source.randint(1, 4))
            game.night()
    except Exception as error:
        error.add_note("\n".join([f"seed {seed}", *game.told]))
        raise


@pytest.mark.parametrize("seed", range(1))
def test_what_a_night_decides_is_what_was_asked_and_not_done(tmp_path, seed):
    play(tmp_path, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", [*range(1, 6), *range(1000, 1400)])
def test_many_worlds(tmp_path, seed):
    play(tmp_path, seed)
