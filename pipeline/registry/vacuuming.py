"""Removes what no recent version of the registry needs: files of dead runs, and those that compaction replaced."""

import time
from dataclasses import dataclass

from pipeline.registry.compacting import SIDECARS
from pipeline.registry.sidecars import FOLDER, UNFINISHED
from pipeline.registry.table import Registry


@dataclass(frozen=True, slots=True)
class Vacuuming:
    """What was removed, or would be: the files, by their names in the registry, and their bytes together."""

    files: tuple[str, ...]
    size: int


def vacuum(registry: Registry, hours: int, *, dry_run: bool) -> Vacuuming:
    """Remove files that the registry has not named for some hours. No commit is made, no record is touched.

    Args:
        registry: the registry.
        hours: longer than any run takes; one at work may still read what was replaced since, and has not yet
            committed what it writes.
        dry_run: only tell.
    """
    with registry.laid_out():
        unnamed = registry.unnamed_files(hours)
        sidecars = (sidecar.place(file) for file in unnamed for sidecar in SIDECARS)
        latest = time.time() - hours * 3_600
        begun = (registry.folder / FOLDER).glob(f"{UNFINISHED}*")
        abandoned = (sidecar for sidecar in begun if sidecar.stat().st_mtime < latest)
        beside = [*(sidecar for sidecar in sidecars if sidecar.exists()), *abandoned]
        found = unnamed | {sidecar: sidecar.stat().st_size for sidecar in sorted(beside)}
    if not dry_run:
        registry.remove_files(list(found))
    return Vacuuming(tuple(file.relative_to(registry.folder).as_posix() for file in found), sum(found.values()))
