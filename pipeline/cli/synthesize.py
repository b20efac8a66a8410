"""`synthesize`: made-up nights with known truth."""

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.printing import tell


@click.command()
@click.argument("folder", type=options.FOLDER)
@options.of("synthesize")
def synthesize(folder: Path, rows: int, existing: int, seed: int) -> None:
    """Write a made-up night into FOLDER: inbox/, reference/, existing_devices.csv, and truth.csv.

    The truth has a line for each row: the set it must end in, the primary reasons that are right, the outcome,
    warnings, and the serial number of the registration that a departure ends.
    """
    from pipeline.lab.synthesize import synthesize as write_night  # noqa: PLC0415 - heavy
    from pipeline.lab.synthesize.night import AS_OF  # noqa: PLC0415 - heavy

    written = write_night(folder, rows, seed, existing)
    tell(f"{written:,} rows in {folder / 'inbox'}; made for --as-of {AS_OF}")
