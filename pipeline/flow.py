"""The flow of a run, from folders to published sets; the only place that knows the order.

There are three barriers. Departures, which come first, need the components of all rows that name a registration,
matching needs those of all others at once, and publishing needs all decisions; everything before goes part by part,
and everything after bundle by bundle.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import polars as pl

from pipeline.clock import Clock
from pipeline.config import RunConfig, require_config
from pipeline.deals import Dealer
from pipeline.decide import decide, has_reason
from pipeline.departing import Terms, departed, departing, final_before, for_customers
from pipeline.engine import Executor, Spark, executor_for
from pipeline.errors import Fault, RegistryConflict
from pipeline.ingest import Inbox, inbox_at, with_sheets
from pipeline.intake.judge import Rulebook
from pipeline.intake.read_part import Delivered
from pipeline.intake.schedule import Front
from pipeline.intake.staging import Staging
from pipeline.intake.taking_in import Intake, sheets_passed_over, take_in
from pipeline.listener import Listener, Silence
from pipeline.publish import Context, Stamp, publish, write_files
from pipeline.reference.files import is_reference_name
from pipeline.reference.tables import Reference, load_reference
from pipeline.registry import LookingByTasks, Registry, RegistryWriter
from pipeline.report import MOST_NIGHTS, Names, OpenRows, Reporter, Tonight, summarize, tell_cases
from pipeline.requests.docket import Docket, delivered_again, deliveries, docket_of, due, identified, known_sheets, seen
from pipeline.requests.opening import registry_of, with_what_runs_knew
from pipeline.requests.settling import settle
from pipeline.requests.words import heeded, words_on
from pipeline.runs.concluding import (
    RunResult,
    commit,
    finished_before,
    put_in_place,
    require_free,
    tell_afterwards,
)
from pipeline.runs.history import published_runs
from pipeline.runs.outputs import Output, output_at
from pipeline.runs.run_manifest import manifest_of
from pipeline.runs.workspace import Workspace, workspace
from pipeline.settings import SPARK
from pipeline.storage.locations import Location
from pipeline.storage.near import at_hand
from schemas.kinds import REGISTRATION
from schemas.matches import Matches
from schemas.registry import ENDING

_COMMIT_TRIES = 5
"""How often a run matches again because another one committed first; nights rarely overlap once."""


def run(config: RunConfig, listener: Listener | None = None) -> RunResult:
    """Take in manifests, end and make what registrations may be, and publish all sets and the report.

    Raises:
        UsageError: configuration or reference data is wrong; nothing was done.
        Fault: store, disk or another run got in the way; nothing of this run was published.
    """
    require_config(config)
    with ExitStack() as held:
        output = held.enter_context(output_at(config.output, config.cache))
        inbox = inbox_at(*config.inboxes)
        reference = held.enter_context(at_hand(config.reference, is_reference_name))
        tables = load_reference(reference)
        opened, told = held.enter_context(registry_of(config, output))
        registry = with_what_runs_knew(config, opened, output)
        listener = listener or Silence()
        for notice in (*tables.notices, *inbox.notices, *told, *output.recover(registry)):
            listener.notice(notice)
        return _run(config, inbox, tables, registry, output, listener)


def _run(
    config: RunConfig, inbox: Inbox, reference: Reference, registry: Registry, output: Output, listener: Listener
) -> RunResult:
    clock = Clock(listener)
    if registry.committed(config.run_id) is not None:
        return finished_before(config, output)
    require_free(config, output)
    docket = docket_of(registry, config.as_of, config.wait_days, registry.version, reprocess=config.reprocess)
    delivered = deliveries(with_sheets(inbox.manifests, known_sheets(docket)), docket)
    with (
        workspace(output.folder, config.run_id, registry) as place,
        _executor(config, delivered, place, listener) as executor,
    ):
        staging = Staging(place.rows)
        registry = registry.looked_through_by(LookingByTasks(executor, staging.folder, always=config.engine == SPARK))
        with clock.at_once("ingest") as parts:
            rulebook = Rulebook(reference, config.as_of, config.group_tag_limit)
            read = take_in(delivered, Front.of(rulebook, config.limits, executor, staging), listener, parts)
        for _ in range(_COMMIT_TRIES):
            night = _decide(config, read, docket, reference, registry, Dealer(clock, staging, executor))
            intake, files = night.intake, night.files
            with _records(config, registry, place) as records:
                with clock("publish"):
                    tonight = Tonight(config.run_id, config.as_of, config.wait_days, reference.manufacturers)
                    open_rows = OpenRows(docket.requests, tonight, night.over)
                    described = intake.files.with_columns(files["request_kind"])
                    told = intake.rows, described, intake.headers, night.decided, open_rows
                    reporter = Reporter(place.begin_publication(), *told)
                    stamp, ends = _stamp(config, reference, registry, night), _ends(config, place, output)
                    context = Context(reporter, stamp, files, *ends, records.folder, records.version)
                    publish(context, night.decided, staging, records, executor)
                    records.record(seen(files, docket, config.run_id))
                    records.record(open_rows.events())
                    records.record(heeded(night.words, config.run_id))
                with clock("report"):
                    summary = summarize(night.decided, intake.files.with_columns(files["known"]), inbox.ignored)
                    cases = tell_cases(intake.rows, intake.files, night.decisions, night.matches, night.remaining)
                    write_files(reporter.folder, summary.files)
                    so_far = manifest_of(config, summary, registry.version, clock)
                    before = [run.manifest for run in published_runs(output.folder, MOST_NIGHTS)]
                    reporter.report(executor, so_far, summary, cases, before, Names.of(reference))
                try:
                    with clock("commit"):
                        place.seal(manifest_of(config, summary, registry.version, clock), private=not config.shared)
                        commit(config, place, output, registry, records)
                except RegistryConflict as conflict:
                    listener.notice(f"{conflict}; matching again")
                else:
                    manifest = manifest_of(config, summary, registry.version, clock)
                    result = put_in_place(config, place, output, manifest)
                    again = delivered_again(files, summary.files["disposition"], docket)
                    again += sheets_passed_over(summary.files)
                    tell_afterwards(config, output, registry, listener, again)
                    return result
            registry = registry.reopened()
            docket = docket_of(registry, config.as_of, config.wait_days, docket.opened, reprocess=config.reprocess)
            if registry.committed(config.run_id) is not None:
                return finished_before(config, output)
        message = f"registry {config.registry}: another run won {_COMMIT_TRIES} times; start this run again"
        raise Fault(message)


@dataclass(frozen=True, slots=True)
class _Night:
    """What is decided of all rows.

    Attributes:
        intake: the rows that are decided.
        files: what their requests are known by, one row a manifest.
        leaving: ids of the registrations that end.
        remaining: the registry without those.
        matches: what matching says of the rows that register.
        words: what operators have said of those.
        decisions: of each row, in order.
        decided: the same, and what becomes of its request.
        over: ids of requests that waited and are final.
    """

    intake: Intake
    files: pl.DataFrame
    leaving: pl.Series
    remaining: Registry
    matches: Matches
    words: pl.DataFrame
    decisions: pl.DataFrame
    decided: pl.DataFrame
    over: pl.Series


def _decide(
    config: RunConfig, read: Intake, docket: Docket, reference: Reference, registry: Registry, dealer: Dealer
) -> _Night:
    """Departures first, then registrations against what they leave."""
    files, clock = identified(read, docket), dealer.clock
    # Barrier: departures need the components of every row that names a registration.
    with clock("depart"):
        terms = Terms(config.departure_limit, for_customers(reference), reference.manufacturers)
        intake = read.only(due(read, files, docket))
        left = departing(intake, files, registry, terms)
        leaving = left.ended["device_id"]
        remaining = registry.without(leaving)
        if leaving.len():
            docket = docket.without_waiting_for(left.ended)
            intake = read.only(due(read, files, docket))
        arrivals = intake.of_kind(REGISTRATION)
    # Barrier: matching needs the components of every row that may be registered.
    matches, found = dealer.match(arrivals.rows, remaining, ~has_reason(arrivals.findings))
    # Barrier: publishing needs every decision.
    with clock("decide"):
        words = words_on(arrivals, files, docket.requests.decisions, remaining)
        gone = departed(arrivals, remaining, matches, leaving, words, final_before(arrivals, files, docket))
        decisions = left.joined(decide(arrivals.rows, arrivals.findings, matches, gone, words, found), arrivals, files)
        decided = settle(intake.rows, decisions, matches, files, docket, config.as_of)
    return _Night(intake, files, leaving, remaining, matches, words, decisions, decided, docket.over)


def _stamp(config: RunConfig, reference: Reference, registry: Registry, night: _Night) -> Stamp:
    """What every row carries, with the registrations that learn a hash and those that end."""
    learning = registry.states(night.decisions["learns_device_id"].drop_nulls())
    ending = registry.states(night.leaving, ENDING)
    return Stamp(config.run_id, config.as_of, reference.partners, reference.profiles, learning, ending)


def _ends(config: RunConfig, place: Workspace, output: Output) -> tuple[Location, Location]:
    """Where tasks put sets and records; those of a dry run stay in its workspace."""
    return (place.publication, place.folder) if config.dry_run else (output.sets(place), config.registry)


def _executor(config: RunConfig, delivered: list[Delivered], place: Workspace, listener: Listener) -> Executor:
    """Processes of this machine, or a cluster, which reaches the workspace, and what lies directly in an inbox."""
    if config.engine == SPARK:
        near = [(one.manifest.root, one.manifest.path) for one in delivered if not one.manifest.stored]
        folders = sorted({root / path.relative_to(root).parts[0] for root, path in near if root})
        return Spark(config.spark_master, place.folder, folders, listener.notice)
    return executor_for(sum(one.size for one in delivered), config.workers)


def _records(config: RunConfig, registry: Registry, place: Workspace) -> RegistryWriter:
    """Where the new records go; those of a dry run never touch the registry."""
    return RegistryWriter(place.folder, registry.version + 1) if config.dry_run else registry.writer()
