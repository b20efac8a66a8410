import random
import signal
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime

import boto3
import obstore
import pytest
from obstore.store import from_url

from pipeline import run
from pipeline.errors import Fault, RegistryError, UsageError
from pipeline.lab.synthesize.capture import capture
from pipeline.lab.synthesize.night import INTUNE
from pipeline.registry import Registry
from pipeline.registry.compacting import compact
from pipeline.registry.vacuuming import vacuum
from pipeline.registry.verifying import verify
from pipeline.report import Reporter
from pipeline.runs import outputs
from pipeline.runs.workspace import ATTEMPTS
from pipeline.storage.near import at_hand
from pipeline.storage.objects import Entry, Prefix, TakenError
from pipeline.storage.places import writing
from pipeline.storage.scratch import Scratch
from schemas.outcome import REGISTERED_TYPES
from tests.cli.running import command
from tests.conftest import TENANT, Notices
from tests.stores import servers
from tests.stores.partner_store import HASH, above_the_store, through_proxy

TAG = INTUNE[3]


def test_a_night_in_a_store_is_the_night_on_disk(store):
    device = store.world.factory.device()
    store.deliver({HASH: capture(device)}, {HASH: capture(device)}, {TAG: "=x"}, name="a")
    store.deliver_devices(3, name="b")
    here = store.world.run(run_id="night")
    there = run(store.config("night"))
    assert there.folder == f"{store.base}/runs/night"
    same = ("files", "rows", "outcomes", "reasons", "partners", "registry_version")
    assert {name: there.manifest[name] for name in same} == {name: here.manifest[name] for name in same}
    assert store.published("night").equals(here.registered)
    assert dict(store.published("night").schema) == REGISTERED_TYPES
    assert store.published("night", "rejected").equals(here.rejected)
    assert store.names("runs/.staging") == set()
    on_disk = {
        path.relative_to(store.world.home).as_posix() for path in here.result.folder.rglob("*") if path.is_file()
    }
    assert store.names("runs/night") == on_disk
    assert "runs/index.html" in store.names("runs")


@above_the_store
def test_only_what_is_new_is_read_and_once_and_all_else_is_told(store, server, monkeypatch):
    store.deliver_devices(2)
    for name in ("list.zip", ".hidden/b.csv", "c.csv.part"):
        store.put(store.world.put(f"contoso/{TENANT}/{name}", b"x"))
    with through_proxy(store, server, monkeypatch) as proxy:
        one = run(store.config("one"))
        assert (one.manifest["files"]["found"], one.manifest["files"]["ignored"]) == (2, 2)
        assert one.manifest["reasons"] == {"FILE_TYPE_UNKNOWN": 1}
        two = run(store.config("two"))
    assert (two.manifest["files"]["already_processed"], two.manifest["reasons"]) == (2, {})
    there = Prefix(store.base).names(f"inbox/contoso/{TENANT}")
    assert proxy.got(f"{store.base.rpartition('/')[2]}/inbox") == {
        f"/contoso/{TENANT}/a.csv": there[f"inbox/contoso/{TENANT}/a.csv"].size
    }


@above_the_store
def test_objects_of_no_bytes_are_markers_of_folders_or_files_that_are_told(store):
    store.deliver_devices(1, name="x.csv/a")
    for name in ("x.csv", "b.txt", "folder"):
        obstore.put(from_url(store.base), f"inbox/contoso/{TENANT}/{name}", b"")
    night = run(store.config("night"))
    assert (night.manifest["files"]["found"], night.manifest["files"]["ignored"]) == (2, 2)
    assert (night.manifest["reasons"], night.manifest["rows"]["registered"]) == ({"FILE_TYPE_UNKNOWN": 1}, 1)


@above_the_store
def test_a_second_night_knows_the_first(store):
    store.deliver_devices(2)
    run(store.config("one"))
    again = run(store.config("two"))
    assert again.manifest["files"]["already_processed"] == 1
    assert run(store.config("one")).repeated
    store.require_exactly_once(2)


@above_the_store
def test_a_dry_run_is_shown_and_registers_nothing(store):
    store.deliver_devices(2)
    told = run(store.config("dry", dry_run=True))
    assert told.folder == f"{store.base}/runs/dry-run/dry"
    assert "runs/dry-run/dry/run.json" in store.names("runs/dry-run")
    assert store.names("registry") == set()


@above_the_store  # the commit is a claim, and those of both kinds are held to be made once
def test_writers_race_and_each_device_is_registered_once(store):
    Registry.open(f"{store.base}/registry", create=True)
    store.deliver_devices(4)
    racers = [store.start(f"racer-{number}") for number in range(2)]
    for racer in racers:
        store.finish(racer)
    store.require_exactly_once(4)


def leave_torn(store, monkeypatch):
    """Commit a run and do not publish it."""

    def die(*_):
        raise Fault

    with monkeypatch.context() as patched:
        patched.setattr(outputs._Store, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            run(store.config("torn"))


@above_the_store
def test_a_committed_run_is_published_at_the_next_start(store, monkeypatch):
    store.deliver_devices(2)
    leave_torn(store, monkeypatch)
    assert "runs/torn/run.json" not in store.names("runs")
    assert run(store.config("torn")).repeated
    store.require_exactly_once(2)


def test_half_a_publication_is_completed(store, monkeypatch):
    store.deliver_devices(2)
    copy = Prefix.copy

    def copy_half(prefix, names):
        is_publication = any(name.startswith("torn/") for name in names.values())
        copy(prefix, dict(list(names.items())[: len(names) // 2]) if is_publication else names)
        if is_publication:
            raise Fault

    with monkeypatch.context() as patched:
        patched.setattr(Prefix, "copy", copy_half)
        with pytest.raises(Fault, match="is committed"):
            run(store.config("torn"))
    assert "runs/torn/run.json" not in store.names("runs")
    store.deliver_devices(1, name="b")
    run(store.config("next"))
    store.require_exactly_once(3)


@above_the_store
def test_two_that_complete_the_same_publication_do_not_disturb_each_other(store, monkeypatch):
    store.deliver_devices(2)
    leave_torn(store, monkeypatch)
    finals = [store.start(f"final-{number}") for number in range(2)]
    for final in finals:
        store.finish(final)
    store.require_exactly_once(2)


@above_the_store
def test_an_object_that_goes_while_it_is_fetched_is_a_fault(store, monkeypatch):
    names = Prefix.names
    ghost = {"tenants-that-went.csv": Entry(1, datetime.now(UTC), "gone")}
    monkeypatch.setattr(Prefix, "names", lambda prefix, under="": names(prefix, under) | ghost)
    with pytest.raises(Fault, match="was listed and is gone"), at_hand(f"{store.base}/reference", lambda _: True):
        pass


@above_the_store
def test_no_name_leads_out_of_the_folder(store, tmp_path):
    with pytest.raises(Fault, match="rename the object"):
        Prefix(store.base).fetch(["../outside"], tmp_path)


@above_the_store
def test_two_registries_may_share_an_output(store, monkeypatch):
    store.deliver_devices(2)
    leave_torn(store, monkeypatch)
    monkeypatch.setattr(outputs, "_SURELY_DEAD", outputs.timedelta())
    second = store.config("second", registry=f"{store.base}/second", create_registry=True)
    assert run(second).manifest["rows"]["registered"] == 2
    assert store.names("runs/.staging")
    assert run(store.config("torn")).repeated
    assert store.published("torn").height == 2
    assert store.names("runs/.staging") == set()


@above_the_store
def test_a_registry_that_was_restored_or_is_gone_is_refused(store):
    for night in range(2):
        store.deliver_devices(1, name=str(night))
        run(store.config(f"night-{night}"))
    prefix = Prefix(f"{store.base}/registry")
    prefix.delete([f"_delta_log/{2:020}.json"])
    with pytest.raises(RegistryError, match="lacks 1 published runs with 1 devices"):
        run(store.config("no"))
    prefix.delete(list(prefix.names()))
    with pytest.raises(UsageError, match="is gone"):
        run(store.config("no"))
    assert run(store.config("on", accept_restored=True)).manifest["rows"]["registered"] == 2


@above_the_store
def test_a_registry_that_goes_meanwhile_is_not_made_anew(store):
    store.deliver_devices(1)
    run(store.config("night"))
    registry, prefix = Registry.open(f"{store.base}/registry", create=False), Prefix(f"{store.base}/registry")
    prefix.delete(list(prefix.names()))
    with pytest.raises(RegistryError, match="no registry"):
        registry.reopened()
    assert list(prefix.names()) == []


@pytest.mark.parametrize("server", ["s3"], indirect=True, scope="module")
def test_a_marker_of_a_folder_hides_no_manifest(store, server):
    store.deliver_devices(2)
    _, environment, _ = server
    keys = {name.lower(): environment[name] for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    client = boto3.client("s3", endpoint_url=environment["AWS_ENDPOINT_URL"], region_name="us-east-1", **keys)
    folder = store.base.removeprefix(f"s3://{servers.BUCKET}/")
    client.put_object(Bucket=servers.BUCKET, Key=f"{folder}/inbox/contoso/{TENANT}/a.csv/", Body=b"")
    assert run(store.config("night")).manifest["rows"]["registered"] == 2


@above_the_store
def test_doctor_tells_of_manifests_that_can_be_listed_and_not_read(store, server, monkeypatch, tmp_path):
    store.deliver_devices(1)
    with through_proxy(store, server, monkeypatch, forbid="/a.csv"):
        done = command("doctor", f"{store.base}/inbox", "--reference", f"{store.base}/reference", cwd=tmp_path)
    (told,) = (line for line in done.stdout.splitlines() if " inbox " in line)
    assert told.startswith("FAIL")
    assert "/a.csv: PermissionDenied; check the store and its credentials" in told


def dies_after_the_commit(store, monkeypatch, config):
    """A run that is committed and not published."""

    def die(*_):
        message = "killed"
        raise Fault(message)

    with monkeypatch.context() as patched:
        patched.setattr(outputs._Store, "publish", die)
        with pytest.raises(Fault, match="is committed"):
            run(config)


@above_the_store
def test_a_dead_run_takes_no_other_run_s_place(store, monkeypatch):
    store.deliver_devices(2)
    dies_after_the_commit(store, monkeypatch, store.config("night", registry=f"{store.base}/one", create_registry=True))
    store.deliver_devices(1, name="b")
    run(store.config("night", registry=f"{store.base}/other", create_registry=True))
    before = store.published("night")
    notices = Notices()
    run(store.config("next", registry=f"{store.base}/one"), notices)
    assert [text for text in notices.told if "a run of another registry has its place" in text]
    assert store.published("night").equals(before)
    Prefix(store.base).delete(list(store.names("runs/night")))
    run(store.config("last", registry=f"{store.base}/one"))
    assert store.published("night").height == 2
    assert store.names("runs/.staging") == set()


@above_the_store
def test_what_a_process_that_died_as_it_cleared_away_has_left_goes_without_a_word(store, monkeypatch):
    store.deliver_devices(1)
    dies_after_the_commit(store, monkeypatch, store.config("night"))
    (owner,) = (name for name in store.names("runs/.staging") if name.endswith("/registry"))
    content = Prefix(store.base).read(owner)
    run(store.config("next"))
    obstore.put(from_url(store.base), owner, content)
    notices = Notices()
    run(store.config("last"), notices)
    assert [text for text in notices.told if "committed" in text] == []
    assert store.names("runs/.staging") == set()


@above_the_store
def test_a_run_whose_sets_are_gone_before_its_commit_is_a_fault(store, monkeypatch):
    store.deliver_devices(1)
    stage = outputs._Store.stage

    def robbed(output, place, run_id):
        Prefix(store.base).delete([name for name in store.names("runs/.staging") if "/registered/" in name])
        stage(output, place, run_id)

    with monkeypatch.context() as patched:
        patched.setattr(outputs._Store, "stage", robbed)
        with pytest.raises(Fault, match="registered is gone; nothing was registered"):
            run(store.config("night"))
    assert run(store.config("next")).manifest["rows"]["registered"] == 1


@above_the_store
def test_a_dry_run_that_is_repeated_leaves_nothing_of_the_first(store):
    store.deliver({TAG: "=x"})
    run(store.config("look", dry_run=True))
    first = store.names("runs/dry-run/look/report/contoso")
    Prefix(store.base).delete(list(store.names("inbox")))
    run(store.config("look", dry_run=True))
    assert first
    assert store.names("runs/dry-run/look/report/contoso") == set()


def test_a_flipped_bit_is_told_by_the_name_in_the_store(store):
    store.deliver_devices(1)
    run(store.config("night"))
    (name,) = (name for name in store.names("registry") if name.rsplit("/", 1)[-1].startswith("part-"))
    content = bytearray(Prefix(store.base).read(name))
    content[len(content) // 3] ^= 1
    obstore.put(from_url(store.base), name, bytes(content))
    with pytest.raises(RegistryError, match=f"{store.base}/{name}: is damaged"):
        run(store.config("next"))


@above_the_store
def test_what_a_dead_run_left_is_removed_once_it_is_old(store, monkeypatch):
    store.deliver_devices(2)

    def die(*_):
        raise Fault

    with monkeypatch.context() as patched:
        patched.setattr(Registry, "commit", die)
        with pytest.raises(Fault):
            run(store.config("dead"))
    run(store.config("one"))
    assert store.names("runs/.staging")
    monkeypatch.setattr(outputs, "_SURELY_DEAD", outputs.timedelta())
    run(store.config("two"))
    store.require_exactly_once(2)


@above_the_store
def test_what_an_attempt_writes_that_nobody_waits_for_any_more_is_not_published(store, monkeypatch):
    store.deliver_devices(2)
    commit = Registry.commit

    def late(registry, *given, **named):
        (name,) = {name.split("/")[2] for name in store.names("runs/.staging")}
        with writing(f"{store.base}/runs/.staging/{name}", f"{ATTEMPTS}/00000-late-registered.parquet") as file:
            file.write(b"late")
        return commit(registry, *given, **named)

    monkeypatch.setattr(Registry, "commit", late)
    run(store.config("night"))
    assert not any(ATTEMPTS in name or ".staging" in name for name in store.names("runs"))
    assert store.published("night").height == 2


@above_the_store
def test_what_a_run_left_that_died_while_it_wrote_its_sets_is_removed_once_it_is_old(store, monkeypatch):
    store.deliver_devices(2)

    def die(*_):
        raise Fault

    with monkeypatch.context() as patched:
        patched.setattr(Reporter, "report", die)
        with pytest.raises(Fault):
            run(store.config("dead"))
    left = {name.rpartition("/")[2] for name in store.names("runs/.staging")}
    assert left == {"registry", "part-00000.parquet"}
    monkeypatch.setattr(outputs, "_SURELY_DEAD", outputs.timedelta())
    run(store.config("next"))
    store.require_exactly_once(2)


@above_the_store
def test_a_registry_is_compacted_and_vacuumed_where_it_is(store):
    for night in range(3):
        store.deliver_devices(1, name=str(night))
        run(store.config(f"night-{night}"))
    obstore.put(from_url(f"{store.base}/registry"), "part-of-a-dead-run.parquet", b"half a file")
    opened = Registry.open(f"{store.base}/registry", create=False)
    replaced = {file.name for file in (*opened.data_files(), *opened.request_files())}
    compact(opened)
    opened = opened.reopened()
    assert vacuum(opened, 24, dry_run=False).files == ()
    assert not (opened.folder / "part-of-a-dead-run.parquet").exists()
    kept = store.names("registry")
    told = vacuum(opened, 0, dry_run=True)
    assert store.names("registry") == kept
    assert set(told.files) == replaced | {"part-of-a-dead-run.parquet"}
    assert vacuum(opened, 0, dry_run=False).size == told.size > 11
    assert kept - store.names("registry") == {f"registry/{name}" for name in told.files}
    run(store.config("next"))
    store.require_exactly_once(3)
    assert verify(opened.reopened()) == []


@above_the_store
def test_what_a_killed_process_brought_near_is_removed_by_the_next(store, tmp_path, monkeypatch):
    near = tmp_path / "near"
    near.mkdir()
    monkeypatch.setattr(store, "environment", store.environment | {"TMPDIR": str(near)})
    monkeypatch.setattr(tempfile, "tempdir", str(near))
    store.deliver_devices(2)
    victim = store.start("killed")
    while not any(near.glob("*/files/_delta_log/*.json")):
        assert victim.poll() is None
    victim.kill()
    victim.communicate()
    assert any(near.iterdir())
    with closing(Scratch()) as living:
        run(store.config("next"))
        assert set(near.iterdir()) == {living.path}
    assert set(near.iterdir()) == set()


def test_an_object_is_claimed_once(store):
    prefix = Prefix(f"{store.base}/claims")
    prefix.claim("x", b"ours")
    prefix.claim("x", b"ours")
    with pytest.raises(TakenError):
        prefix.claim("x", b"theirs")
    assert prefix.read("x") == b"ours"
    assert prefix.read("y") is None
    prefix.delete(["x", "x", "y"])


def test_a_store_that_refuses_for_a_moment_is_asked_again(store, server, monkeypatch):
    Registry.open(f"{store.base}/registry", create=True)
    store.deliver_devices(2)
    with through_proxy(store, server, monkeypatch, refuse_each=4) as proxy:
        run(store.config("night"))
        assert proxy.refused > 5
    store.require_exactly_once(2)
    assert Registry.open(f"{store.base}/registry", create=False).version == 1


def test_a_lost_answer_to_the_commit_commits_once(store, server, monkeypatch):
    Registry.open(f"{store.base}/registry", create=True)
    store.deliver_devices(2)
    with through_proxy(store, server, monkeypatch, lose=f"{1:020}.json") as proxy:
        run(store.config("night"))
        assert proxy.lost == 1
    store.require_exactly_once(2)
    assert Registry.open(f"{store.base}/registry", create=False).version == 1


@above_the_store
def test_a_store_that_cannot_be_reached_is_a_fault_and_tells_no_secret(store, monkeypatch):
    name = "AWS_ENDPOINT_URL" if store.base.startswith("s3") else "AZURITE_BLOB_STORAGE_URL"
    environment = store.environment | {name: f"http://127.0.0.1:{servers.free_port()}"}
    monkeypatch.setattr(store, "environment", environment)
    process = store.start("night")
    shown, told = process.communicate(timeout=300)
    assert (process.returncode, shown) == (3, "")
    assert store.base in told
    for secret in ("a-secret-access-key", "an-access-key", "Eby8", "Traceback"):
        assert secret not in told


def kill_nights(store, kills, seed):
    """Kill as many runs at random times, each with a new device; returns how many were committed by then."""
    source = random.Random(seed)
    Registry.open(f"{store.base}/registry", create=True)
    store.deliver_devices(1, name="first")
    begun = time.perf_counter()
    store.finish(store.start("calm"))
    whole = time.perf_counter() - begun
    committed = 0
    for night in range(kills):
        store.deliver_devices(1, name=f"night-{night:03d}")
        victim = store.start(f"night-{night}")
        time.sleep(source.uniform(0.5, 1.1) * whole)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        opened = Registry.open(f"{store.base}/registry", create=False)
        committed += opened.committed(f"night-{night}") is not None
    return committed


def require_all(store, devices, monkeypatch):
    monkeypatch.setattr(outputs, "_SURELY_DEAD", outputs.timedelta())
    run(store.config("morning"))
    store.require_exactly_once(devices)


@above_the_store
def test_a_kill_loses_and_doubles_nothing(store, monkeypatch):
    kill_nights(store, 1, seed=5)
    require_all(store, 2, monkeypatch)


@pytest.mark.long
def test_a_hundred_kills(store, monkeypatch, capsys, request):
    kills = request.config.getoption("--kills") // 10
    committed = kill_nights(store, kills, seed=6)
    require_all(store, kills + 1, monkeypatch)
    with capsys.disabled():
        print(f"\n{store.base[:5]} {kills} kills: {kills - committed} before the commit, {committed} after it")  # noqa: T201


@pytest.mark.long
def test_two_hundred_races_in_a_store(store, capsys, request):
    # In rounds: each run looks at all that were published, so that one long history would take most of the time.
    races, each, home = request.config.getoption("--races"), 20, store.base
    again = 0
    for first in range(0, races, each):
        store.base = f"{home}/{first}"
        store.put_reference()
        Registry.open(f"{store.base}/registry", create=True)
        for number in range(each):
            store.deliver_devices(1, name=f"race-{number:03d}")
            racers = [store.start(f"race-{number}-{racer}") for racer in range(3)]
            again += sum("matching again" in store.finish(racer) for racer in racers)
        store.require_exactly_once(each)
        with capsys.disabled():
            print(f"\n{store.base[:5]} {first + each} races of 3 writers, {again} matched again", end="")  # noqa: T201
