"""What the bundles of a run's rows add to its report: tables in files, made apart from each other and read in order."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.storage.mapped import mapped, write_mapped

Tables = dict[str, pl.DataFrame]
"""Tables by name."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """The tables of one bundle.

    Attributes:
        files: where each lies, by name; one without rows lies nowhere.
    """

    files: dict[str, Path]

    @classmethod
    def write(cls, batches: Iterable[Tables], path: Path) -> "Fragment":
        """Write the tables of some batches of rows, those of one name one after the other.

        Args:
            batches: of the bundle, in order.
            path: how the names of the files begin.
        """
        parts: dict[str, list[pl.DataFrame]] = {}
        for tables in batches:
            for name, table in tables.items():
                if table.height:
                    parts.setdefault(name, []).append(table)
        files = {name: path.with_name(f"{path.name}-{name}.arrow") for name in parts}
        for name, tables_of in parts.items():
            write_mapped(pl.concat(tables_of), files[name])
        return cls(files)

    def read(self, name: str) -> list[pl.DataFrame]:
        """A table; none where it has no rows."""
        return [mapped(self.files[name])] if name in self.files else []
