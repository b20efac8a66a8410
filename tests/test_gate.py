"""A gate says what pandera's own model says."""

import pandera.errors
import pandera.polars as pa
import polars as pl
import pytest

from schemas.gate import Gate

COLUMNS = {
    "name": pa.Column(pl.String(), nullable=False, unique=True),
    "kind": pa.Column(pl.String(), nullable=True, checks=pa.Check.isin(["a", "b"])),
    "most": pa.Column(pl.Int64(), nullable=True),
    "tags": pa.Column(pl.List(pl.String), nullable=False),
}
IN_ORDER = pa.Check(lambda data: data.lazyframe.select(pl.col("most") <= 9), name="at most nine")
ROWS = pl.DataFrame(
    {"name": ["x", "y"], "kind": ["a", None], "most": [1, None], "tags": [["t"], []]},
    schema={name: column.dtype.type for name, column in COLUMNS.items()},
)
KEPT = {
    "as it is": ROWS,
    "empty": ROWS.clear(),
    "in another order": ROWS.select(sorted(ROWS.columns)),
}
BROKEN = {
    "a missing column": ROWS.drop("most"),
    "a missing column, empty": ROWS.drop("most").clear(),
    "a strange column": ROWS.with_columns(more=1),
    "another type": ROWS.with_columns(pl.col("most").cast(pl.Int32)),
    "another type, empty": ROWS.with_columns(pl.col("tags").cast(pl.List(pl.Binary))).clear(),
    "a missing value": ROWS.with_columns(tags=pl.lit(None, pl.List(pl.String))),
    "a repeated value": ROWS.with_columns(name=pl.lit("x")),
    "a repeated key": pl.concat([ROWS, ROWS]),
    "an unknown value": ROWS.with_columns(kind=pl.lit("c")),
    "a row that is wrong as a whole": ROWS.with_columns(most=pl.lit(10, pl.Int64)),
}


def models():
    said = {"checks": [IN_ORDER], "unique": ["name", "kind"]}
    return Gate(COLUMNS, **said), pa.DataFrameSchema(COLUMNS, strict=True, **said)


@pytest.mark.parametrize("rows", KEPT.values(), ids=KEPT)
def test_what_keeps_the_model_passes(rows):
    for model in models():
        assert model.validate(rows).equals(rows)


@pytest.mark.parametrize("rows", BROKEN.values(), ids=BROKEN)
def test_what_breaks_it_is_said_as_pandera_says_it(rows):
    said = []
    for model in models():
        with pytest.raises(pandera.errors.SchemaErrors) as caught:
            model.validate(rows, lazy=True)
        said.append(sorted(f"{error.reason_code} {error.check}" for error in caught.value.schema_errors))
        with pytest.raises(pandera.errors.SchemaError):
            model.validate(rows)
    assert said[0] == said[1]
