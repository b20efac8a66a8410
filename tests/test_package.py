import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

import pipeline
from pipeline.lab.synthesize.capture import capture

NOW = datetime(2026, 1, 15, tzinfo=UTC)


def test_both_packages_say_that_they_are_typed():
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert packages == ["pipeline", "schemas"]
    for package in packages:
        assert (files(package) / "py.typed").is_file()


def test_names_are_told_before_they_are_loaded():
    script = "import sys, pipeline; print({*pipeline.__all__} <= {*dir(pipeline)}, 'polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True False\n"
    assert not hasattr(pipeline, "nothing")


def test_a_check_and_an_inspection_are_calls(world):
    device = world.factory.device()
    path = world.deliver("a.csv", {"Hardware Hash": capture(device)}, {"Group Tag": "x"})
    for _ in range(2):  # the module that is named alike was loaded by the first
        checked = pipeline.check(pipeline.CheckConfig.of(path, as_of=NOW))
        assert checked.rows["reasons"].list.len().to_list() == [0, 1]
    assert set(checked.findings["code"]) >= {"IDENTITY_MISSING"}
    told = pipeline.inspect(capture(device))
    assert told["identity"]["hash_serial_number"] == device.serial
    assert told["identity"]["smbios_uuid"] != pipeline.inspect(capture(device), unmask=True)["identity"]["smbios_uuid"]


@pytest.mark.parametrize(
    "call",
    [
        lambda: pipeline.check(Path("a.csv")),
        lambda: pipeline.check(pipeline.CheckConfig.of("a.csv")),
        lambda: pipeline.CheckConfig.of(Path("a.csv"), partner=5),
        lambda: pipeline.CheckConfig.of(Path("a.csv"), as_of="now"),
        lambda: pipeline.CheckConfig.of(Path("a.csv"), as_of=datetime(2026, 1, 15)),  # noqa: DTZ001 - that is wrong
        lambda: pipeline.CheckConfig.of(Path("a.csv"), group_tag_limit="128"),
        lambda: pipeline.CheckConfig.of(Path("a.csv"), registry=3),
        lambda: pipeline.inspect(b"hash"),
        lambda: pipeline.inspect("hash", unmask="yes"),
        lambda: pipeline.run("inbox"),
    ],
)
def test_wrong_types_are_wrong_usage(call):
    with pytest.raises(pipeline.IntakeError) as refused:
        call()
    assert refused.value.exit_code == 2
