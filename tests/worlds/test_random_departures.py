"""Random nights of arrivals and departures against a plain account of them; the order of rows and files is nobody's."""

import random
import shutil

import pytest

from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory, recaptured
from pipeline.lab.synthesize.night import INTUNE, PARTNER_CENTER
from pipeline.registry import Registry
from tests.conftest import OTHER_TENANT, TENANT, make_world
from tests.oracles.departures import Ledger

SERIAL, PRODUCT_ID, HASH, TAG, _ = INTUNE
MAKER, MODEL = PARTNER_CENTER[3:]
COLUMNS = ("Device ID", SERIAL, PRODUCT_ID, HASH, MAKER, MODEL, "Departure Reason")
PARTNERS = ("contoso", "northwind")
NAMED = ("tenant_id", "hash_serial_number", "device_id")
NIGHTS, DEVICES, ROWS = 4, 8, 8


def naming(device, ids, chance):
    """Cells that name a device exactly, one of the ways that there are; `ids` is that of its registration."""
    ways = [
        {HASH: capture(device)},
        {PRODUCT_ID: device.product_id},
        {SERIAL: device.serial},
        {SERIAL: device.serial, MAKER: device.maker, MODEL: device.model},
        {HASH: capture(device), SERIAL: device.serial, PRODUCT_ID: device.product_id},
    ]
    ways += [{"Device ID": ids}] if ids else []
    return chance.choice(ways) | {"Departure Reason": chance.choice(["", "sold", "repair", "returned"])}


def nearly(device, chance):
    """Cells that name a device, and something else of it wrongly: no departure."""
    return chance.choice(
        [
            {SERIAL: device.serial, MODEL: "another"},
            {SERIAL: device.serial.lower()},
            {HASH: capture(device), SERIAL: device.serial + "X"},
            {PRODUCT_ID: device.product_id, SERIAL: device.serial + "X"},
            {"Device ID": "33333333-3333-4333-8333-333333333333", SERIAL: device.serial},
        ]
    )


class Player:
    """One order of things: a world whose files and lines are shuffled in its own way."""

    def __init__(self, home, factory, order):
        home.mkdir()
        self.world, self.order = make_world(home, factory), order

    def play(self, rows):
        """Rows are a folder, the header, and cells."""
        shutil.rmtree(self.world.inbox)
        self.world.inbox.mkdir()
        names = list(range(len(rows)))
        self.order.shuffle(names)
        for name, (folder, header, cells) in zip(names, rows, strict=True):
            self.world.deliver(f"{folder}/{name}.csv", cells, header=header)
        return self.world.run()

    def live(self):
        rows = Registry.open(self.world.registry, create=False).live().select("tenant_id", "serial_number").collect()
        return sorted(rows.rows())


def one_world(tmp_path, seed, nights=NIGHTS):
    chance = random.Random(seed)
    factory = Factory(random.Random(seed + 1))
    devices = [factory.device() for _ in range(DEVICES)]
    players = [Player(tmp_path / f"{seed}-{at}", factory, random.Random(seed + at)) for at in range(2)]
    ledger, ids = Ledger(), {}
    for _ in range(nights):
        rows, arrives, leaves = [], set(), set()
        for at in chance.choices(range(DEVICES), k=ROWS):
            tenant, partner = chance.choice([TENANT, TENANT, OTHER_TENANT]), chance.choice(PARTNERS)
            kind = chance.choice(["arrives", "arrives", "leaves", "leaves", "nearly"])
            if kind == "arrives":
                arrives.add((tenant, at))
                rows.append((f"{partner}/{tenant}", INTUNE, {HASH: capture(recaptured(devices[at], factory))}))
                continue
            if kind == "leaves":
                leaves.add((tenant, at))
            own = ids.get((tenant, devices[at].serial)) if (tenant, at) in ledger.live else None
            cells = naming(devices[at], own, chance) if kind == "leaves" else nearly(devices[at], chance)
            rows.append((f"{partner}/{tenant}/departures", COLUMNS, cells))
        ledger.play(arrives, leaves)
        played = [player.play(rows) for player in players]
        for player, night in zip(players, played, strict=True):
            assert night.manifest["rows"]["read"] == len(rows)
            assert night.deregistered.height == len(ledger.ended), (seed, rows)
            assert night.registered.height == len(ledger.registered), (seed, rows)
            assert player.live() == sorted((tenant, devices[at].serial) for tenant, at in ledger.live)
        # Which of two rows of a device is registered depends on their order, so only what both agree on is named.
        found = [
            {(tenant, serial): own for tenant, serial, own in night.registered.select(*NAMED).rows()}
            for night in played
        ]
        ids |= {key: own for key, own in found[0].items() if found[1][key] == own}
        ids = {key: own for key, own in ids.items() if found[0].get(key, own) == found[1].get(key, own)}


def test_nights_with_departures_end_as_the_account_says(tmp_path):
    one_world(tmp_path, seed=1, nights=3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_nights_with_departures_do(tmp_path, seed):
    one_world(tmp_path, seed)
