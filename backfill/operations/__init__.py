"""What a job does to Shout, and what comes after the import: one file per operation.

    send    creates the orders that are pending

Each takes an open checkpoint, and returns a typed result; nothing here prints or asks.
"""
