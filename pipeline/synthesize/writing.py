"""Makes a whole night of a given size."""

from pathlib import Path

from pipeline.errors import UsageError
from pipeline.synthesize.night import Night
from pipeline.synthesize.scenarios import SCENARIOS, new_by_hash

_STORY_SHARE = 0.3
"""Share of rows that tell a story; the rest are new devices by hash."""


def synthesize(folder: Path, rows: int, seed: int, existing: int) -> int:
    """Write a night with its truth: every story once at least, the rest new devices.

    Args:
        folder: where to; it must be empty or not exist.
        rows: about how many rows; every story once may be more.
        seed: the same seed gives the same night.
        existing: registered devices besides those of the stories.

    Returns:
        The number of rows.

    Raises:
        UsageError: the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        message = f"folder {folder}: not empty; name a new one"
        raise UsageError(message)
    night = Night(seed)
    for _ in range(existing):
        night.register(night.factory.device(), night.tenant())
    while True:
        for tell in SCENARIOS:
            night.story = tell.__name__.replace("_", "-")
            tell(night)
        if night.rows >= rows * _STORY_SHARE:
            break
    night.story = new_by_hash.__name__.replace("_", "-")
    while night.rows < rows:
        new_by_hash(night)
    return night.write(folder)
