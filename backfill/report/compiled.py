"""The page's template, compiled: kept where Python keeps compiled modules, for the next report.

To compile it takes a tenth of the dry run of a small export.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from importlib.util import cache_from_source
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket, BytecodeCache


class CompiledTemplate(BytecodeCache):
    """One template in a file of ``__pycache__``; where that cannot be written, there is none."""

    def __init__(self, template: Path, module: Path) -> None:
        """:param module: makes the template's environment, so its changes make the file stale."""
        self._file = Path(cache_from_source(str(template)))
        self._module = module

    def get_source_checksum(self, source: str) -> str:
        """Jinja's own, which only looks at the template, and all else that decides."""
        module = self._module.stat()
        made_by = f"{jinja2.__version__} {module.st_mtime_ns} {module.st_size}"
        return super().get_source_checksum(f"{made_by}\n{source}")

    def load_bytecode(self, bucket: Bucket) -> None:
        # Whatever is wrong with the file, the template is compiled again.
        with contextlib.suppress(Exception), self._file.open("rb") as file:
            bucket.load_bytecode(file)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if sys.dont_write_bytecode:
            return
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._file.parent, delete=False) as file:
                bucket.write_bytecode(file)
            os.replace(file.name, self._file)
