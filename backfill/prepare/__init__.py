"""The columns' half: exports in, order bodies out; no network.

:mod:`~backfill.prepare.pipeline` is where to begin to read. Nothing is imported here, because a
run that only resumes asks for :mod:`~backfill.prepare.reading.fingerprint` and for nothing heavy.
"""
