"""What comes after the import: prove it, mend it, take it back, tell the affiliates.

verify    reads every created order back, and draws up the table to sign
retry     puts failed and skipped orders back, and goes on
changes   what the export says otherwise by now: lists it, and puts it right
undo      deletes what this job created
notify    one message an account
purge     blanks the personal data once all is signed off

Each is a command, like those in :mod:`backfill.job`.
"""
