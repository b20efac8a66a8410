"""Makes one file of many small ones, and look-ups of large ones, so that matching stays quick after many nights."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from pipeline.listener import Listener, Silence
from pipeline.registry import index, lookup, serials
from pipeline.registry.digests import require_sound
from pipeline.registry.requests import condensed
from pipeline.registry.table import Registry

FILE_RECORDS = 5_000_000
"""Records of the largest file that is merged with others: a few GB with their hashes."""

LOOKUP_RECORDS = 20_000
"""Records from which a file gets a look-up; a smaller one is read as soon."""

SIDECARS = (lookup.SIDECAR, index.SIDECAR, serials.SIDECAR)

_BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True)
class Compaction:
    """What a compaction did.

    Attributes:
        files_before: data files of the registry before.
        files_after: and after.
        lookups_made: files that got a look-up.
        version: the registry's version now.
    """

    files_before: int
    files_after: int
    lookups_made: int
    version: int


def compact(registry: Registry, listener: Listener | None = None) -> Compaction:
    """Merge small data files, in one commit, and make look-ups of large ones. No record is changed or lost.

    Files that are no longer named stay where they are, for runs that still read them.

    Args:
        registry: the registry.
        listener: hears of each file.

    Raises:
        RegistryConflict: another command changed the registry meanwhile; nothing was merged.
    """
    listener = listener or Silence()
    before = registry.data_files()
    merged = _groups(before)
    if merged:
        listener.stage("merge")
        with registry.copier(merged) as writer:
            for file in _told(merged, before, listener):
                require_sound(file)
                with pq.ParquetFile(file) as source:
                    for batch in source.iter_batches(_BATCH_ROWS):
                        writer.copy(batch)
            registry.commit(writer, replaced=merged)
        registry = registry.reopened()
    requests = list(registry.request_files())
    if len(requests) > 1:
        with registry.writer() as writer:
            for events in condensed(requests):
                writer.copy_requests(events)
            registry.commit(writer, replaced=requests)
        registry = registry.reopened()
    after = registry.data_files()
    large = [file for file, records in after.items() if records >= LOOKUP_RECORDS]
    listener.stage("look-ups")
    registry.bring_sidecars()
    made = [sidecars for file in _told(large, after, listener) if (sidecars := _completed(file))]
    registry.send_sidecars([sidecar for sidecars in made for sidecar in sidecars])
    return Compaction(len(before), len(after), len(made), registry.version)


def _told(files: list[Path], records: dict[Path, int], listener: Listener) -> Iterator[Path]:
    """The same files; the listener hears of each once it is done."""
    sizes = {file: file.stat().st_size for file in files}
    listener.reading(len(files), sum(sizes.values()))
    for file in files:
        yield file
        listener.read(1, sizes[file], records[file])


def _completed(file: Path) -> list[Path]:
    """Make the sidecars that a data file lacks; where they are."""
    lacking = [sidecar for sidecar in SIDECARS if sidecar.open(file) is None]
    for sidecar in lacking:
        sidecar.write(file)
    return [sidecar.place(file) for sidecar in lacking]


def _groups(files: dict[Path, int]) -> list[Path]:
    """Files to merge into one: the small ones, as many as make one large; none where that would be a single one."""
    small: list[Path] = []
    records = 0
    for file, own in sorted(files.items(), key=lambda entry: entry[1]):
        if records + own > FILE_RECORDS:
            break
        small.append(file)
        records += own
    return sorted(small) if len(small) > 1 else []
