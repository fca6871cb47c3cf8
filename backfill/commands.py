"""What each command does: its settings gathered and checked, then handed to the job."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from backfill import configuration, progress
from backfill.errors import UsageError
from backfill.settings import ProgressKind

SANDBOX_PORT = 8808

#: What the libraries underneath go by when they are first imported.
_LIBRARIES = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's threads for linear algebra, which nothing here does
}
if sys.platform == "linux":  # elsewhere Arrow may come without it
    # It gives back what is free: a million scattered rows take a third less than with mimalloc.
    _LIBRARIES["ARROW_DEFAULT_MEMORY_POOL"] = "jemalloc"


def execute(args: argparse.Namespace) -> int:
    """Run the command that ``args`` names; returns its exit code.

    :raises BackfillError: what a person can act on.
    """
    for stream in (sys.stdout, sys.stderr):
        # A name or a cell that the terminal's encoding does not know must not stop anything.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    for name, value in _LIBRARIES.items():
        os.environ.setdefault(name, value)
    before = signal.signal(signal.SIGTERM, _like_ctrl_c)
    try:
        return COMMANDS[args.command](args)
    finally:
        signal.signal(signal.SIGTERM, before)


def _like_ctrl_c(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _demo(args: argparse.Namespace) -> int:
    from backfill import demo

    kind: ProgressKind = configuration.load(vars(args)).get("progress") or "auto"
    return demo.rehearse(Path(args.keep) if args.keep else None, progress=kind)


def _inspect(args: argparse.Namespace) -> int:
    from backfill import job

    exports = _exports(args)
    settings = configuration.load(vars(args))
    _progress(settings)
    mapping = Path(args.write_mapping) if args.write_mapping else None
    if mapping is not None and mapping.exists():
        raise UsageError(
            f"--write-mapping: {mapping}: is there already, and may hold somebody's work",
            hint="name a new file",
        )
    if mapping is not None and not mapping.parent.is_dir():
        raise UsageError(f"--write-mapping: {mapping.parent}: there is no such folder")
    return job.inspect(settings.imports(exports), mapping)


def _validate(args: argparse.Namespace) -> int:
    if getattr(args, "list_rules", False):
        return _list_rules()
    from backfill import job

    exports = _exports(args)
    settings = configuration.load(vars(args))
    return job.validate(settings.imports(exports), settings.run(exports), _progress(settings))


def _list_rules() -> int:
    from backfill.prepare.validation import rules

    for rule, words in rules.described().items():
        print(f"{rule} ({words['severity']})")
        text = f"{words['title']}: {words['remedy']}"
        print(textwrap.fill(text, 79, initial_indent="    ", subsequent_indent="    "))
    return 0


def _run(args: argparse.Namespace) -> int:
    if args.dry_run:
        return _validate(args)
    from backfill import job

    exports = [Path(name) for name in args.exports]
    settings = configuration.load(vars(args))
    return job.run(
        settings.imports(exports), settings.api(), settings.run(exports), _progress(settings)
    )


def _status(args: argparse.Namespace) -> int:
    from backfill import library, status

    job = library.open_job(args.job)
    if args.watch:
        return status.watch(job.status, as_json=args.json)
    print(status.render(job.status(), as_json=args.json))
    return 0


def _report(args: argparse.Namespace) -> int:
    from backfill import job

    settings = configuration.load(vars(args))
    return job.report(settings.run([]), _progress(settings))


def _retry(args: argparse.Namespace) -> int:
    from backfill.afterwards.retry import retry
    from backfill.checkpoint.afterwards import Selection

    settings = configuration.load(vars(args))
    which = Selection(rule=args.rule, account=args.account, reason=args.reason)
    return retry(settings.api(), settings.run([]), _progress(settings), which)


def _verify(args: argparse.Namespace) -> int:
    from backfill.afterwards.verify import verify

    settings = configuration.load(vars(args))
    sample = settings.get("sample") or settings.get("limit")
    return verify(settings.api(), settings.run([]), _progress(settings), sample)


def _undo(args: argparse.Namespace) -> int:
    from backfill.afterwards.undo import undo
    from backfill.checkpoint.afterwards import Selection

    settings = configuration.load(vars(args))
    which = Selection(account=args.account, since=settings.get("since"))
    return undo(settings.api(), settings.run([]), _progress(settings), which)


def _notify(args: argparse.Namespace) -> int:
    from backfill.afterwards.notify import Notice, notify, read_template

    settings = configuration.load(vars(args))
    notice = Notice(
        read_template(args.message, Path(args.template) if args.template else None),
        company=args.company,
        accounts=Path(args.accounts) if args.accounts else None,
        resend_in_doubt=args.resend_in_doubt,
    )
    api = None if args.dry_run else settings.api()
    return notify(api, settings.run([]), _progress(settings), notice)


def _purge(args: argparse.Namespace) -> int:
    from backfill.afterwards.purge import purge

    settings = configuration.load(vars(args))
    return purge(settings.run([]), _progress(settings))


def _completion(args: argparse.Namespace) -> int:
    from backfill import cli_parser, completion

    print(completion.script(cli_parser.build().filled(), args.shell))
    return 0


def _sandbox(args: argparse.Namespace) -> int:
    from backfill.sandbox.server import run_sandbox
    from backfill.sandbox.settings import SandboxError

    settings = configuration.load(vars(args))
    try:
        run_sandbox(
            port=settings.get("port") or SANDBOX_PORT,
            db=Path(args.db) if args.db else None,
            faults=Path(args.faults) if args.faults else None,
            rate_limit=settings.get("rate_limit"),
        )
    except SandboxError as exc:
        raise UsageError(f"the sandbox cannot start: {exc}") from exc
    return 0


#: Every command that the parser knows.
COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "inspect": _inspect,
    "validate": _validate,
    "run": _run,
    "status": _status,
    "retry": _retry,
    "verify": _verify,
    "undo": _undo,
    "notify": _notify,
    "report": _report,
    "purge": _purge,
    "sandbox": _sandbox,
    "completion": _completion,
}


def _exports(args: argparse.Namespace) -> list[Path]:
    if not args.exports:
        raise UsageError(
            "no export is given",
            hint=f"name one or more files: backfill {args.command} orders.csv",
        )
    return [Path(name) for name in args.exports]


def _progress(settings: configuration.Configuration) -> progress.Progress:
    shown = progress.make(settings.get("progress") or "auto")
    for line in settings.warnings():
        shown.say(f"backfill: warning: {line}")
    return shown
