"""What a process finds where it works: its Python, its libraries, and the folders that it has to reach."""

import os
import platform
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from pipeline.errors import IntakeError


@dataclass(frozen=True, slots=True)
class Sought:
    """What a process has to find.

    Attributes:
        libraries: names of distributions.
        found: paths that are there, whoever looks.
        writable: folders that files are written to.
        stored: URIs of folders of object stores.
    """

    libraries: tuple[str, ...]
    found: tuple[str, ...]
    writable: tuple[str, ...]
    stored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a process found.

    Attributes:
        host: the machine.
        python: the version of Python.
        libraries: the version of each library, None where it is not installed.
        faults: what is wrong with a path, in words.
        stores: what is wrong with a folder of a store, in words.
    """

    host: str
    python: str
    libraries: dict[str, str | None]
    faults: tuple[str, ...]
    stores: tuple[str, ...] = ()


def look_around(sought: Sought) -> Surroundings:
    """Look for all of it."""
    faults = [f"{path}: is not there" for path in sought.found if not os.path.exists(path)]  # noqa: PTH110
    faults += [fault for folder in sought.writable if (fault := _not_writable(folder))]
    libraries = {name: _version(name) for name in sought.libraries}
    stores = tuple(fault for uri in sought.stored if all(libraries.values()) and (fault := _not_listed(uri)))
    return Surroundings(platform.node(), platform.python_version(), libraries, tuple(faults), stores)


@cache
def _not_listed(uri: str) -> str | None:
    """What a store says to this process, which asks it once: it is asked again and again where it does not answer."""
    from pipeline.storage.objects import Prefix  # noqa: PLC0415 - asks for libraries that may be missing

    try:
        Prefix(uri).folders()
    except IntakeError as error:
        return str(error)
    return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _not_writable(folder: str) -> str | None:
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-"):
            return None
    except OSError as error:
        return f"{folder}: cannot be written to ({error.strerror})"
