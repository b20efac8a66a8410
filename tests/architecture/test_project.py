import re
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

import schemas.reasons
from pipeline.cli.main import cli
from pipeline.settings import ENVIRONMENT, settings_of
from schemas.columns import TITLES
from schemas.outcome import CARRIED_OUT_SETS, REJECTED_ROW
from schemas.reasons import CATALOGUE, Family
from schemas.registry import IMPORT_COLUMNS
from schemas.steps import REMAINING_STEP
from tests.architecture.tables import TABLES, with_tables

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


@pytest.mark.parametrize("document", sorted(set(TABLES.values())))
def test_tables_of_the_documents_are_what_is_declared(document):
    assert DOCUMENTS[document] == with_tables(document)


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


def test_a_file_of_existing_records_is_documented():
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
        assert reason.field in {"", "*", *TITLES}


def test_the_models_of_the_sets_are_strict():
    for model in (*(model for _, model in CARRIED_OUT_SETS.values()), REJECTED_ROW, REMAINING_STEP):
        assert model.strict
        assert model.checks or model.unique


@pytest.mark.parametrize("name", ["requirements.lock", "pipeline/engine/requirements-spark.lock"])
def test_a_lock_file_pins_hashes_and_names_no_registry(name):
    lock = (ROOT / name).read_text(encoding="utf-8")
    assert "://" not in lock
    pinned = re.findall(r"^[a-z0-9-]+==", lock, re.MULTILINE)
    assert len(pinned) > 30
    assert lock.count("--hash=sha256:") >= len(pinned)


def test_both_lock_files_have_the_same_versions():
    first, second = (
        set(
            re.findall(r"^([a-z0-9-]+==[^ ]+(?: ; [^\\\n]*)?)", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        )
        for name in ("requirements.lock", "pipeline/engine/requirements-spark.lock")
    )
    names = {pin.split("==")[0] for pin in first}
    assert {pin for pin in second if pin.split("==")[0] in names} <= first
    assert any(pin.startswith("pyspark==4") for pin in second)


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
