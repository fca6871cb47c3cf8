"""A local Shout to rehearse against: what it was sent, and what it would have done with it.

Serves on this machine only and imports nothing of the rest of backfill.

    process     start_process(): a sandbox in a process of its own, for tests and the demo
    server      run_sandbox(), serve(): routes, credentials, rate limit
    shout       what Shout does with a request: accounts, duplicates, lookup, messages
    order       what Shout makes of an order: checks, texts, the documented echo
    faults      the faults file: when and how the sandbox misbehaves
    misbehave   the same on the wire
    store       the SQLite file
    stats       what was seen on the wire
    page        the page at /
    settings    SandboxSettings, SandboxError

Beside Shout's own API there is a control, without credentials:

    GET    /sandbox/stats         counts: requests, faults, orders, duplicates, texts, messages
    GET    /sandbox/orders        ?account= &reference_id= &q= &after=ID &limit=N, oldest first
    PATCH  /sandbox/orders/ID     {"order": {...}, "account": "..."}: change behind everybody's back
    DELETE /sandbox/orders/ID     the same
    GET    /sandbox/texts         the text messages a real Shout would have sent
    GET    /sandbox/messages      the messages to affiliates
    GET, PUT, PATCH /sandbox/faults
    POST   /sandbox/reset         forget orders and counts; the faults stay
"""
