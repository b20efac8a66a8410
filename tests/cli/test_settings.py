"""Where a command's settings come from, and what is said of those that cannot be."""

import json
import tomllib

import click
import pytest
from click.testing import CliRunner

from pipeline.cli.devices import _SORTED_BY
from pipeline.cli.init import explained
from pipeline.cli.main import cli
from pipeline.cli.registry import registry
from pipeline.settings import COMMANDS, ENVIRONMENT, INBOX, NAMES, SETTINGS, Scope, settings_of
from tests.architecture.test_project import commands


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def invoke(*arguments, **environment):
    return CliRunner(env=environment).invoke(cli, arguments, prog_name="autopilot-intake")


def shown(*arguments, **environment):
    done = invoke("config", "show", "--format", "json", *arguments, **environment)
    assert done.exit_code == 0, done.output
    return {one["setting"]: (one["value"], one["origin"]) for one in json.loads(done.stdout)}


def refused(text, *arguments, file="intake.toml"):
    with open(file, "w", encoding="utf-8") as written:  # noqa: PTH123 - here is the working folder
        written.write(text)
    done = invoke(*arguments or ("config", "show"))
    return str(done.exception) if done.exception else None


def test_the_commands_options_are_those_of_the_table():
    known = dict(commands(cli))
    assert set(COMMANDS) <= set(known)
    for name, command in known.items():
        options = [option for option in command.params if isinstance(option, click.Option) and option.name != "config"]
        assert [option.opts[0] for option in options] == [f"--{one.name}" for one in settings_of(name)], name


def test_a_table_is_for_its_command_and_the_top_for_all(here):
    text = (
        'workers = 3\nfile_limit = "2GiB"\n[run]\nworkers = 4\n[check]\ntenant = "x"\n["runs prune"]\nolder-than = 9\n'
    )
    (here / "intake.toml").write_text(text)
    told = shown()
    assert told["workers"] == (4, "file intake.toml")
    assert told["file-limit"] == (2 << 30, "file intake.toml")
    assert invoke("runs", "prune").output == "0 runs removed\n"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("list", []), ("export", ["out", "--layout", "intune"]), ("remove", ["id", "--reason", "x"])],
)
def test_which_devices_are_meant_is_said_on_the_command_line_alone(here, name, arguments, monkeypatch):
    chooses = [one for one in settings_of(f"registry {name}") if one.scope is Scope.FLAG]
    (here / "intake.toml").write_text('tenant = "of check"\npartner = "of check"\n')
    for one in chooses:
        monkeypatch.setenv(ENVIRONMENT + one.name.replace("-", "_").upper(), "elsewhere")
    group = click.Context(registry, click.Context(cli, info_name="autopilot-intake"), info_name="registry")
    made = registry.commands[name].make_context(name, arguments, group)
    assert {made.params[one.parameter] for one in chooses} == {None}


def test_devices_are_sorted_by_what_the_table_names():
    assert [one.choices for one in settings_of("registry list") if one.name == "sort"] == [tuple(_SORTED_BY)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("wait-day = 1", "wait-day: no such setting; did you mean wait-days?"),
        ("[run]\nwait_day = 1", "[run] wait-day: no such setting; did you mean wait-days?"),
        ("[run]\nunmask = true", "[run] unmask: no such setting"),
        ("[rnu]\nworkers = 1", "[rnu]: no such command; did you mean run?"),
        ("[wait-days]\nx = 1", "[wait-days]: no such command"),
        (
            "older-than = 3",
            'older-than: to each command another thing; set it in ["runs prune"] or ["registry vacuum"]',
        ),
        ('["registry list"]\ntenant = "x"', "[registry list] tenant: only an option; give it as one"),
        ('serial-number = "x"', "serial-number: only an option"),
        ("[registry]\nolder-than = 3", "[registry]: no such command; did you mean registry"),
        ('wait-days = "soon"', "wait-days: found 'soon', expected a whole number from 1 on"),
        ("wait-days = 0", "wait-days: found 0"),
        ("wait-days = 1.5", "wait-days: found 1.5"),
        ("workers = true", "workers: found True"),
        ("dry-run = 3", "dry-run: found 3, expected true or false"),
        ("max-reject-rate = 2", "max-reject-rate: found 2, expected a number from 0 to 1"),
        ('file-limit = "8 apples"', "file-limit: found '8 apples', expected a number of bytes, such as 8GiB"),
        ('format = "xml"', "format: found 'xml', expected one of text, json"),
        ("output = 3", "output: found 3, expected the path of a folder"),
        ("inbox = 3", "inbox: found 3"),
        ('reference = ["a"]', "reference: found ['a']"),
        ("workers = ", "expected TOML"),
    ],
)
def test_what_a_file_may_not_say_is_refused_by_name(here, text, told):
    message = refused(text)
    assert message is not None
    assert message.startswith("configuration intake.toml: ")
    assert told in message


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('format = "sarif"\nwait-days = 3', ("explain",)),
        ('format = "sarif"', ("runs", "list")),
        ('wait-days = "soon"', ("explain",)),
        ('[check]\ngroup-tag-limit = "x"', ("explain",)),
        ('[explain]\nrun = "r1"\n[run]\nworkers = 1', ("runs", "list")),
    ],
)
def test_what_another_command_is_told_is_no_error(here, text, arguments):
    assert refused(text, *arguments) is None


def test_each_setting_is_told_with_where_it_is_from(here):
    (here / "own.toml").write_text('inbox = ["a b", "c"]\nreference = "ref"\n')
    told = shown("--config", "own.toml", "--workers", "2", "--dry-run", AUTOPILOT_INTAKE_WAIT_DAYS="7")
    assert list(told) == ["inbox", *(one.name for one in settings_of("run"))]
    assert told["inbox"] == (["a b", "c"], "file own.toml")
    assert told["reference"] == ("ref", "file own.toml")
    assert told["registry"] == (str(here / "registry"), "default")
    assert told["output"] == (str(here / "runs"), "default")
    assert told["workers"] == (2, "flag --workers")
    assert told["dry-run"] == (True, "flag --dry-run")
    assert told["wait-days"] == (7, "environment AUTOPILOT_INTAKE_WAIT_DAYS")
    assert told["run-id"] == (None, "default")
    assert shown("x")["inbox"] == (["x"], "argument")
    assert shown(AUTOPILOT_INTAKE_INBOX="a b")["inbox"] == (["a b"], "environment AUTOPILOT_INTAKE_INBOX")
    assert "(one a processor" in invoke("config", "show").output


def test_settings_that_no_run_would_take_are_shown_all_the_same(here):
    done = invoke("config", "show", "inbox", "--output", "inbox/out")
    assert done.exit_code == 0
    assert "lies inside the inbox" in done.stderr
    assert "inbox/out" in done.stdout


def test_the_first_file_explains_every_setting_and_says_what_is_so_already(here):
    text = explained()
    bare = tomllib.loads(text)
    assert bare == {"inbox": "inbox"}
    lines = text.splitlines()
    taken = [line.removeprefix("# ") if " = " in line or line.startswith("# [") else line for line in lines]
    said = tomllib.loads("\n".join(line for line in taken if not line.startswith("#")))
    named = set(said) | {name for table in said.values() if isinstance(table, dict) for name in table}
    assert named >= set(NAMES)
    (here / "intake.toml").write_text("\n".join(taken))
    told = shown()
    same = {one.name: one.default for one in settings_of("run") if one.default is not None}
    assert {name: told[name][0] for name in same} == same
    assert {origin for _, origin in told.values()} == {"file intake.toml"}


def test_a_run_needs_an_inbox_from_somewhere(here):
    assert "set inbox in intake.toml" in str(invoke("run").exception)
    assert invoke("init", "night").exit_code == 0


def test_sizes_are_taken_as_flags_and_from_the_environment(here):
    assert shown("--file-limit", "1MiB")["file-limit"] == (1 << 20, "flag --file-limit")
    assert shown(AUTOPILOT_INTAKE_FILE_LIMIT="5 MB")["file-limit"][0] == 5_000_000
    assert "8GiB" in invoke("run", "--help").output
    assert "no size" in str(invoke("config", "show", "--file-limit", "8 apples").output)


def test_the_table_knows_no_command_that_there_is_not():
    assert {command for setting in (*SETTINGS, INBOX) for command in setting.commands} <= dict(commands(cli)).keys()
