import os
import random
import signal
import subprocess
import sys
import time

import pytest

from pipeline.errors import UsageError
from pipeline.storage import cache as caching
from pipeline.storage.cache import Cache, key_of

HAMMER = """
import os, random, sys
from pathlib import Path
from pipeline.storage.cache import Cache, key_of
home, own, seed, turns = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
source, kept = random.Random(seed), Cache(home, 120_000)
own.mkdir()
for turn in range(turns):
    number = source.randrange(20)
    content, path = bytes([number]) * (1_000 * (number + 1)), own / str(turn)
    key = key_of(str(number), "1")
    if kept.place({key: path}, {key: len(content)}):
        assert path.read_bytes() == content
    else:
        path.write_bytes(content)
        kept.keep({key: path}, vouched=number % 2 == 0)
    if source.random() < 0.8:
        path.unlink()
print("whole")
"""


@pytest.mark.parametrize("mode", [0o775, 0o707])
def test_a_folder_that_others_may_write_to_is_no_cache(tmp_path, mode):
    tmp_path.chmod(mode)
    with pytest.raises(UsageError, match="others may write to it"):
        Cache(tmp_path, 10_000)
    tmp_path.chmod(mode & ~0o022)
    Cache(tmp_path, 10_000)


@pytest.fixture
def kept(tmp_path):
    return Cache(tmp_path / "cache", 10_000)


@pytest.fixture
def near(tmp_path):
    (tmp_path / "near").mkdir()
    return tmp_path / "near"


def keep(kept, near, name, size, *, vouched=False):
    path = near / name
    path.write_bytes(os.urandom(size))
    content = path.read_bytes()
    kept.keep({key_of(name, "1"): path}, vouched=vouched)
    path.unlink()
    return content


def placed(kept, near, name, size):
    key, path = key_of(name, "1"), near / name
    if not kept.place({key: path}, {key: size}):
        assert list(near.iterdir()) == []
        return None
    content = path.read_bytes()
    path.unlink()
    return content


def files_of(kept):
    return list((kept.folder / "kept").iterdir())


@pytest.mark.parametrize("vouched", [True, False])
def test_what_is_kept_is_there_for_the_next(kept, near, vouched):
    content = keep(kept, near, "a", 100, vouched=vouched)
    assert placed(Cache(kept.folder), near, "a", 100) == content
    assert placed(kept, near, "b", 100) is None
    assert kept.folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("vouched", [True, False])
@pytest.mark.parametrize("length", [0, 60, 101])
def test_what_has_another_size_is_never_believed(kept, near, vouched, length):
    keep(kept, near, "a", 100, vouched=vouched)
    (file,) = files_of(kept)
    os.truncate(file, length)
    assert placed(kept, near, "a", 100) is None
    assert files_of(kept) == []


def test_a_changed_bit_of_what_nobody_else_checks_is_never_believed(kept, near):
    content = keep(kept, near, "a", 100)
    (file,) = files_of(kept)
    told = file.stat()
    file.write_bytes(content[:50] + bytes([content[50] ^ 1]) + content[51:])
    os.utime(file, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert placed(kept, near, "a", 100) is None
    assert files_of(kept) == []
    again = keep(kept, near, "a", 100)
    assert placed(kept, near, "a", 100) == again


def test_what_was_used_least_recently_makes_room(kept, near):
    for name in ("a", "b", "c"):
        keep(kept, near, name, 3_000)
        time.sleep(0.01)
    assert placed(kept, near, "a", 3_000)
    keep(kept, near, "d", 3_000)
    assert placed(kept, near, "b", 3_000) is None
    assert all(placed(kept, near, name, 3_000) for name in ("a", "c", "d"))


def test_what_somebody_uses_stays_and_what_has_no_room_is_not_kept(kept, near, tmp_path):
    for name in ("a", "b", "c"):
        keep(kept, near, name, 3_000)
    used = tmp_path / "used"
    assert kept.place({key_of("a", "1"): used}, {key_of("a", "1"): 3_000})
    keep(kept, near, "d", 9_000)
    assert placed(kept, near, "d", 9_000) is None
    assert placed(kept, near, "a", 3_000) == used.read_bytes()
    used.unlink()
    content = keep(kept, near, "d", 9_000)
    assert placed(kept, near, "d", 9_000) == content
    assert placed(kept, near, "a", 3_000) is None


def test_it_takes_half_of_the_room_that_there_is(near, tmp_path, monkeypatch):
    disk = caching.shutil.disk_usage(tmp_path)
    free = 6_000
    monkeypatch.setattr(caching.shutil, "disk_usage", lambda _: disk._replace(free=free))
    kept = Cache(tmp_path / "cache")
    keep(kept, near, "a", 3_001)
    assert files_of(kept) == []
    keep(kept, near, "a", 3_000)
    free = 3_000
    keep(kept, near, "b", 1)
    assert [file.stat().st_size for file in files_of(kept)] == [1]


def test_on_another_disk_a_copy_is_as_good(kept, near, monkeypatch):
    def refuse(*_):
        raise OSError(caching.errno.EXDEV, "another disk")

    monkeypatch.setattr(caching.os, "link", refuse)
    content = keep(kept, near, "a", 100)
    assert placed(kept, near, "a", 100) == content


def test_what_cannot_be_kept_is_no_error(kept, near, monkeypatch):
    def refuse(*_):
        raise OSError(caching.errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(caching.os, "link", refuse)
        keep(kept, near, "a", 100)
    assert files_of(kept) == []
    content = keep(kept, near, "a", 100)
    assert placed(kept, near, "a", 100) == content


def test_what_was_half_copied_is_removed_once_it_is_old(kept, near):
    half = kept.folder / "kept" / ".half"
    half.write_bytes(b"x" * 9_000)
    keep(kept, near, "a", 5_000)
    assert files_of(kept) == [half]
    os.utime(half, (0, 0))
    content = keep(kept, near, "a", 5_000)
    assert placed(kept, near, "a", 5_000) == content


def test_processes_that_share_it_disturb_nobody_even_when_killed(kept, tmp_path):
    def start(number, turns):
        given = [str(kept.folder), str(tmp_path / str(number)), str(number), str(turns)]
        return subprocess.Popen([sys.executable, "-c", HAMMER, *given], stdout=subprocess.PIPE, text=True)

    steady = [start(number, 600) for number in range(2)]
    source = random.Random(4)
    for number in range(10, 14):
        victim = start(number, 1_000_000)
        while not (tmp_path / str(number)).exists():
            assert victim.poll() is None
        time.sleep(source.uniform(0, 0.1))
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    for process in steady:
        told, _ = process.communicate(timeout=120)
        assert (process.returncode, told) == (0, "whole\n")
    for file in files_of(kept):
        content = file.read_bytes()
        assert len(set(content)) == 1
        assert len(content) == 1_000 * (content[0] + 1)
