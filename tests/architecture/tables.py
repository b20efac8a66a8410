"""Tables of the documents, made of what the program declares; `python -m tests.architecture.tables` writes them."""

from pathlib import Path

from pipeline.lab.synthesize import DEPARTURE_STORIES, MATCHING_STORIES
from pipeline.lab.synthesize.night import Night
from pipeline.report.metrics import FIGURES, PREFIX
from pipeline.settings import Kind, settings_of
from schemas.columns import ALL_SETS, MANIFEST_COLUMNS
from schemas.outcome import FILE_COLUMNS, SET_COLUMNS
from schemas.reasons import CATALOGUE, MEANINGS
from schemas.registry import RECORD_COLUMNS
from schemas.steps import STEP_COLUMNS
from tests.architecture.planning import measured, nights, registries

ROOT = Path(__file__).parents[2]


def reasons():
    yield "| code | what is wrong | what to do | who | Microsoft |"
    yield "| --- | --- | --- | --- | --- |"
    for reason in MEANINGS.values():
        of = f" ({reason.only_of})" if reason.only_of else ""
        yield f"| `{reason.code}`{of} | {reason.sentence} | {reason.remedy} | {reason.owner} | {reason.microsoft} |"


def scenarios():
    night = Night(1)
    for tell in (*MATCHING_STORIES, *DEPARTURE_STORIES):
        tell(night)
    yield "| scenario | ends as | reason or warning |"
    yield "| --- | --- | --- |"
    told = {(truth.reasons, truth.warnings, truth.wanted, truth.scenario) for truth in night.truths()}
    for rejected, warned, wanted, scenario in sorted(told, key=lambda row: (row[:2], row[2] != "registered", row[3])):
        ends_as = CATALOGUE[rejected[0]].outcome if rejected else wanted
        yield f"| {scenario} | {ends_as} | {', '.join(f'`{code}`' for code in (*rejected, *warned))} |"


def manifest():
    yield "| column | also called |"
    yield "| --- | --- |"
    for column in MANIFEST_COLUMNS.values():
        documented, *others = column.names
        yield f"| `{documented}` | {', '.join([*others, *([column.remark] if column.remark else [])])} |"


def columns():
    in_all = {name for name, column in SET_COLUMNS.items() if column.sets == ALL_SETS}
    files = {"all sets": {name: SET_COLUMNS[name] for name in SET_COLUMNS if name in in_all}}
    for one in ALL_SETS:
        own = {name: column for name, column in SET_COLUMNS.items() if one in column.sets and name not in in_all}
        files[f"`{one}/`"] = own
    yield "| file | column | type | |"
    yield "| --- | --- | --- | --- |"
    for file, table in (files | {"`files.parquet`": FILE_COLUMNS, "`steps.parquet`": STEP_COLUMNS}).items():
        for name, column in table.items():
            yield f"| {file} | `{name}` | {column.dtype!r} | {column.meaning} |"


def registry():
    yield "| column | type | |"
    yield "| --- | --- | --- |"
    for name, column in RECORD_COLUMNS.items():
        yield f"| `{name}` | {column.dtype!r} | {column.meaning} |"


def options():
    yield "| option | default | meaning |"
    yield "| --- | --- | --- |"
    for setting in settings_of("run"):
        values = setting.values.replace("|", "\\|")
        usual = "off" if setting.kind is Kind.FLAG else setting.usual or "none"
        yield f"| `--{setting.name}{' ' if values else ''}{values}` | {usual} | {setting.meaning} |"
    yield "| `--config FILE` | `intake.toml`, if present | settings named as the options |"


def metrics():
    yield "| metric | labels | |"
    yield "| --- | --- | --- |"
    for one in FIGURES:
        yield f"| `{PREFIX}{one.name}` | {', '.join(one.labels)} | {one.told} |"


TABLES = {
    reasons: "schemas/REFERENCE.md",
    columns: "schemas/REFERENCE.md",
    registry: "schemas/REFERENCE.md",
    options: "schemas/REFERENCE.md",
    manifest: "pipeline/PARTNERS.md",
    scenarios: "pipeline/HOW_IT_WORKS.md",
    metrics: "pipeline/OPERATIONS.md",
    measured: "pipeline/PLANNING.md",
    nights: "pipeline/PLANNING.md",
    registries: "pipeline/PLANNING.md",
}
"""For each table the document that it stands in, between comments with its name."""


def with_tables(document):
    """The text of a document, its tables made anew."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for make in (make for make, place in TABLES.items() if place == document):
        begin, end = f"<!-- {make.__name__} -->\n", f"<!-- /{make.__name__} -->"
        before, rest = text.split(begin)
        text = before + begin + "".join(f"{line}\n" for line in make()) + end + rest.split(end)[1]
    return text


if __name__ == "__main__":
    for name in set(TABLES.values()):
        (ROOT / name).write_text(with_tables(name), encoding="utf-8")
