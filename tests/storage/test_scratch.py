import fcntl
import tempfile

import pytest

from pipeline.errors import Fault
from pipeline.storage import scratch
from pipeline.storage.scratch import Scratch


@pytest.fixture
def near(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_folder_goes_when_it_is_closed_and_not_before(near):
    one, two = Scratch(), Scratch()
    assert set(near.iterdir()) == {one.path, two.path}
    assert one.path.stat().st_mode & 0o077 == 0
    one.close()
    two.close()
    assert list(near.iterdir()) == []


def test_what_nobody_holds_is_removed_and_what_is_no_folder_of_ours_is_left(near):
    abandoned = near / f"{scratch._OWN}0"
    abandoned.mkdir()
    (near / "elsewhere").mkdir()
    link = near / f"{scratch._OWN}1"
    link.symlink_to(near / "elsewhere")
    others = {near / name for name in ("other", "autopilot-intake-near-of another machine-0")}
    for folder in others:
        folder.mkdir()
    Scratch().close()
    assert set(near.iterdir()) == {near / "elsewhere", *others, link}


def test_a_place_without_locks_is_a_fault(near, monkeypatch):
    def refuse(*_):
        raise OSError

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(Fault, match="cannot be locked"):
        Scratch()
    assert list(near.iterdir()) == []
