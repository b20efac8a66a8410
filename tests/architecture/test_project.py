import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import schemas.reasons
from pipeline.cli.main import cli
from pipeline.lab.synthesize import DEPARTURE_STORIES, MATCHING_STORIES
from pipeline.lab.synthesize.night import Night
from pipeline.report.metrics import FIGURES, PREFIX
from pipeline.settings import ENVIRONMENT, Kind, settings_of
from schemas.kinds import KINDS
from schemas.outcome import (
    BOTH_TYPES,
    CARRIED_OUT_SETS,
    DEREGISTERED_TYPES,
    FILE_TYPES,
    MEANINGS,
    REGISTERED_TYPES,
    REJECTED_ROW,
    REJECTED_TYPES,
)
from schemas.reasons import CATALOGUE, Family
from schemas.registry import IMPORT_COLUMNS, RECORD_MEANINGS, RECORD_TYPES
from schemas.steps import REMAINING_STEP, STEP_MEANINGS, STEP_TYPES

ROOT = Path(__file__).parents[2]
DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for place in (".", "pipeline", "schemas", "tests")
    for path in (ROOT / place).glob("*.md")
}
REFERENCE, HOW_IT_WORKS = DOCUMENTS["schemas/REFERENCE.md"], DOCUMENTS["pipeline/HOW_IT_WORKS.md"]
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",), ("lint-imports",)], ids=" ".join
)
def test_style_types_and_layers(command):
    done = subprocess.run([TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def made(document, name):
    return document.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def reasons_table():
    lines = ["| code | what is wrong | what to do | who | Microsoft |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| `{reason.code}` | {reason.sentence} | {reason.remedy} | {reason.owner} | {reason.microsoft} |"
        for reason in CATALOGUE.values()
    ]
    return "\n".join(lines) + "\n"


def test_the_table_of_reasons_is_the_catalogue():
    assert made(REFERENCE, "reasons") == reasons_table()


def scenarios_table():
    night = Night(1)
    for tell in (*MATCHING_STORIES, *DEPARTURE_STORIES):
        tell(night)
    lines = ["| scenario | ends as | reason or warning |", "| --- | --- | --- |"]
    told = {(truth.reasons, truth.warnings, truth.wanted, truth.scenario) for truth in night.truths()}
    for reasons, warnings, wanted, scenario in sorted(told, key=lambda row: (row[:2], row[2] != "registered", row[3])):
        ends_as = CATALOGUE[reasons[0]].outcome if reasons else wanted
        codes = ", ".join(f"`{code}`" for code in (*reasons, *warnings))
        lines.append(f"| {scenario} | {ends_as} | {codes} |")
    return "\n".join(lines) + "\n"


def test_the_table_of_scenarios_is_what_the_stories_tell():
    assert made(HOW_IT_WORKS, "scenarios") == scenarios_table()


def columns_table():
    lines = ["| file | column | type | |", "| --- | --- | --- | --- |"]
    files = {
        "all sets": BOTH_TYPES,
        "`registered/`": {name: dtype for name, dtype in REGISTERED_TYPES.items() if name not in BOTH_TYPES},
        "`deregistered/`": {name: dtype for name, dtype in DEREGISTERED_TYPES.items() if name not in BOTH_TYPES},
        "`rejected/`": {name: dtype for name, dtype in REJECTED_TYPES.items() if name not in BOTH_TYPES},
        "`files.parquet`": FILE_TYPES,
        "`steps.parquet`": STEP_TYPES,
    }
    for file, types in files.items():
        meanings = STEP_MEANINGS if types is STEP_TYPES else MEANINGS
        lines += [f"| {file} | `{name}` | {dtype!r} | {meanings[name]} |" for name, dtype in types.items()]
    return "\n".join(lines) + "\n"


def test_the_table_of_columns_is_the_schema():
    assert made(REFERENCE, "columns") == columns_table()


def options_table():
    lines = ["| option | default | meaning |", "| --- | --- | --- |"]
    for setting in settings_of("run"):
        values = setting.values.replace("|", "\\|")
        usual = "off" if setting.kind is Kind.FLAG else setting.usual or "none"
        lines.append(f"| `--{setting.name}{' ' if values else ''}{values}` | {usual} | {setting.meaning} |")
    return "\n".join([*lines, "| `--config FILE` | `intake.toml`, if present | settings named as the options |", ""])


def test_the_table_of_options_is_that_of_the_settings():
    assert made(REFERENCE, "options") == options_table()


def registry_table():
    lines = ["| column | type | |", "| --- | --- | --- |"]
    lines += [f"| `{name}` | {dtype!r} | {RECORD_MEANINGS[name]} |" for name, dtype in RECORD_TYPES.items()]
    return "\n".join(lines) + "\n"


def test_the_table_of_the_registry_is_the_schema():
    assert made(REFERENCE, "registry") == registry_table()


def metrics_table():
    lines = ["| metric | labels | |", "| --- | --- | --- |"]
    lines += [f"| `{PREFIX}{one.name}` | {', '.join(one.labels)} | {one.told} |" for one in FIGURES]
    return "\n".join(lines) + "\n"


def test_the_table_of_metrics_is_that_of_the_figures():
    assert made(DOCUMENTS["pipeline/OPERATIONS.md"], "metrics") == metrics_table()


def commands(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield " ".join((*path, name)), command


@pytest.mark.parametrize(("name", "command"), list(commands(cli)))
def test_every_command_and_option_is_documented_and_has_help(name, command):
    assert f"| `{name} " in REFERENCE or f"| `{name}`" in REFERENCE
    assert command.help
    variables = {f"--{one.name}": one.variable for one in settings_of(name)} | {"--config": f"{ENVIRONMENT}CONFIG"}
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help
            assert any(option.opts[0] in text for text in DOCUMENTS.values())
            assert option.envvar == variables[option.opts[0]]


def test_partners_are_told_every_column_that_is_read():
    assert {name.lower() for kind in KINDS.values() for names in kind.columns.values() for name in names} <= {
        cell.strip(" `").lower() for cell in re.split(r"[|,\n]", DOCUMENTS["pipeline/PARTNERS.md"])
    }
    assert ",".join(IMPORT_COLUMNS) in REFERENCE


def test_the_example_from_python_runs(tmp_path):
    example = REFERENCE.split("```python\nfrom pathlib")[1].split("```")[0]
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "inbox").symlink_to(ROOT / "data" / "inbox")
    (tmp_path / "data" / "reference").symlink_to(ROOT / "data" / "reference")
    script = f"from pathlib{example}".replace(
        'Path("data/inbox")', f'Path("data/inbox"), output=Path({str(tmp_path / "runs")!r})'
    ).replace("dry_run=True", f"dry_run=True, registry=Path({str(tmp_path / 'registry')!r}), create_registry=True")
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("{'read': ")


def anchors(text):
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_link_of_the_documents_leads_somewhere():
    for name, text in DOCUMENTS.items():
        for link in re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src(?:set)?="([^"]+)"', text):
            path, _, anchor = link.partition("#")
            target = (ROOT / name).parent / path if path else ROOT / name
            assert target.exists(), f"{name}: {link}"
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), f"{name}: {link}"


def test_the_readme_is_a_front_door_that_leads_to_all_else():
    readme = DOCUMENTS["README.md"]
    assert readme.count("\n") < 250
    assert DOCUMENTS.keys() - {"README.md"} <= set(re.findall(r"\]\(([^)#]+)\)", readme))


def test_a_production_install_pins_what_the_program_needs():
    (pins,) = set(re.findall(r"<\((grep .*?requirements\.lock)\)", DOCUMENTS["pipeline/OPERATIONS.md"]))
    told = subprocess.run(["/bin/sh", "-c", pins], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    pinned = {line.split("==")[0] for line in told.splitlines()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {re.match(r"[a-z0-9-]+", need)[0] for need in project["dependencies"]} <= pinned
    assert "sha256" not in told


def test_each_code_is_declared_once():
    assert sorted(CATALOGUE) == sorted(reason.code for reason in schemas.reasons._DECLARED)


def test_every_reason_is_whole():
    for reason in CATALOGUE.values():
        assert reason.sentence.endswith(".")
        assert reason.remedy.endswith(".")
        assert (reason.outcome is None) == (reason.family is Family.WARNING)


def test_the_models_of_the_sets_are_strict():
    for model in (*(model for _, model in CARRIED_OUT_SETS.values()), REJECTED_ROW, REMAINING_STEP):
        assert model.strict
        assert model.checks or model.unique


def test_the_lock_file_pins_hashes_and_names_no_registry():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock
    pinned = re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)
    assert len(pinned) > 30
    assert lock.count("--hash=sha256:") >= len(pinned)


def test_dependencies_agree():
    done = subprocess.run([sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_modules_stay_small():
    for path in (*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("schemas/**/*.py")):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_every_room_is_documented_and_few_modules_stand_outside():
    places = {
        path.stem
        for path in (ROOT / "pipeline").iterdir()
        if not path.name.startswith("_") and path.name != "py.typed" and path.suffix != ".md"
    }
    section = HOW_IT_WORKS.split("| place | holds |\n")[1].split("\n\n")[0]
    told = {word for line in section.splitlines()[1:] for word in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert told == places
    modules = [path.name for path in (ROOT / "pipeline").glob("*.py")]
    assert len(modules) <= 12
