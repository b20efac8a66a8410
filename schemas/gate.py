"""What holds the models of what is written: strict, and cheap for small batches."""

import pandera.polars as pa
import polars as pl

from schemas.columns import Column


class Gate(pa.DataFrameSchema):
    """A model of the rows of an output, each of which is checked by itself, or against the others of its batch.

    pandera asks two plans of every column, which of a small batch is most of the work. So types and missing values are
    looked at here, and pandera is asked about the columns that have checks. Where a type is wrong or a value missing,
    it is asked about all, so that what it says is the same.
    """

    def __init__(
        self,
        columns: dict[str, pa.Column],
        checks: list[pa.Check] | None = None,
        unique: list[str] | None = None,
    ) -> None:
        super().__init__(columns, checks=checks, unique=unique, strict=True)
        self._whole = pa.DataFrameSchema(columns, checks=checks, unique=unique, strict=True)
        self._types = {name: column.dtype.type for name, column in columns.items()}
        self._required = [name for name, column in columns.items() if not column.nullable]
        checked = {name: column for name, column in columns.items() if column.checks or column.unique}
        self._checked = pa.DataFrameSchema(checked, checks=checks, unique=unique)

    def validate(self, check_obj: pl.DataFrame, *, lazy: bool = False) -> pl.DataFrame:  # type: ignore[override]
        """The rows as they are.

        Raises:
            SchemaError: of pandera: they are not of this model; with `lazy` its `SchemaErrors`, which name all.
        """
        if dict(check_obj.schema) != self._types or self._lacks_values(check_obj):
            return self._whole.validate(check_obj, lazy=lazy)
        if not check_obj.is_empty():  # else there is nothing to be wrong
            self._checked.validate(check_obj, lazy=lazy)
        return check_obj

    def _lacks_values(self, rows: pl.DataFrame) -> bool:
        return any(rows.get_column(name).null_count() for name in self._required)


def gate(
    table: dict[str, Column],
    values: dict[str, pa.Check],
    checks: list[pa.Check] | None = None,
    unique: list[str] | None = None,
) -> Gate:
    """The model of a table's rows.

    Args:
        table: its columns, by name.
        values: of some of them what their values must be.
        checks: of whole rows.
        unique: the columns of a key.
    """
    columns = {
        name: pa.Column(one.dtype, nullable=not one.required, checks=values.get(name), description=one.meaning)
        for name, one in table.items()
    }
    return Gate(columns, checks, unique)
