"""The flow of a run, from folders to published sets; the only place that knows the order.

There are two barriers. Matching needs the components of all rows at once, and publishing needs all decisions;
everything before, between and after goes batch by batch.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.clock import Clock
from pipeline.config import DRY_RUNS, RunConfig
from pipeline.decide import decide, has_reason
from pipeline.errors import Fault, NoRegistryError, RegistryConflict, UsageError
from pipeline.ingest import Inbox, inbox_at, with_sheets
from pipeline.ingest.workbook import is_workbook
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import Delivered
from pipeline.intake.staging import Staging
from pipeline.intake.taking_in import Work, take_in
from pipeline.listener import Listener, Silence
from pipeline.match import match
from pipeline.publish.sets import Stamp, publish_sets, write_files
from pipeline.reference.files import is_reference_name
from pipeline.reference.tables import Reference, load_reference
from pipeline.registry import Registry, RegistryWriter
from pipeline.report import (
    MOST_LISTED,
    MOST_NIGHTS,
    OpenRows,
    Reporter,
    Tonight,
    summarize,
    tell_cases,
    write_history,
)
from pipeline.requests.docket import (
    Docket,
    delivered_again,
    deliveries,
    docket,
    due,
    identified,
    known_sheets,
    seen,
    with_departed,
)
from pipeline.requests.settling import settle
from pipeline.requests.takeover import take_over
from pipeline.runs.history import count_published, published_runs
from pipeline.runs.outputs import Output, output_at
from pipeline.runs.restored import open_registry, remember
from pipeline.runs.run_manifest import manifest_of
from pipeline.runs.workspace import MANIFEST, Workspace, workspace
from pipeline.storage.objects import Location, at_hand, below
from pipeline.words import heeded, words_on
from schemas.device import COMPONENT_TYPES
from schemas.run import RunManifest

_COMMIT_TRIES = 5
"""How often a run matches again because another one committed first; nights rarely overlap once."""


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


def run(config: RunConfig, listener: Listener | None = None) -> RunResult:
    """Take in manifests, register what may be registered, and publish both sets and the report.

    Raises:
        UsageError: configuration or reference data is wrong; nothing was done.
        Fault: store, disk or another run got in the way; nothing of this run was published.
    """
    with ExitStack() as held:
        output = held.enter_context(output_at(config.output))
        inbox = held.enter_context(inbox_at(*config.inboxes))
        reference = held.enter_context(at_hand(config.reference, is_reference_name))
        tables = load_reference(reference)
        opened, told = held.enter_context(_opened(config, output))
        registry = _with_what_runs_knew(config, opened, output)
        listener = listener or Silence()
        for notice in (*tables.notices, *inbox.notices, *told, *output.recover(registry)):
            listener.notice(notice)
        return _run(config, inbox, tables, registry, output, listener)


def _run(
    config: RunConfig, inbox: Inbox, reference: Reference, registry: Registry, output: Output, listener: Listener
) -> RunResult:
    clock = Clock(listener)
    if registry.committed(config.run_id) is not None:
        return _finished_before(config, output)
    _require_free(config, output)
    with workspace(output.folder, config.run_id, registry) as place:
        with clock("ingest"):
            night = _docket(config, registry)
            rulebook = Rulebook(reference, config.as_of, config.group_tag_limit)
            staging = Staging(place.rows)
            read = take_in(_brought(inbox, night), rulebook, Work(config.workers, config.limits), staging, listener)
        for _ in range(_COMMIT_TRIES):
            files = identified(read, night)
            intake = read.only(due(read, files, night))
            # Barrier: matching needs the components of every row that may be registered.
            with clock("match"):
                eligible = intake.rows.filter(~has_reason(intake.findings))
                matches = match(eligible.select("row", *COMPONENT_TYPES), registry)
            # Barrier: publishing needs every decision.
            with clock("decide"):
                words = words_on(intake, files, night.requests.decisions, registry)
                decisions = decide(intake.rows, with_departed(intake, registry, words), matches, words)
                decided = settle(intake.rows, decisions, matches, files, night, config.as_of)
                summary = summarize(decided, intake.files.with_columns(files["known"]), inbox.ignored)
                cases = tell_cases(intake.rows, intake.files, decisions, matches, registry)
            past = published_runs(output.folder, MOST_NIGHTS)
            with _records(config, registry, place) as records:
                with clock("publish"):
                    tonight = Tonight(config.run_id, config.as_of, config.wait_days, reference.manufacturers)
                    open_rows = OpenRows(night.requests, tonight)
                    publication = place.begin_publication()
                    reporter = Reporter(publication, intake.rows, intake.files, intake.headers, decisions, open_rows)
                    learning = registry.states(decisions["learns_device_id"].drop_nulls())
                    stamp = Stamp(config.run_id, config.as_of, reference.partners, learning)
                    publish_sets(reporter, stamp, decided, files, staging, records)
                    records.record(seen(files, night, config.run_id))
                    records.record(open_rows.events())
                    records.record(heeded(words, config.run_id))
                with clock("report"):
                    write_files(reporter.folder, summary.files)
                    manifest = manifest_of(config, summary, registry.version, clock)
                    reporter.finish(manifest, summary, cases, [run.manifest for run in past])
                    place.seal(manifest, private=not config.shared)
                try:
                    result = _conclude(config, place, output, registry, records, manifest)
                except RegistryConflict as conflict:
                    listener.notice(f"{conflict}; matching again")
                else:
                    again = delivered_again(files, summary.files["disposition"], night)
                    _tell_afterwards(config, output, registry, listener, again)
                    return result
            registry = registry.reopened()
            night = _docket(config, registry)
            if registry.committed(config.run_id) is not None:
                return _finished_before(config, output)
        message = f"registry {config.registry}: another run won {_COMMIT_TRIES} times; start this run again"
        raise Fault(message)


@contextmanager
def _opened(config: RunConfig, output: Output) -> Iterator[tuple[Registry, list[str]]]:
    """The registry, and what is to be told of it; of a dry run that would make one, one that is gone at the end."""
    try:
        opened = open_registry(config, output.folder)
    except NoRegistryError:
        if not (config.create_registry and config.dry_run):
            raise
        with TemporaryDirectory() as nowhere:
            yield Registry.open(Path(nowhere) / "registry", create=True), []
    else:
        yield opened


def _with_what_runs_knew(config: RunConfig, registry: Registry, output: Output) -> Registry:
    """The registry, with what the published runs of an earlier version knew of requests, once."""
    if registry.keeps_requests or config.dry_run:
        return registry
    known = take_over(output.folder, output.bring, registry)
    if known.is_empty():
        return registry
    with registry.writer() as records:
        records.record(known)
        registry.commit(records)
    return registry.reopened()


def _docket(config: RunConfig, registry: Registry) -> Docket:
    return docket(registry, config.as_of, config.wait_days, reprocess=config.reprocess)


def _records(config: RunConfig, registry: Registry, place: Workspace) -> RegistryWriter:
    """Where the new records go; those of a dry run never touch the registry."""
    return RegistryWriter(place.folder, registry.version + 1) if config.dry_run else registry.writer()


def _conclude(
    config: RunConfig,
    place: Workspace,
    output: Output,
    registry: Registry,
    records: RegistryWriter,
    manifest: RunManifest,
) -> RunResult:
    """Commit, then publish; a dry run is only put where it can be looked at."""
    if config.dry_run:
        name = f"{DRY_RUNS}/{config.run_id}"
        shutil.rmtree(output.folder / name, ignore_errors=True)
        place.publish(output.folder / name)
        output.show(name)
        return RunResult(below(config.output, name), manifest)
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
    destination = below(config.output, config.run_id)
    try:
        output.publish(place, config.run_id)
        place.publish(output.folder / config.run_id)
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


def _tell_afterwards(
    config: RunConfig, output: Output, registry: Registry, listener: Listener, notices: list[str]
) -> None:
    """Tell the operator, and renew the page of the latest runs; what was published stands without both."""
    for notice in notices:
        listener.notice(notice)
    if config.dry_run:
        return
    _remember(output, registry, config.run_id, listener)
    try:
        runs = [run.manifest for run in published_runs(output.folder, MOST_LISTED)]
        name = write_history(output.folder, runs, count_published(output.folder))
        output.show(name)
    except (OSError, Fault) as error:
        listener.notice(f"the page of all runs was not renewed ({error}); `report` makes it")


def _finished_before(config: RunConfig, output: Output) -> RunResult:
    folder = below(config.output, config.run_id)
    path = output.folder / config.run_id / MANIFEST
    if not path.exists():
        message = (
            f"run {config.run_id}: is committed, and {folder} does not hold it; wait if another process is publishing "
            "it, name the --output that it was run with, or use another --run-id"
        )
        raise Fault(message)
    return RunResult(folder, json.loads(path.read_text(encoding="utf-8")), repeated=True)


def _brought(inbox: Inbox, night: Docket) -> list[Delivered]:
    """The manifests, and at hand those of stores of which bytes are needed."""
    known = known_sheets(night)
    inbox.bring(one for one in inbox.manifests if is_workbook(one.path) and not known(one))
    delivered = deliveries(with_sheets(inbox.manifests, known), night)
    inbox.bring(one.manifest for one in delivered if one.digest not in one.settled)
    return delivered


def _require_free(config: RunConfig, output: Output) -> None:
    if not config.dry_run and (output.folder / config.run_id).exists():
        folder = below(config.output, config.run_id)
        message = f"output {folder}: exists, and this registry knows no such run; use another --run-id or --output"
        raise UsageError(message)
