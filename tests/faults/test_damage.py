"""What the store can look like after a crash of the machine, or a restore that went wrong: refused, and named."""

import pytest

from pipeline.errors import Fault, RegistryError
from pipeline.registry import Registry
from tests.faults.killing import two_nights

COMMITS_TO_A_CHECKPOINT = 100


@pytest.fixture
def published(played, tmp_path):
    return played(two_nights, tmp_path)


def cut(path, size):
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    return whole


def test_a_commit_that_lost_its_last_lines_is_refused(published):
    for path in sorted((published.registry / "_delta_log").glob("*.json")):
        lines = path.read_bytes().splitlines(keepends=True)
        for kept in range(len(lines)):
            whole = cut(path, sum(map(len, lines[:kept])))
            with pytest.raises(RegistryError, match="restore"):
                published.run(run_id="no")
            path.write_bytes(whole)
    assert published.run().manifest["files"]["already_processed"] == 2


@pytest.mark.parametrize("share", [0, pytest.param(0.5, marks=pytest.mark.long)])
def test_every_file_of_the_store_cut_off_is_refused_or_harmless(published, share):
    registry = Registry.open(published.registry, create=False)
    for _ in range(COMMITS_TO_A_CHECKPOINT):
        with registry.writer() as writer:
            registry.commit(writer)
        registry = registry.reopened()
    assert list((published.registry / "_delta_log").glob("*.checkpoint.parquet"))
    homes = (published.registry, published.home / "runs")
    files = sorted(path for home in homes for path in home.rglob("*") if path.is_file())
    assert len(files) > COMMITS_TO_A_CHECKPOINT
    # Of the many commits, and the many files for people, that are alike some will do.
    alike = {"_delta_log", "report"}
    tried = [path for at, path in enumerate(files) if not alike & {*path.parts} or at % 50 == 0]
    told = [run_with(published, path, share) for path in tried]
    assert set(told) == {"refused", "harmless"}


def run_with(world, path, share):
    """What a run says to a store of which one file is cut off: it refuses it, or nothing is lost."""
    whole = cut(path, int(path.stat().st_size * share))
    try:
        night = world.run(run_id=f"again-{path.name}"[:64], dry_run=True)
    except Fault as fault:
        return "refused" if str(world.home) in str(fault) else str(fault)
    finally:
        path.write_bytes(whole)
    settled = night.manifest["files"]["already_processed"] == 2 and night.registered.is_empty()
    return "harmless" if settled else f"{path} cut off was not noticed"
