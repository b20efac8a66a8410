"""What one setting is: its name, what its values are, which commands know it, and what it does."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import PurePath

ENVIRONMENT = "AUTOPILOT_INTAKE_"
"""Begins the name of each environment variable."""

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{middle}B": base**power
    for power, letter in enumerate("KMGT", 1)
    for middle, base in (("", 1000), ("i", 1024))
}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)")


class Kind(Enum):
    """What a setting is: how its value is named in help, and what Python takes for it."""

    FLAG = ("", (bool,))
    TEXT = ("TEXT", (str,))
    CHOICE = ("NAME", (str,))
    COUNT = ("N", (int,))
    SEED = ("SEED", (int,))
    SHARE = ("F", (int, float))
    SIZE = ("SIZE", (int,))
    MOMENT = ("TIMESTAMP", (datetime,))
    FILE = ("FILE", (PurePath,))
    FOLDER = ("DIR", (PurePath,))
    LOCATION = ("DIR|URI", (PurePath, str))

    def __init__(self, shape: str, types: tuple[type, ...]) -> None:
        self.shape, self.types = shape, types


class Scope(Enum):
    """Where a setting may be given beside the command line."""

    EVERYWHERE = "everywhere"
    """In the environment, and in a file at its top or in the table of a command."""
    COMMAND = "command"
    """In the table of its command alone: to another command the same value would be another thing."""
    FLAG = "flag"
    """Nowhere: it says what is meant this once, and from elsewhere would choose in silence."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of some commands.

    Attributes:
        name: of the option, without its dashes, and in `intake.toml`.
        kind: what its values are.
        commands: which know it, as they are typed.
        meaning: what it does, as a sentence without its period.
        default: its value where nothing is said.
        otherwise: what happens where nothing is said and `default` is None.
        example: a value as `intake.toml` has it, where there is no `default`.
        least: the smallest number that is taken.
        choices: the names that are taken.
        shape: how its value is named, where that says more than the kind's.
        is_required: nothing happens without it.
        python: its name in Python, where that is another.
        scope: where it may be given beside the command line.
    """

    name: str
    kind: Kind
    commands: tuple[str, ...]
    meaning: str
    default: object = None
    otherwise: str | None = None
    example: str | None = None
    least: int = 1
    choices: tuple[str, ...] = ()
    shape: str | None = None
    is_required: bool = False
    python: str | None = None
    scope: Scope = Scope.EVERYWHERE

    @property
    def variable(self) -> str | None:
        """Its name in the environment, if it is taken from there."""
        return ENVIRONMENT + self.name.replace("-", "_").upper() if self.scope is Scope.EVERYWHERE else None

    @property
    def parameter(self) -> str:
        """Its name in Python."""
        return self.python or self.name.replace("-", "_")

    @property
    def values(self) -> str:
        """What is written in the place of its value."""
        return "|".join(self.choices) or self.shape or self.kind.shape

    @property
    def usual(self) -> str | None:
        """What holds where nothing is said, in words."""
        if self.default is None:
            return self.otherwise
        return said(self.default, self.kind)

    @property
    def written(self) -> str:
        """A value as `intake.toml` has it: the default, or an example."""
        if self.default is None:
            return self.example or ""
        if isinstance(self.default, bool):
            return str(self.default).lower()
        text = isinstance(self.default, str | PurePath) or self.kind is Kind.SIZE
        return f'"{self.usual}"' if text else str(self.default)

    def accepts(self, value: object) -> bool:
        """Whether Python may give this value; None stands for nothing said, where there is no default."""
        if value is None:
            return self.default is None
        is_type = isinstance(value, self.kind.types) and (self.kind is Kind.FLAG or not isinstance(value, bool))
        if self.kind is Kind.SHARE:
            return is_type and 0 <= value <= 1  # type: ignore[operator]  # a number by its type
        if self.kind in {Kind.COUNT, Kind.SIZE}:
            return is_type and value >= 0  # type: ignore[operator]  # a number by its type
        return is_type and (not self.choices or value in self.choices)

    @property
    def expected(self) -> str:
        """What values are taken, in words."""
        return {
            Kind.FLAG: "true or false",
            Kind.COUNT: f"a whole number from {self.least} on",
            Kind.SEED: "a whole number",
            Kind.SHARE: "a number from 0 to 1",
            Kind.SIZE: "a number of bytes, such as 8GiB",
            Kind.CHOICE: f"one of {', '.join(self.choices)}",
            Kind.MOMENT: "a moment with its time zone, such as 2026-01-31T00:00:00Z",
            Kind.FILE: "the path of a file",
            Kind.FOLDER: "the path of a folder",
            Kind.LOCATION: "the path of a folder, or the URI of one in a store",
            Kind.TEXT: "text",
        }[self.kind]


def said(value: object, kind: Kind) -> str:
    """A value as one would write it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if kind is Kind.SIZE and isinstance(value, int):
        return told_size(value)
    return f"{value:,}" if kind is Kind.COUNT else str(value)


def parse_size(text: str) -> int:
    """Bytes of a size such as `8GiB`, `500 MB` or `8589934592`.

    Raises:
        ValueError: it is none.
    """
    found = _SIZE.fullmatch(text.strip().replace("_", ""))
    units = {unit.lower(): number for unit, number in _UNITS.items()}
    if found is None or found["unit"].lower() not in units:
        message = f"{text!r} is no size; expected a number of bytes, such as 8589934592, 8GiB or 500MB"
        raise ValueError(message)
    number = float(found["number"]) if "." in found["number"] else int(found["number"])
    return int(number * units[found["unit"].lower()])


def told_size(number: int) -> str:
    """A size in the largest unit that it is a whole number of."""
    whole = [unit for unit, size in _UNITS.items() if "i" in unit and number >= size and not number % size]
    return f"{number // _UNITS[whole[-1]]}{whole[-1]}" if whole else str(number)


def meant(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that another one was probably meant for."""
    from rapidfuzz import distance, process  # noqa: PLC0415 - loaded only for what is wrong

    names = list(known)
    found = process.extractOne(
        name.replace("_", "-").lower(), names, scorer=distance.OSA.normalized_similarity, score_cutoff=0.6
    )
    return f"did you mean {found[0]}?" if found else f"expected one of {', '.join(names)}"
