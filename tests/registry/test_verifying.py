import json
from dataclasses import replace

import pytest

from pipeline.errors import Fault
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry, index, lookup, serials
from pipeline.registry.verifying import unpublished, verify
from pipeline.runs.outputs import output_at
from pipeline.runs.workspace import Workspace
from tests.conftest import OTHER_TENANT, TENANT


def one_night(world):
    world.deliver(f"contoso/{TENANT}/a.csv", *({INTUNE[2]: capture(world.factory.device())} for _ in range(3)))
    world.run(run_id="night")


@pytest.fixture
def published(played, tmp_path):
    return played(one_night, tmp_path)


def findings(world):
    return verify(Registry.open(world.registry, create=False), world.home / "runs")


def test_all_is_well_after_a_night(published):
    assert findings(published) == []


def test_a_run_that_the_registry_does_not_know_is_named(published):
    other = published.home / "runs" / "other"
    other.mkdir()
    (other / "run.json").write_text(json.dumps({"dry_run": False}))
    assert [told.split(":")[0] for told in findings(published)] == ["run other"]


def test_a_run_that_was_removed_is_told_and_no_finding(published):
    (published.home / "runs" / "night" / "run.json").unlink()
    assert findings(published) == []
    registry = Registry.open(published.registry, create=False)
    assert [told.split(":")[0] for told in unpublished(registry, published.home / "runs")] == ["run night"]


def test_a_run_that_waits_to_be_published_is_a_finding(published, monkeypatch):
    def die(*_):
        raise OSError(28, "No space left on device")

    published.deliver(f"contoso/{TENANT}/b.csv", {INTUNE[2]: capture(published.factory.device())})
    with monkeypatch.context() as patched:
        patched.setattr(Workspace, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            published.run(run_id="torn")
    output = published.home / "runs"
    registry = Registry.open(published.registry, create=False)
    with output_at(output) as runs:
        (told,) = verify(registry, output, runs.staged())
    assert told.startswith("run torn: is committed, and waits")
    assert published.run(run_id="torn").result.repeated
    with output_at(output) as runs:
        assert verify(registry.reopened(), output, runs.staged()) == []


def test_a_device_that_is_registered_twice_is_named(published):
    device = published.factory.device()
    for tenant in (TENANT, OTHER_TENANT):
        other = published.home / tenant
        world = replace(published, home=other)
        other.mkdir()
        world.import_existing({"tenant_id": tenant, "registered_via": "intune", "hardware_hash": capture(device)})
        registry = Registry.open(published.registry, create=False)
        with registry.writer() as writer:
            writer.write(Registry.open(world.registry, create=False).scan().collect())
            registry.commit(writer)
    assert len([told for told in findings(published) if "more than one registration" in told]) == 1


def test_a_data_file_that_cannot_be_read_is_named(published):
    file = next(iter(Registry.open(published.registry, create=False).data_files()))
    file.write_bytes(b"x" * file.stat().st_size)
    registry = Registry.open(published.registry, create=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pipeline.registry.verifying._twice", lambda *_: [])
        assert "is damaged" in verify(registry)[0]


def test_a_file_of_requests_that_is_not_what_the_registry_says_is_named(published, monkeypatch):
    registry = Registry.open(published.registry, create=False)
    file, events = next(iter(registry.request_files().items()))
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "request_files", lambda _: {file: events + 1})
        (told,) = verify(registry)
    assert f"{file.name}: holds {events:,} records instead of {events + 1:,}" in told
    older = file.with_name("requests-of-an-earlier-program.parquet")  # which knew no digests
    older.write_bytes(b"torn")
    with monkeypatch.context() as patched:
        patched.setattr(Registry, "request_files", lambda _: {older: events})
        (told,) = verify(registry)
    assert "cannot be read" in told


def test_a_look_up_of_other_records_is_named(published):
    file = next(iter(Registry.open(published.registry, create=False).data_files()))
    lookup.SIDECAR.write(file)
    assert findings(published) == []
    place = lookup.SIDECAR.place(file)
    content = place.read_bytes()
    device_id = Registry.open(published.registry, create=False).scan().collect()["device_id"][0].encode()
    place.write_bytes(content.replace(device_id, device_id[::-1]))
    assert findings(published)[0].startswith("look-up of")


def test_an_index_of_other_keys_is_named(published):
    file = next(iter(Registry.open(published.registry, create=False).data_files()))
    index.SIDECAR.write(file)
    assert findings(published) == []
    place = index.SIDECAR.place(file)
    key = int(Registry.open(published.registry, create=False).scan().collect()["tpm_key"][0])
    content = place.read_bytes()
    assert key.to_bytes(8, "little", signed=True) in content
    place.write_bytes(content.replace(key.to_bytes(8, "little", signed=True), bytes(8)))
    assert findings(published)[0].startswith("look-up of")


def test_a_summary_of_other_serials_is_named(published):
    file = next(iter(Registry.open(published.registry, create=False).data_files()))
    serials.SIDECAR.write(file)
    assert findings(published) == []
    other = replace(serials.SIDECAR, made=lambda _: [])
    other.write(file)
    assert findings(published)[0].startswith("look-up of")
