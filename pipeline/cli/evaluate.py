"""`evaluate`: how well devices are told apart, on made-up nights."""

from typing import TYPE_CHECKING

import click

from pipeline.cli import options
from pipeline.cli.printing import tell, tell_json
from pipeline.cli.progress import listening

if TYPE_CHECKING:
    import polars as pl


@click.command()
@options.of("evaluate")
def evaluate(rows: int, existing: int, seed: int, nights: int, form: str) -> None:
    """Measure how well devices are told apart, on made-up nights whose truth is known.

    Each scenario of replaced, kept and shared parts, damaged serials, deliveries twice, rows that wait and departures
    is run for real, and a second night after it. A wrong merge is a row that was taken for a device that it is not; a
    wrong end is a registration that ended though no row named it, or none that might.
    """
    from pipeline.lab.evaluate import evaluate as evaluate_nights  # noqa: PLC0415 - heavy

    with listening() as listener:
        told = evaluate_nights(rows, existing, seed, nights, listener)
    tables = {
        "scenarios": told.scenarios,
        "totals": told.totals,
        "departures": told.endings.scenarios,
        "endings": told.endings.totals,
    }
    if form == "json":
        tell_json({name: table.to_dicts() for name, table in tables.items()})
        return
    for name, table in tables.items():
        tell(*([""] if name != "scenarios" else []), *_table(table))


def _table(frame: "pl.DataFrame") -> list[str]:
    """Lines of aligned columns."""
    cells = [frame.columns, *([_cell(value) for value in row] for row in frame.iter_rows())]
    widths = [max(len(row[at]) for row in cells) for at in range(len(frame.columns))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return [line.rstrip() for line in lines]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.5f}"
    return "-" if value is None else f"{value:,}" if isinstance(value, int) else str(value)
