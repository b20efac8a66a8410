"""The registry of a run, as the run may work with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.config import RunConfig
from pipeline.errors import NoRegistryError
from pipeline.registry import Registry
from pipeline.requests.takeover import take_over
from pipeline.runs.outputs import Output
from pipeline.runs.restored import open_registry


@contextmanager
def registry_of(config: RunConfig, output: Output) -> Iterator[tuple[Registry, list[str]]]:
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


def with_what_runs_knew(config: RunConfig, registry: Registry, output: Output) -> Registry:
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
