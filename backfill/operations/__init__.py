"""What a job does to Shout, and what comes after the import: one file per operation.

    send     creates the orders that are pending
    retry    puts orders back to pending
    verify   reads created orders back and compares them
    update   updates orders whose export changed after they were sent
    undo     deletes the orders that this job created
    notify   sends one message per account
    purge    erases the personal data

    changed  lists the orders that changed in their export, or are gone from it
    lists    writes verify.csv and changed.csv
    sent     orders in Shout, as verify, undo and update take them up

Each file holds all of one operation: its SQL, its errand on the wire (see
:mod:`backfill.deliver.loop`), its plan for the confirmation, and its result. Nothing here prints
or asks.
"""
