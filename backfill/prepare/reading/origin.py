"""Where the bytes of a text export are: a file, packed or not, or a member of a zip."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import pyarrow as pa

from backfill.errors import SourceError
from backfill.prepare.reading.fingerprint import unreadable

Compression = Literal["gzip", "zstd", "bz2"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the bytes of one text file are: a file, packed or not, or a member of a zip."""

    path: Path
    member: str | None = None
    compression: Compression | None = None

    @contextmanager
    def open(self) -> Iterator[IO[bytes] | pa.NativeFile]:
        """The unpacked bytes from the first on. Raises SourceError, also while they are read,
        where the file may not be read or its packing is damaged."""
        try:
            if self.member is not None:
                with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as file:
                    yield file
            else:
                with pa.OSFile(str(self.path)) as file:
                    if self.compression is None:
                        yield file
                    else:
                        with pa.CompressedInputStream(file, self.compression) as unpacked:
                            yield unpacked
        except (PermissionError, FileNotFoundError) as error:
            raise unreadable(self.path, error) from error
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
            raise self.damaged(str(error)) from error
        except RuntimeError as error:  # how zipfile says that a member is encrypted
            if "encrypted" not in str(error):
                raise
            raise SourceError(
                self.path,
                "the file is protected by a password",
                hint="unpack it, and give the file inside",
            ) from error

    def damaged(self, why: str) -> SourceError:
        """What to say of a file that breaks off or does not unpack."""
        if self.member is None and self.compression is None:
            return SourceError(self.path, f"cannot be read ({why})")
        return SourceError(
            self.path,
            f"the file is cut off or damaged, and cannot be unpacked ({why})",
            hint="download or copy the file again",
        )
