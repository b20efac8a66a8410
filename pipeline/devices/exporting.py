"""Writes registered devices as files that another portal takes, and lists those that cannot be written so."""

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipeline.devices.choosing import Choice
from pipeline.devices.layouts import CELLS, ENCODING, Layout, lines, obstacles, with_cells
from pipeline.errors import Fault, UsageError
from pipeline.ingest.secrets import mask_product_keys
from pipeline.listener import Listener
from pipeline.reference.profiles import profile
from pipeline.registry import Registry
from pipeline.report.tables import Table, safe
from pipeline.report.tables import lines as csv_lines
from pipeline.storage.durable import keep_private, make_folder, sync, sync_tree

FILES, LEFT_OUT = "files", "left_out"
"""The tables beside the files, without their ending: what each holds, and the devices that are in none."""

_READ = ("device_id", "tenant_id", "partner_id", "registered_at", *CELLS)
_LEFT_OUT = ("device_id", "tenant_id", "serial_number", "group_tag", "reason")
_FILES = ("file", "tenant_id", "group_tag", "devices")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 40
_SLICE = 8_192
"""Devices whose lines are in memory at once: 33 MB."""


@dataclass(frozen=True, slots=True)
class Export:
    """What was written.

    Attributes:
        folder: where it is.
        files: files for the portal.
        devices: devices in them.
        left_out: devices that are in none, listed with the reason.
    """

    folder: Path
    files: int
    devices: int
    left_out: int


def export(
    registry: Registry, folder: Path, layout: Layout, choice: Choice, profiles: pl.DataFrame, listener: Listener
) -> Export:
    """Write devices for upload: `<tenant_id>/<number>[-<group tag>].csv`, `files.csv` and `left_out.csv`.

    The folder is there once everything in it is, and only its owner may look into it.

    Args:
        registry: where the devices are registered.
        folder: where the files go; a new one, or an empty one.
        layout: of the files.
        choice: which devices are meant.
        profiles: which profile a device gets (`pipeline.reference.profiles`).
        listener: hears how much was read.

    Raises:
        UsageError: the folder holds anything.
        Fault: it cannot be written.
    """
    _require_free(folder)
    try:
        make_folder(folder.absolute().parent)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
        try:
            done = _written(registry, unfinished, layout, choice, profiles, listener)
            listener.stage("sync")
            keep_private(unfinished)
            sync_tree(unfinished)
            _require_free(folder)
            unfinished.rename(folder)
            sync(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    except OSError as error:
        message = f"folder {folder}: cannot be written ({error.strerror}); nothing was exported"
        raise Fault(message) from error
    return Export(folder, *done)


def _require_free(folder: Path) -> None:
    if os.path.lexists(folder) and (not folder.is_dir() or folder.is_symlink() or any(folder.iterdir())):
        message = f"folder {folder}: is there and not empty; name a new one, nothing is ever overwritten"
        raise UsageError(message)


def _written(
    registry: Registry, folder: Path, layout: Layout, choice: Choice, profiles: pl.DataFrame, listener: Listener
) -> tuple[int, int, int]:
    listener.stage("export")
    files, left_out = _Files(folder, layout), Table(folder, LEFT_OUT, _LEFT_OUT)
    for batch in registry.live_batches(_READ, listener):
        chosen = batch.with_columns(profile=profile(profiles)).filter(choice.holds())
        for rows in chosen.iter_slices(_SLICE):
            cells = with_cells(rows)
            judged = cells.with_columns(reason=obstacles(cells, layout))
            told = [safe(mask_product_keys(pl.col(name))) for name in _LEFT_OUT]
            left_out.write(judged.drop_nulls("reason").select(csv_lines(told)).to_series())
            files.write(judged.filter(pl.col("reason").is_null()))
    return files.finish(), files.devices, left_out.rows


class _Files:
    """The files of all tenants: each has a place in the next one of its group that is not full."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self._folder, self._layout = folder, layout
        self._files: list[tuple[str, str, str]] = []
        self._rows: list[int] = []
        self._of_tenant: dict[str, int] = {}
        self._open: dict[tuple[str, str], int] = {}
        self.devices = 0

    def write(self, rows: pl.DataFrame) -> None:
        """Add devices that can be written, as `with_cells` gives them."""
        grouped = rows.select(
            "tenant_id",
            group_tag=pl.col("group_tag").fill_null("") if self._layout.by_tag else pl.lit(""),
            line=lines(self._layout),
        )
        grouped = grouped.sort("tenant_id", "group_tag", maintain_order=True)
        first = 0
        for tenant_id, tag, number in grouped.group_by("tenant_id", "group_tag", maintain_order=True).len().iter_rows():
            self._append((tenant_id, tag), grouped["line"].slice(first, number))
            first += number
        self.devices += rows.height

    def _append(self, group: tuple[str, str], text: pl.Series) -> None:
        while len(text):
            at = self._open.get(group)
            if at is None or self._rows[at] == self._layout.most_rows:
                at = self._open[group] = self._begun(group)
            part = text.head(self._layout.most_rows - self._rows[at])
            with (self._folder / self._files[at][0]).open("ab") as file:
                file.write("".join(part).encode(ENCODING))
            self._rows[at] += len(part)
            text = text.slice(len(part))

    def _begun(self, group: tuple[str, str]) -> int:
        """The position of a new file."""
        tenant_id, tag = group
        number = self._of_tenant[tenant_id] = self._of_tenant.get(tenant_id, 0) + 1
        told = _NOT_IN_NAMES.sub("_", tag)[:_LONGEST_NAME]
        name = f"{tenant_id}/{number:05d}{f'-{told}' if told else ''}.csv"
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(f"{self._layout.header}\r\n".encode(ENCODING))
        self._files.append((name, tenant_id, tag))
        self._rows.append(0)
        return len(self._files) - 1

    def finish(self) -> int:
        """Write the table of all files; how many there are."""
        table = Table(self._folder, FILES, _FILES)
        rows = [(*file, count) for file, count in zip(self._files, self._rows, strict=True)]
        frame = pl.DataFrame(rows, dict.fromkeys(_FILES[:3], pl.String) | {"devices": pl.Int64}, orient="row")
        table.write(frame.select(csv_lines([safe(pl.col(name).cast(pl.String)) for name in _FILES])).to_series())
        return len(rows)
