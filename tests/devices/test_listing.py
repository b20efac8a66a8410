import json
import os
import pty
import random
import subprocess
import sys

import polars as pl
import pytest
from click.testing import CliRunner

from pipeline.cli.main import cli
from pipeline.config import parse_moment
from pipeline.devices.choosing import Choice
from pipeline.devices.listing import COLUMNS, listed
from pipeline.devices.showing import fitting, texts
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.devices import Factory
from pipeline.lab.synthesize.night import INTUNE
from pipeline.listener import Silence
from pipeline.reference.tables import assigned_profiles
from pipeline.registry import Registry
from pipeline.registry.removing import remove_devices
from tests.cli.test_commands import read_terminal
from tests.conftest import AS_OF, OTHER_TENANT, TENANT, make_world

HASH, TAG, USER = INTUNE[2:5]
PROFILES = f"tenant_id,group_tag,profile\n{TENANT.upper()},Sales,Field\n{TENANT},,Office\n"


@pytest.fixture(scope="module")
def listing(tmp_path_factory):
    """A world of two nights: three devices with tags, one of another tenant, and one that has left."""
    world = make_world(tmp_path_factory.mktemp("listing"), Factory(random.Random(3)))
    world.reference("profiles.csv", PROFILES)
    tagged = [
        {HASH: capture(world.factory.device()), TAG: tag, USER: "ann@contoso.example"} for tag in ("Sales", "=IT")
    ]
    world.deliver(f"contoso/{TENANT}/a.csv", *tagged[:1], {HASH: capture(world.factory.device())})
    world.deliver(f"northwind/{OTHER_TENANT}/b.csv", {HASH: capture(world.factory.device()), TAG: "Sales"})
    world.deliver(f"contoso/{TENANT}/c.csv", {HASH: capture(world.factory.device()), TAG: "gone"})
    first = world.run()
    gone = first.registered.filter(pl.col("group_tag") == "gone")["device_id"].to_list()
    remove_devices(Registry.open(world.registry, create=False), gone, "sold", AS_OF)
    serial, maker = "PF0LIST1", "LENOVO"
    world.import_existing(
        {"tenant_id": TENANT, "registered_via": "intune", "serial_number": serial, "manufacturer": maker, "model": "X1",
         "group_tag": "=IT", "registered_at": "2020-01-01T00:00:00Z"}
    )  # fmt: skip
    return world


def listed_in(world, by="serial_number", *, descending=False, **choice):
    registry = Registry.open(world.registry, create=False)
    profiles = assigned_profiles(world.home / "reference")
    with listed(registry, Choice(**choice), profiles, Silence(), by=by, descending=descending) as devices:
        return pl.concat(devices)


def test_only_what_is_registered_now_is_listed_with_its_profile(listing):
    devices = listed_in(listing).select("tenant_id", "group_tag", "profile").cast(pl.String)
    assert sorted(devices.rows(), key=str) == [
        (TENANT, "=IT", "Office"),
        (TENANT, "Sales", "Field"),
        (TENANT, None, "Office"),
        (OTHER_TENANT, "Sales", "default"),
    ]


@pytest.mark.parametrize(
    ("choice", "number"),
    [
        ({}, 4),
        ({"tenant_id": TENANT.upper()}, 3),
        ({"partner_id": "northwind"}, 1),
        ({"partner_id": "Northwind"}, 0),
        ({"serial_number": "pf0list1"}, 1),
        ({"serial_number": "PF0LIST"}, 0),
        ({"manufacturer": "lenovo", "model": "x1"}, 1),
        ({"group_tag": "sales"}, 2),
        ({"group_tag": "sales", "tenant_id": TENANT}, 1),
        ({"group_tag": ""}, 1),
        ({"profile": "field"}, 1),
        ({"profile": "default"}, 1),
        ({"since": parse_moment("2026-01-01T00:00:00Z")}, 3),
        ({"since": AS_OF}, 3),
        ({"since": parse_moment("2026-01-15T02:00:01Z")}, 0),
    ],
)
def test_filters(listing, choice, number):
    assert listed_in(listing, **choice).height == number


@pytest.mark.parametrize("by", COLUMNS)
def test_any_column_sorts_and_nothing_comes_last(listing, by):
    for descending in (False, True):
        devices = listed_in(listing, by, descending=descending)
        found = [value for value in devices[by].cast(pl.String) if value is not None]
        assert found == sorted(found, reverse=descending)
        assert devices[by].to_list()[: len(found)].count(None) == 0


def test_a_registry_without_devices_lists_none(tmp_path):
    registry = Registry.open(tmp_path / "registry", create=True)
    with listed(registry, Choice(), assigned_profiles(), Silence()) as rows:
        devices = list(rows)
    assert [(part.columns, part.height) for part in devices] == [(list(COLUMNS), 0)]
    assert len("".join(texts(devices, fitting(devices, 80))).splitlines()) == 1


def asked(world, monkeypatch, *options):
    monkeypatch.chdir(world.home)
    return CliRunner().invoke(cli, ["registry", "list", *map(str, options)], standalone_mode=False)


def test_what_is_written_for_people_and_programs(listing, monkeypatch):
    told = {
        form: asked(listing, monkeypatch, "--sort", "group-tag", "--format", form) for form in ("text", "json", "csv")
    }
    assert {(done.return_value, done.stderr) for done in told.values()} == {(None, "")}
    assert told["text"].stdout.splitlines()[-1] == "4 devices"
    devices = [json.loads(line) for line in told["json"].stdout.splitlines()]
    assert [device["group_tag"] for device in devices] == ["=IT", "Sales", "Sales", None]
    assert devices[0]["registered_at"] == "2020-01-01T00:00:00Z"
    raw = told["csv"].stdout.splitlines()
    assert raw[0].startswith('\ufeff"serial_number","manufacturer"')
    assert '"\'=IT"' in raw[1]
    for done in told.values():
        assert "T0H0" not in done.stdout
        assert "ann@" not in done.stdout


def test_files_are_new_ones(listing, monkeypatch):
    for form in ("csv", "parquet"):
        path = listing.home / f"devices.{form}"
        done = asked(listing, monkeypatch, "--format", form, "--to", path)
        assert done.stdout == f"4 devices: {path}\n"
        before = path.read_bytes()
        again = asked(listing, monkeypatch, "--tenant", OTHER_TENANT, "--format", form, "--to", path)
        assert "nothing is ever overwritten" in str(again.exception)
        assert (again.exception.exit_code, path.read_bytes()) == (2, before)
    assert not list(listing.home.glob(".devices*"))
    assert (listing.home / "devices.csv").read_bytes().count(b"\r\n") == 5
    assert pl.read_parquet(listing.home / "devices.parquet").columns == list(COLUMNS)


@pytest.mark.parametrize("wrong", [("--format", "parquet"), ("--to", "x.csv"), ("--since", "2026"), ("--sort", "hash")])
def test_wrong_usage(listing, monkeypatch, wrong):
    done = asked(listing, monkeypatch, *wrong)
    assert (done.exception.exit_code, done.stdout) == (2, "")
    assert not (listing.home / "x.csv").exists()


def test_text_fits_the_terminal():
    rows = {name: ["a" * 40, "\u6771" * 30, None, "\x1b[31mred"] for name in COLUMNS}
    devices = [pl.DataFrame(rows).with_columns(registered_at=pl.lit(AS_OF))]
    for width in (20, 80, 100, 200):
        lines = "".join(texts(devices, fitting(devices, width))).splitlines()
        assert len(lines) == 5
        assert all(len(line) + line.count("\u6771") <= width for line in lines)
        assert all("\x1b" not in line for line in lines)
    whole = "".join(texts(devices, fitting(devices, None)))
    assert "a" * 40 in whole
    assert "\u2026" not in whole


def test_progress_shows_on_a_terminal_alone(listing):
    master, slave = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "80"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "registry", "list"],
        cwd=listing.home, stdout=subprocess.PIPE, stderr=slave, env=environment, check=True,
    )  # fmt: skip
    os.close(slave)
    assert b"list" in read_terminal(master)
    assert b"\x1b" not in done.stdout
