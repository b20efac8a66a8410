"""Sidecars: of a data file what matching reads, uncompressed and mapped into memory, in an order that it is found by.

A data file of the registry never changes, so a sidecar made from it is right for as long as the file exists. It lies
beside the table, is named after its file, and says how large that is; a sidecar that says otherwise is not looked at.
Whoever reads a part of one checks that part: a flipped bit would else make a registered device new.
"""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import wraps
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar, cast

import pyarrow as pa

from pipeline.errors import RegistryError
from pipeline.registry.digests import require_sound
from pipeline.storage.durable import sync
from pipeline.storage.near import brought_anew

FOLDER = "_lookup"
"""Where sidecars lie; the table takes no notice of a folder of such a name."""

UNFINISHED = "unfinished-"
"""How the name of a sidecar begins while it is made, and of one that was never finished."""

_Look = TypeVar("_Look", bound=Callable[..., Any])

_SIZE = b"data file size"
_DIGEST = b"digest"


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A kind of sidecar.

    Attributes:
        name: of the kind, part of the names of its files.
        schema: its columns, and metadata that tell it from what another version made under the name.
        made: its batches, made from a data file.
        digest: a number of a batch that changes with any bit of it that has no check of its own.
    """

    name: str
    schema: pa.Schema
    made: Callable[[Path], Iterable[pa.RecordBatch]]
    digest: Callable[[pa.RecordBatch], int]

    def place(self, data_file: Path) -> Path:
        """Where the sidecar of a data file lies, if there is one."""
        return data_file.parent / FOLDER / f"{data_file.stem}.{self.name}.arrow"

    def write(self, data_file: Path) -> None:
        """Make the sidecar of a data file; nobody sees half of one, even if two make it at once.

        Raises:
            RegistryError: the data file is damaged.
        """
        require_sound(data_file)
        sidecar = self.place(data_file)
        sidecar.parent.mkdir(exist_ok=True)
        unfinished = sidecar.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
        schema = self._schema_of(data_file)
        try:
            with pa.ipc.new_file(unfinished, schema) as writer:
                for batch in self.made(data_file):
                    writer.write_batch(batch, custom_metadata={_DIGEST: str(self.digest(batch))})
            sync(unfinished)
            unfinished.rename(sidecar)
        finally:
            unfinished.unlink(missing_ok=True)
        sync(sidecar)

    def open(self, data_file: Path) -> pa.ipc.RecordBatchFileReader | None:
        """The sidecar of a data file; None where there is none that fits."""
        path = self.place(data_file)
        if not path.exists():
            return None
        try:
            sidecar = pa.ipc.open_file(pa.memory_map(str(path)))
        except pa.ArrowException:
            return None
        return sidecar if sidecar.schema.equals(self._schema_of(data_file), check_metadata=True) else None

    def checked(self, data_file: Path, sidecar: pa.ipc.RecordBatchFileReader, at: int) -> pa.RecordBatch:
        """A batch of a sidecar, looked at as a whole.

        Raises:
            RegistryError: it is damaged.
        """
        batch, told = sidecar.get_batch_with_custom_metadata(at)
        if told is None or told.get(_DIGEST) != str(self.digest(batch)).encode():
            raise self.damage(data_file)
        return batch

    def damage(self, data_file: Path) -> RegistryError:
        """What is told of a sidecar that says something else than when it was made."""
        return RegistryError(f"registry look-up {self.place(data_file)}: is damaged; remove it and compact again")

    def _schema_of(self, data_file: Path) -> pa.Schema:
        size = str(data_file.stat().st_size).encode()
        return self.schema.with_metadata({**(self.schema.metadata or {}), _SIZE: size})

    def agrees(self, data_file: Path) -> bool:
        """Whether the sidecar of a data file, if there is one, says what the file does."""
        return self._agrees(data_file) or (brought_anew(self.place(data_file)) and self._agrees(data_file))

    def _agrees(self, data_file: Path) -> bool:
        sidecar = self.open(data_file)
        if sidecar is None:
            return True
        batches = (sidecar.get_batch(at) for at in range(sidecar.num_record_batches))
        return all(_is_same(ours, theirs) for ours, theirs in zip_longest(batches, self.made(data_file)))


def looked_at(look: _Look) -> _Look:
    """A look at a sidecar of a data file; one that is damaged, only near, and in a store, comes from there anew first.

    Args:
        look: takes the data file first, and raises RegistryError, or what pyarrow does, where the sidecar is damaged.
    """

    @wraps(look)
    def again(data_file: Path, *given: object) -> object:
        try:
            return look(data_file, *given)
        except (RegistryError, pa.ArrowException, OSError):
            anew = [brought_anew(sidecar) for sidecar in (data_file.parent / FOLDER).glob(f"{data_file.stem}.*")]
            if not any(anew):
                raise
            return look(data_file, *given)

    return cast("_Look", again)


def _is_same(ours: pa.RecordBatch | None, theirs: pa.RecordBatch | None) -> bool:
    if ours is None or theirs is None:
        return False
    try:
        ours.validate(full=True)  # else an offset would be followed wherever it leads
    except pa.ArrowException:
        return False
    return bool(ours.equals(theirs))
