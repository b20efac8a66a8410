"""`synthesize`: made-up nights with known truth."""

from pathlib import Path

import click

from pipeline.cli import options
from pipeline.cli.printing import tell


@click.command()
@click.argument("folder", type=options.FOLDER)
@options.option("--rows", type=click.IntRange(min=1), default=1_000, show_default=True, help="About how many rows.")
@options.option("--existing", type=click.IntRange(min=0), default=200, show_default=True, help="Registered devices.")
@options.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same night.")
@options.config
def synthesize(folder: Path, rows: int, existing: int, seed: int) -> None:
    """Write a made-up night into FOLDER: inbox/, reference/, existing_devices.csv, and truth.csv.

    The truth has a line for each row: the set it must end in, the primary reasons that are right, and the outcome.
    """
    from pipeline.lab.synthesize import synthesize as write_night  # noqa: PLC0415 - heavy
    from pipeline.lab.synthesize.night import AS_OF  # noqa: PLC0415 - heavy

    written = write_night(folder, rows, seed, existing)
    tell(f"{written:,} rows in {folder / 'inbox'}; made for --as-of {AS_OF}")
