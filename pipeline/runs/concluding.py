"""The end of a run: the commit, by which it comes to be, then the publication, and what stands if that fails."""

import json
import shutil
from dataclasses import dataclass

from pipeline.config import DRY_RUNS, RunConfig
from pipeline.errors import Fault, RegistryConflict, UsageError
from pipeline.listener import Listener
from pipeline.registry import Registry, RegistryWriter
from pipeline.runs.outputs import Output
from pipeline.runs.pages import renew_pages
from pipeline.runs.restored import remember
from pipeline.runs.workspace import MANIFEST, Workspace
from pipeline.storage.locations import Location, below
from schemas.run import RunManifest


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did.

    Attributes:
        folder: where it is published.
        manifest: what its `run.json` holds.
        repeated: the run had been committed before, and nothing was done but to complete its publication.
    """

    folder: Location
    manifest: RunManifest
    repeated: bool = False


def commit(config: RunConfig, place: Workspace, output: Output, registry: Registry, records: RegistryWriter) -> None:
    """Commit a sealed run: the one moment at which it comes to be. A dry run never does.

    Raises:
        RegistryConflict: another run was first, or this one is committed by another process.
        Fault: it could not be published after it; nothing was registered.
    """
    if config.dry_run:
        return
    try:
        output.stage(place, config.run_id)
    except Fault as fault:
        if registry.reopened().committed(config.run_id) is None:
            raise
        raise RegistryConflict(str(fault)) from fault  # another process has just run it, and is publishing
    place.in_doubt = True
    try:
        registry.commit(records, config.run_id, place.token)
    except RegistryConflict:
        place.in_doubt = False
        raise


def put_in_place(config: RunConfig, place: Workspace, output: Output, manifest: RunManifest) -> RunResult:
    """Show a run that is committed; a dry run is put where it can be looked at.

    Args:
        config: what was run.
        place: where it was prepared.
        output: where it is published.
        manifest: what its `run.json` holds now that it is known what the commit took; a process that completes the
            publication of one that died here shows what was sealed.

    Raises:
        Fault: it could not be; it is committed all the same.
    """
    name = f"{DRY_RUNS}/{config.run_id}" if config.dry_run else config.run_id
    destination = below(config.output, name)
    if config.dry_run:
        shutil.rmtree(output.folder / name, ignore_errors=True)
        place.renew(manifest)
        place.publish(output.folder / name)
        output.remove(name)
        output.show(name)
        return RunResult(destination, manifest)
    try:
        place.renew(manifest)
        output.publish(place, config.run_id)
        place.publish(output.folder / name)
    except (OSError, Fault) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        message = (
            f"run {config.run_id}: is committed, and {destination} could not be written ({cause}); remove the "
            "cause and start it again under the same id, which publishes it"
        )
        raise Fault(message) from error
    place.in_doubt = False
    return RunResult(destination, manifest)


def _remember(output: Output, registry: Registry, run_id: str, listener: Listener) -> None:
    """Note which version is published; the run stands without it."""
    try:
        registry.settle(registry.version + 1)
        output.show(remember(output.folder, registry, run_id))
    except (OSError, Fault) as error:
        listener.notice(f"what the output knows of the registry was not renewed ({error}); the next run does it")


def tell_afterwards(
    config: RunConfig, output: Output, registry: Registry, listener: Listener, notices: list[str]
) -> None:
    """Tell the operator, and renew the page of the latest runs; what was published stands without both."""
    for notice in notices:
        listener.notice(notice)
    if config.dry_run:
        return
    _remember(output, registry, config.run_id, listener)
    try:
        renew_pages(output)
    except (OSError, Fault) as error:
        listener.notice(f"the page of all runs was not renewed ({error}); `report` makes it")


def finished_before(config: RunConfig, output: Output) -> RunResult:
    """The result of a run that was committed before.

    Raises:
        Fault: it is not published here.
    """
    folder = below(config.output, config.run_id)
    path = output.folder / config.run_id / MANIFEST
    if not path.exists():
        message = (
            f"run {config.run_id}: is committed, and {folder} does not hold it; wait if another process is publishing "
            "it, name the --output that it was run with, or use another --run-id"
        )
        raise Fault(message)
    return RunResult(folder, json.loads(path.read_text(encoding="utf-8")), repeated=True)


def require_free(config: RunConfig, output: Output) -> None:
    """Raises UsageError where something is in the place that the run will be published at."""
    if not config.dry_run and (output.folder / config.run_id).exists():
        folder = below(config.output, config.run_id)
        message = f"output {folder}: exists, and this registry knows no such run; use another --run-id or --output"
        raise UsageError(message)
