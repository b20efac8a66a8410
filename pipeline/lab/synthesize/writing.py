"""Makes a whole night of a given size."""

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.lab.synthesize import (
    delivery_stories,
    departure_stories,
    device_stories,
    later_stories,
    shared_stories,
)
from pipeline.lab.synthesize.night import Night

Story = Callable[[Night], None]

STORIES: tuple[Story, ...] = (
    device_stories.new_by_hash,
    device_stories.new_by_tuple,
    device_stories.new_by_product_id,
    device_stories.oem,
    device_stories.odd_hashes,
    device_stories.same_device,
    device_stories.other_owner,
    device_stories.replaced_boards,
    device_stories.transplanted_parts,
    device_stories.known_by_tuple,
    device_stories.damaged_serials,
    device_stories.within_batch,
    shared_stories.shared_product_ids,
    shared_stories.shared_uuids,
    shared_stories.shared_serials,
    delivery_stories.authorization,
    delivery_stories.broken_hashes,
    delivery_stories.bad_fields,
    delivery_stories.bad_tuples,
    delivery_stories.excluded,
    delivery_stories.bad_records,
    delivery_stories.bad_files,
    departure_stories.departures,
    departure_stories.departures_and_returns,
)
"""Every story of one night; a night tells each at least once."""

_OF_DEVICES = (device_stories.__name__, shared_stories.__name__)

MATCHING_STORIES: tuple[Story, ...] = (
    *(story for story in STORIES if story.__module__ in _OF_DEVICES and story is not device_stories.oem),
    later_stories.registered_last_night,
    later_stories.named_last_night,
    later_stories.known_by_product_id,
    later_stories.learned_by_tuple,
    later_stories.waited,
)
"""Those that tell how devices are told apart, in one night or two, and nothing of partners, files and cells."""

DEPARTURE_STORIES: tuple[Story, ...] = (
    departure_stories.departures,
    departure_stories.departures_and_returns,
    departure_stories.departures_in_doubt,
    departure_stories.departures_of_last_night,
)
"""Those that tell of devices that leave, in one night or two."""

_STORY_SHARE = 0.3
"""Share of rows that tell a story; the rest are new devices by hash."""


def synthesize(folder: Path, rows: int, seed: int, existing: int, stories: tuple[Story, ...] = STORIES) -> int:
    """Write a night with its truth: every story once at least, the rest new devices.

    Args:
        folder: where to; it must be empty or not exist.
        rows: about how many rows; every story once may be more.
        seed: the same seed gives the same night.
        existing: registered devices besides those of the stories.
        stories: to tell, each once at least.

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
        for tell in stories:
            night.story = tell.__name__.replace("_", "-")
            tell(night)
        if night.rows >= rows * _STORY_SHARE:
            break
    night.story = device_stories.new_by_hash.__name__.replace("_", "-")
    while night.rows < rows:
        device_stories.new_by_hash(night)
    return night.write(folder)
