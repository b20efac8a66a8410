"""What nights of many rows cost, computed from what was measured; the tables of `pipeline/PLANNING.md`."""

from dataclasses import dataclass

MILLION = 1_000_000
NIGHTS = (10 * MILLION, 100 * MILLION, 1_000 * MILLION)
REGISTRIES = (1_000 * MILLION, 10_000 * MILLION)
CORES = 64
DISK = 200 * MILLION
"""Bytes a second that one executor core reads."""


@dataclass(frozen=True)
class Measured:
    """A figure, its unit, and where it comes from."""

    value: float
    unit: str
    what: str
    source: str


_LARGE = "nights of 1,000,000 and 3,000,000 rows, `tests/benchmarks`"
MEASURED = {
    "manifest": Measured(4_100, "bytes a row", "a manifest with hardware hashes", "`tests/benchmarks/deliveries.py`"),
    "part": Measured(62 * MILLION, "bytes", "a part of manifests, read by one task", "`pipeline/ingest/survey.py`"),
    "workspace": Measured(3_800, "bytes a row", "the workspace at its largest", "a night of 500,000 rows"),
    "tasks": Measured(41, "µs a row", "CPU of tasks on a cluster", "a night of 500,000 rows"),
    "driver": Measured(2.3, "µs a row", "CPU of the process that runs the night", _LARGE),
    "begin": Measured(1.4, "s", "its CPU for any night", _LARGE),
    "memory": Measured(210, "bytes a row", "its memory, which no file stands behind", _LARGE),
    "least": Measured(165 * MILLION, "bytes", "its memory for any night", _LARGE),
    "start": Measured(20, "s", "until executors have begun, on a quiet machine", "a night of 116 rows"),
    "answer": Measured(3_500, "bytes", "the answer of a task", "the logs of executors"),
    "device": Measured(600, "bytes a record", "the registry, with its hashes", "`registry stats`"),
    "keys": Measured(53, "bytes a record", "its columns of keys", "data files of 1,000,000 records"),
    "look": Measured(0.4, "µs a record", "CPU to look through those for 100,000 rows", "5,000,000 records"),
    "sidecar": Measured(500, "bytes a record", "sidecars", "`registry compact`"),
    "wanted": Measured(50, "bytes a row", "keys of a night, which each executor maps", "100,000 rows"),
}


def of(name):
    return MEASURED[name].value


def size(number):
    for unit, many in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= many:
            told = number / many
            return f"{told:,.0f} {unit}" if told >= 10 else f"{told:.1f} {unit}"
    return f"{number / 1e3:,.0f} KB"


def duration(seconds):
    if seconds < 120:
        return f"{seconds:,.0f} s"
    return f"{seconds / 60:,.0f} min" if seconds < 7_200 else f"{seconds / 3_600:,.1f} h"


def measured():
    yield "| | measured | where |"
    yield "| --- | --- | --- |"
    for one in MEASURED.values():
        is_large = one.unit == "bytes" and one.value >= MILLION
        yield f"| {one.what} | {size(one.value) if is_large else f'{one.value:,g} {one.unit}'} | {one.source} |"


def of_nights():
    """By row of the table: what it tells, of a number of rows."""
    return {
        "manifests": lambda rows: size(rows * of("manifest")),
        "parts, each a task": lambda rows: f"{rows * of('manifest') / of('part'):,.0f}",
        "workspace on the shared place": lambda rows: size(rows * of("workspace")),
        "CPU of tasks": lambda rows: duration(rows * of("tasks") / 1e6),
        f"of it on each of {CORES} cores": lambda rows: duration(rows * of("tasks") / 1e6 / CORES),
        "CPU of the process that runs the night": lambda rows: duration(of("begin") + rows * of("driver") / 1e6),
        f"wall with {CORES} cores, start included": lambda rows: duration(wall(rows)),
        "memory of the process that runs the night": lambda rows: size(of("least") + rows * of("memory")),
        "answers of a wave, which pass through the JVM": lambda rows: size(
            rows * of("manifest") / of("part") * of("answer")
        ),
        "keys of the night, on each executor": lambda rows: size(rows * of("wanted")),
        "the registry grows by": lambda rows: size(rows * of("device")),
    }


def wall(rows):
    return of("start") + of("begin") + rows * (of("tasks") / CORES + of("driver")) / 1e6


def nights():
    yield f"| | {' | '.join(f'{rows // MILLION:,} million rows' for rows in NIGHTS)} |"
    yield f"| --- |{' --- |' * len(NIGHTS)}"
    for name, tell in of_nights().items():
        yield f"| {name} | {' | '.join(map(tell, NIGHTS))} |"


def of_registries():
    return {
        "on disk, compacted": lambda records: size(records * of("device")),
        "sidecars": lambda records: size(records * of("sidecar")),
        "columns of keys, where there are no sidecars": lambda records: size(records * of("keys")),
        f"of it read by {CORES} cores in": lambda records: duration(records * of("keys") / DISK / CORES),
        "CPU to look through them": lambda records: duration(records * of("look") / 1e6),
        f"of it on each of {CORES} cores": lambda records: duration(records * of("look") / 1e6 / CORES),
    }


def registries():
    yield f"| | {' | '.join(f'{records // MILLION:,} million records' for records in REGISTRIES)} |"
    yield f"| --- |{' --- |' * len(REGISTRIES)}"
    for name, tell in of_registries().items():
        yield f"| {name} | {' | '.join(map(tell, REGISTRIES))} |"
