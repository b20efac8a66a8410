"""What `doctor` says of a Spark cluster: what its executors have, and what they reach."""

import platform
import re
import uuid
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

from pipeline.engine import Sought, Surroundings, probe
from pipeline.errors import Fault
from pipeline.storage.locations import Location, is_uri

_AT_MOST_NAMED = 5


def executors(master: str | None, places: tuple[Location, ...], written: tuple[Path, ...]) -> list[str]:
    """What executors lack of what this machine has: libraries of the same version, and the same folders.

    Args:
        master: of the cluster; None for that of the session.
        places: folders that they read.
        written: folders that they read and write; one that is not there yet is not looked for.

    Raises:
        UsageError: no cluster is named.
        Fault: it does not answer, or executors lack something.
    """
    folders = [place.absolute() for place in dict.fromkeys(written) if place.is_dir()]
    marks = [place / f".doctor-{uuid.uuid4()}" for place in folders]
    try:
        for mark in marks:
            mark.touch()
        read = [str(path) for path in (*marks, *_first_folders(places))]
        stored = tuple(str(place) for place in places if is_uri(place))
        found = probe(master, Sought(_libraries(), tuple(read), tuple(map(str, folders)), stored))
    finally:
        for mark in marks:
            mark.unlink(missing_ok=True)
    faults = list(dict.fromkeys(fault for one in found for fault in _lacking(one)))
    if faults:
        more = f" and {len(faults) - _AT_MOST_NAMED:,} more" if len(faults) > _AT_MOST_NAMED else ""
        raise Fault("; ".join(faults[:_AT_MOST_NAMED]) + more)
    hosts = sorted({one.host for one in found})
    return [
        f"Python {found[0].python} and {len(_libraries())} libraries as here, folders are reached ({', '.join(hosts)})"
    ]


def _libraries() -> tuple[str, ...]:
    """What the program needs, by the names of its distribution."""
    named = (need for need in requires("autopilot-intake") or () if "extra ==" not in need)
    return tuple(sorted({re.split(r"[^\w-]", need, maxsplit=1)[0] for need in named} | {"pandas"}))


def _first_folders(places: tuple[Location, ...]) -> Iterator[Path]:
    """Of each place a folder that lies in it, so that another folder of its name is told from it."""
    for place in places:
        if not is_uri(place) and Path(place).is_dir():
            folder = Path(place).absolute()
            yield next((one for one in sorted(folder.iterdir()) if one.is_dir()), folder)


def _lacking(one: Surroundings) -> Iterator[str]:
    here = platform.python_version_tuple()[:2]
    if one.python.split(".")[:2] != list(here):
        yield f"{one.host}: Python {one.python}, here {'.'.join(here)}; set PYSPARK_PYTHON to one like this"
    for name, there in one.libraries.items():
        if there is None:
            yield f"{one.host}: {name} is not installed; give executors the libraries of this Python"
        elif there != version(name):
            yield f"{one.host}: {name} {there}, here {version(name)}; give executors the libraries of this Python"
    for fault in one.stores:
        yield f"{one.host}: {fault}; executors take credentials from their own environment"
    for fault in one.faults:
        # A mark has a name of its own; what is not reached is the folder that it was put into.
        path, _, what = fault.partition(": ")
        place = str(Path(path).parent) if Path(path).name.startswith(".doctor-") else path
        yield f"{one.host}: {place}: {what}; let executors reach it by this path, as the same user"
