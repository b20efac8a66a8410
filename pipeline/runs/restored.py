"""What an output knows of registries: one that was restored from an older backup, or is gone, is not believed.

Every published run renews a note of the version that it made. Runs that were published before there was a note, or as
it could not be written, are looked at themselves.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from pipeline.config import RunConfig
from pipeline.errors import Fault, NoRegistryError, RegistryError, UsageError
from pipeline.registry import Registry
from pipeline.runs.workspace import MANIFEST
from pipeline.storage.durable import replace_text, sync
from pipeline.storage.locations import Location, is_uri
from schemas.run import RunManifest

NOTE = ".registries.json"
"""File of the output: of each registry, by its identity, what the last run published of it."""

_MOST_NAMED = 10
"""Lost runs that are named; the number of all is told."""


class Sighting(TypedDict):
    """The last that was published of a registry: where it was, its version then, and the run that made that."""

    registry: str
    version: int
    run_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """What an output knows: of each registry by its identity, and the runs that were published since that was noted."""

    noted: dict[str, Sighting]
    runs: list[RunManifest]

    @property
    def version(self) -> int:
        """The newest version of any registry that a published run tells of; negative where none does."""
        noted = [seen["version"] for seen in self.noted.values()]
        return max([-1, *noted, *(run["registry_version"]["after"] for run in self.runs)])

    def tells_of(self, config: RunConfig) -> bool:
        """Whether a published run tells of a registry where this one should be."""
        if any(seen["registry"] == _name(config.registry) for seen in self.noted.values()):
            return True
        return config.registry_is_beside and bool(self.noted or self.runs)

    def is_ahead_of(self, registry: Registry) -> bool:
        """Whether a published run is of this registry, or one in its place, and is not in it."""
        named = [seen for seen in self.noted.values() if seen["registry"] == registry.name]
        own = [self.noted[registry.identity]] if registry.identity in self.noted else named
        if any(seen["version"] > registry.version for seen in own):
            return True
        runs = [*(seen["run_id"] for seen in own), *(run["run_id"] for run in self.runs)]
        return any(registry.committed(run_id) is None for run_id in runs)


def open_registry(config: RunConfig, output: Path) -> tuple[Registry, list[str]]:
    """Open the registry for a run, or create it where it may be.

    Args:
        config: of the run.
        output: the published runs, here.

    Returns:
        The registry, and what is to be told of it, in sentences.

    Raises:
        NoRegistryError: there is none, and none shall be created.
        UsageError: there is none, and there was one.
        RegistryError: it is damaged, or older than what is published.
    """
    known = recall(output)
    is_gone = known.tells_of(config) and not config.accept_restored
    try:
        may_create = config.create_registry and not config.dry_run and not is_gone
        registry = Registry.open(config.registry, create=may_create, published=known.version, cache=config.cache)
    except NoRegistryError as error:
        if not is_gone:
            raise
        message = (
            f"registry {config.registry}: is gone, and runs published in {config.output} tell of it; restore it from "
            "a backup, name it with --registry, or begin a new one with --accept-restored"
        )
        raise UsageError(message) from error
    if not known.is_ahead_of(registry):
        return registry, list(registry.notices)
    lost = _lost(registry, output)
    if not config.accept_restored:
        message = (
            f"registry {config.registry}: was restored from a backup, or is another: {lost}; restore a newer one, or "
            "go on without them with --accept-restored"
        )
        raise RegistryError(message)
    return registry, [*registry.notices, f"the registry is older than what is published: {lost}"]


def recall(output: Path) -> Known:
    """What an output knows.

    Raises:
        Fault: a published run cannot be read.
    """
    note = output / NOTE
    noted, since = _read(note), 0
    if noted is not None:
        since = note.stat().st_mtime_ns
    runs = [path for path in output.glob(f"*/{MANIFEST}") if path.stat().st_mtime_ns > since]
    return Known(noted or {}, [_manifest(path) for path in runs])


def remember(output: Path, registry: Registry, run_id: str) -> str:
    """Note that a run which this registry was opened for has been committed and published; the name of the note."""
    note = output / NOTE
    seen: Sighting = {"registry": registry.name, "version": registry.version + 1, "run_id": run_id}
    others = {identity: other for identity, other in (_read(note) or {}).items() if other["registry"] != registry.name}
    replace_text(note, json.dumps({**others, registry.identity: seen}, indent=2) + "\n")
    sync(note)
    return NOTE


def _lost(registry: Registry, output: Path) -> str:
    """What published runs registered and this registry does not know, in words."""
    runs = [_manifest(path) for path in sorted(output.glob(f"*/{MANIFEST}"))]
    lost = [run for run in runs if registry.committed(run["run_id"]) is None]
    devices = sum(run["rows"]["registered"] for run in lost)
    named = ", ".join(run["run_id"] for run in lost[:_MOST_NAMED])
    more = f" and {len(lost) - _MOST_NAMED:,} more" if len(lost) > _MOST_NAMED else ""
    told = f"{len(lost):,} published runs with {devices:,} devices" + (f" ({named}{more})" if lost else "")
    return f"it is at version {registry.version}, and lacks {told}, and what was changed beside them"


def _name(location: Location) -> str:
    return str(location).rstrip("/") if is_uri(location) else str(Path(location).resolve())


def _read(note: Path) -> dict[str, Sighting] | None:
    """The note; None where there is none that can be read."""
    try:
        noted: dict[str, Sighting] = json.loads(note.read_text(encoding="utf-8"))
        for seen in noted.values():
            str(seen["registry"]), int(seen["version"]), str(seen["run_id"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return noted


def _manifest(path: Path) -> RunManifest:
    try:
        manifest: RunManifest = json.loads(path.read_text(encoding="utf-8"))
        int(manifest["registry_version"]["after"]), str(manifest["run_id"]), int(manifest["rows"]["registered"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{path}: is not what a run wrote; restore it, or move its folder out of the output"
        raise Fault(message) from error
    return manifest
