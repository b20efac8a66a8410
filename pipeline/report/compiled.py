"""Compiled templates, kept as Python keeps its compiled modules: to compile them took a third of a small run's time."""

import sys
from contextlib import suppress
from pathlib import Path

from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class CompiledTemplates(FileSystemBytecodeCache):
    """The compiled templates of a folder, in its `__pycache__`, where that can be written and Python is allowed to."""

    def __init__(self, templates: Path) -> None:
        self._folder = templates / "__pycache__"
        super().__init__(str(self._folder))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep a template, if that is possible; the next process compiles it again if not."""
        if sys.dont_write_bytecode:
            return
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            super().dump_bytecode(bucket)
