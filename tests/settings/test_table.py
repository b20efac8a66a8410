import inspect
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.config import Limits, RunConfig
from pipeline.errors import UsageError
from pipeline.settings import SETTINGS, Kind, Scope, meant, parse_size, settings_of

OF_COMMAND = {"form", "quiet", "max_reject_rate", "log_format", "metrics"}


def test_a_command_has_each_option_once():
    for command in {command for setting in SETTINGS for command in setting.commands}:
        names = [setting.name for setting in settings_of(command)]
        assert sorted(names) == sorted(set(names)), command


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: f"{setting.name} of {setting.commands[0]}")
def test_an_entry_is_whole(setting):
    assert setting.meaning
    assert not setting.meaning.endswith(".")
    assert setting.written or setting.scope is Scope.FLAG
    assert setting.default is None or setting.otherwise is None
    assert setting.accepts(setting.default)
    assert setting.kind is not Kind.FLAG or setting.default is False
    assert setting.kind is not Kind.CHOICE or setting.is_required or setting.default in setting.choices


def test_a_run_in_python_takes_the_settings_of_the_command_with_their_defaults():
    told = {setting.parameter: setting.default for setting in settings_of("run")}
    taken = inspect.signature(RunConfig.beside).parameters
    assert told.keys() - OF_COMMAND == taken.keys() - {"inboxes"}
    for name in told.keys() - OF_COMMAND:
        assert taken[name].default == told[name], name


def test_what_means_another_thing_to_each_command_is_not_said_to_all():
    for setting in SETTINGS:
        shapes = {one.shape for one in SETTINGS if one.name == setting.name and one.scope is not Scope.FLAG}
        assert len(shapes) == 1 or setting.scope is not Scope.EVERYWHERE, setting.name


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8589934592", 8 << 30),
        ("8GiB", 8 << 30),
        ("8 gib", 8 << 30),
        ("1.5GiB", 3 << 29),
        ("500MB", 500_000_000),
        ("2kB", 2_000),
        ("64KiB", 65_536),
        ("1TiB", 1 << 40),
        ("12B", 12),
    ],
)
def test_a_size_has_a_unit_or_none(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "8 apples", "-1GiB", "8G", "1e9", "٣٣ apples", "0x10"])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(ValueError, match="no size"):
        parse_size(text)


def test_a_mistyped_name_is_met_with_the_right_one():
    assert meant("wait_day", ["workers", "wait-days"]) == "did you mean wait-days?"
    assert meant("colour", ["workers", "wait-days"]) == "expected one of workers, wait-days"


NOW = datetime(2026, 1, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"wait_days": "90"}, "wait_days '90': expected a whole number"),
        ({"wait_days": True}, "wait_days True"),
        ({"wait_days": -1}, "wait_days -1"),
        ({"wait_days": None}, "wait_days None"),
        ({"workers": 1.5}, "workers 1.5"),
        ({"dry_run": 1}, "dry_run 1: expected true or false"),
        ({"as_of": "2026-01-15"}, "as_of '2026-01-15': expected a moment"),
        ({"run_id": 7}, "run_id 7: expected text"),
        ({"registry": 7}, "registry 7: expected the path of a folder"),
        ({"file_limit": "8GiB"}, "file_limit '8GiB': expected a number of bytes"),
        ({"as_of": datetime(2026, 1, 15)}, "has no time zone"),  # noqa: DTZ001 - that is what is wrong
    ],
)
def test_wrong_types_are_wrong_usage(tmp_path, wrong, told):
    with pytest.raises(UsageError) as refused:
        RunConfig.beside(tmp_path / "inbox", **wrong)
    assert told in str(refused.value)


@pytest.mark.parametrize("inbox", [None, 5, b"inbox", ["inbox"]])
def test_an_inbox_is_a_path_or_a_uri(inbox):
    with pytest.raises(UsageError, match="expected the path of a folder"):
        RunConfig.beside(inbox)


@pytest.mark.parametrize("wrong", [{"inboxes": "inbox"}, {"limits": 5}, {"limits": Limits(text="8")}, {"output": None}])
def test_a_configuration_made_by_hand_is_looked_at_too(tmp_path, wrong):
    places = {name: tmp_path / name for name in ("reference", "registry", "output")}
    given = {"inboxes": (tmp_path / "inbox",), **places, "as_of": NOW, "run_id": "r1"}
    assert RunConfig(**given)
    with pytest.raises(UsageError):
        RunConfig(**given | wrong)


def test_text_names_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunConfig.beside("inbox", output="out").output == Path("out")
    assert RunConfig.beside("inbox").registry == tmp_path / "registry"
