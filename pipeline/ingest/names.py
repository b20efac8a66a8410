"""Names of an inbox: what a file is by its name, what is wrong with one, and how it is shown."""

import os
import unicodedata

from pipeline.ingest.secrets import mask_in_name
from schemas.kinds import MISTAKEN_FOLDERS, kind_of_folder

_ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".xlsx")
_UNFINISHED = (".part", ".tmp", ".filepart")
"""What programs that transfer a file call it until it is whole."""

_LEFT_BY_DESKTOPS = frozenset({"thumbs.db", "desktop.ini"})
_OPEN_IN_OFFICE = "~$"

_LONGEST = 1_024
"""Bytes of the longest path below an inbox: the longest name that object stores take."""

_NO_NAMES = frozenset({"", ".", ".."})
"""Parts of a name that would lead elsewhere."""


def is_left_alone(name: str) -> bool:
    """Whether what has this name, the last part of a path, is nobody's delivery."""
    lowered = name.lower()
    return name.startswith((".", _OPEN_IN_OFFICE)) or lowered.endswith(_UNFINISHED) or lowered in _LEFT_BY_DESKTOPS


def is_manifest_name(name: str) -> bool:
    """Whether a file of this name, or path, is a manifest."""
    return name.lower().endswith(_ENDINGS)


def fault_of(path: str) -> str | None:
    """What is wrong with a path below an inbox, as a clause; None where it can be used."""
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "the name is no UTF-8; rename it"
    if any(part in _NO_NAMES for part in path.split("/")):
        return "the name has an empty part, or one that means another folder; rename it"
    if size > _LONGEST:
        return f"the path has more than {_LONGEST:,} bytes; give it a shorter one"
    return None


def mistaken_folder(folders: list[str]) -> str | None:
    """What is wrong with the folders that a file lies in, from the partner's on, as a clause; None where nothing is."""
    for name in folders[1:3]:
        bare = name.casefold().strip()
        if bare in MISTAKEN_FOLDERS or (kind_of_folder(bare) and not kind_of_folder(name)):
            return f"it is not clear what the folder {name!r} is for; call it `departures`, or by the tenant's ID"
    return None


def likeness(path: str) -> str:
    """What paths have in common that many a file system takes for one: they differ in case or normalisation alone.

    Whose they are is told byte for byte, so that nobody's names concern another's.
    """
    whose, slash, rest = path.partition("/")
    return whose + slash + unicodedata.normalize("NFC", unicodedata.normalize("NFC", rest).casefold())


def printable(name: str) -> str:
    """A name as text: product keys are masked, and bytes that are no UTF-8 are shown escaped."""
    return mask_in_name(os.fsencode(name).decode("utf-8", "backslashreplace"))
