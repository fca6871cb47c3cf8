"""Moves years of order history into Shout: checked first, each order once, no text message.

From Python: :func:`open_job` (see :mod:`backfill.job`). Names are imported when they are first
used, so that the command line answers at once.
"""

from __future__ import annotations

from backfill.version import __version__

TYPE_CHECKING = False  # typing itself would cost a tenth of the time that --help may take
if TYPE_CHECKING:
    from backfill.errors import BackfillError as BackfillError
    from backfill.job import Job as Job
    from backfill.job import open_job as open_job

__all__ = ["BackfillError", "Job", "__version__", "open_job"]

_MODULES = {"BackfillError": "errors", "Job": "job", "open_job": "job"}


if not TYPE_CHECKING:  # a type checker would take every name for one that exists

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
