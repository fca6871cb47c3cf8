"""backfill.log: JSON lines without secrets and without customers."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from backfill import log
from backfill.errors import StorageError
from backfill.job_folder.files import LOG

logger = logging.getLogger("backfill.somewhere")


def lines(folder: Path) -> list[dict[str, object]]:
    """What the log holds."""
    return [json.loads(line) for line in (folder / LOG).read_text().splitlines()]


def test_events_are_json_lines_and_appended(tmp_path: Path) -> None:
    """Each event is one JSON object with its fields; a later run adds to the file."""
    for number in (1, 2):
        with log.opened(tmp_path):
            logger.info("prepared", extra={"fields": {"orders": number, "share": 0.5}})
        logger.warning("not heard any more")
    first, second = lines(tmp_path)
    assert (first["event"], first["level"], first["orders"], first["share"]) == (
        *("prepared", "info"),
        *(1, 0.5),
    )
    assert second["orders"] == 2
    assert str(first["time"]).endswith("+00:00")


def test_secrets_and_customers_stay_out(tmp_path: Path) -> None:
    """Whatever is logged, secrets, e-mail addresses and phone numbers are not in the file."""
    log.keep_out("Bearer top-secret-42")
    with log.opened(tmp_path):
        logger.info(
            "refused: top-secret-42",
            extra={
                "fields": {"answer": ["janet@example.com", {"phone": "call +1 (801) 555-6788"}]}
            },
        )
    text = (tmp_path / LOG).read_text()
    assert lines(tmp_path)[0]["answer"] == ["***", {"phone": "call ***"}]
    for hidden in ("top-secret-42", "janet", "555"):
        assert hidden not in text


def test_a_short_header_blots_nothing_out(tmp_path: Path) -> None:
    """A header such as ``X-Region: a`` is no credential, and its letter stays readable."""
    log.keep_out("a")
    with log.opened(tmp_path):
        logger.warning("canary passed")
    assert lines(tmp_path)[0]["event"] == "canary passed"


def test_an_exception_is_its_place_without_its_words(tmp_path: Path) -> None:
    """An exception is logged by its class and where it happened; its message may quote a cell."""
    with log.opened(tmp_path):
        try:
            raise ValueError("Janet Smith has no phone")
        except ValueError:
            logger.exception("a bug")
    (line,) = lines(tmp_path)
    assert line["exception"] == "ValueError"
    assert "test_an_exception" in str(line["at"])
    assert "Janet" not in str(line)


def test_verbose_says_the_same(tmp_path: Path) -> None:
    """With --verbose the events are said to the person as well."""
    said: list[str] = []
    with log.opened(tmp_path, say=said.append):
        logger.warning("slow", extra={"fields": {"seconds": 3}})
    assert said == ["[warning] slow seconds=3"]


def test_a_log_that_cannot_be_written(tmp_path: Path) -> None:
    """Where the file cannot be opened, that is one clear error."""
    (tmp_path / LOG).mkdir()
    with pytest.raises(StorageError, match="cannot be written"), log.opened(tmp_path):
        pass
