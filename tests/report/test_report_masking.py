"""Personal data does not leave with a report, unless it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill import report
from backfill.checkpoint import Checkpoint, Source, State
from backfill.job_folder.files import CHECKPOINT
from backfill.report.masking import Kind, Privacy, mask, scrub
from backfill.report.terminal import summary
from tests.report.report_jobs import Job, a_shop, deliver

PERSONAL = ("Smith", "Fernández", "Kwame", "8015556788", "janet@example", "Center St", "Provo")
UNMAPPED = "call before noon"


def written(folder: Path, *, show: bool) -> dict[str, str]:
    """What a report tells, by file; ``summary`` is the terminal's."""
    with Checkpoint(folder / CHECKPOINT) as checkpoint:
        figures = report.write(folder, checkpoint, show_personal_data=show)
    texts = {name: (folder / name).read_text() for name in ("report.html", "report.json")}
    return texts | {"summary": summary(figures, folder, show_personal_data=show)}


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("words", "Janet Smith", "J••• S•••"),
        ("words", "1 E Center St, Provo, UT 84606", "••• E••• C••• S•••, P•••, U••• •••"),
        ("words", "Ægir Ó", "Æ••• Ó•••"),
        ("phone", "+18015556788", "+••••••••788"),
        ("phone", "(801) 555-6788 ext", "(•••) •••-•788 •••"),
        ("phone", "12", "12"),
        ("email", "janet@shop.example.com", "j•••@s•••.com"),
        ("email", "not an address", "n••• a••• a•••"),
        ("words", "", ""),
    ],
)
def test_a_mask_leaves_only_what_finds_the_row_again(kind: Kind, text: str, expected: str) -> None:
    """First letters, and the last three digits of a phone number."""
    assert mask(text, kind) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("422: +18015556788 is not allowed", "422: +••••••••788 is not allowed"),
        ("call (801) 555-6788", "call (•••) •••-•788"),
        ("to janet@example.com, today", "to j•••@e•••.com, today"),
        ("order 1234567890 of 2021-04-09", "order 1234567890 of 2021-04-09"),
    ],
)
def test_running_text_loses_addresses_and_numbers_only(text: str, expected: str) -> None:
    """What Shout answered may quote a customer; order ids and dates stay."""
    assert scrub(text) == expected


def test_columns_of_one_field_are_as_private_as_the_field() -> None:
    """A time made of two columns may be seen, a phone number out of two may not."""
    mapping = {"created_at": "{Day} {Clock}", "profile_phone_number": "Phone|Mobile"}
    columns = {"created_at": ["Day", "Clock"], "profile_phone_number": ["Phone", "Mobile"]}
    details = {"mapping": mapping, "mapped_columns": columns}
    source = Source("a.csv", "a.csv", None, "0", "generic", 1, details)
    privacy = Privacy.of([source], show=False)
    assert privacy.cell("a.csv", "Day, Clock", "2021-04-05 13:05:00") == "2021-04-05 13:05:00"
    assert privacy.cell("a.csv", "Phone, Mobile", "12 34 567") == "•• •• 567"


def test_a_report_tells_no_names_numbers_or_addresses(tmp_path: Path) -> None:
    """Neither the page nor report.json nor the terminal, in a dry run and after a run."""
    a_shop(tmp_path, 60)
    for run in (False, True):
        if run:
            deliver(tmp_path)
        texts = written(tmp_path, show=False)
        for name, text in texts.items():
            assert [word for word in (*PERSONAL, UNMAPPED) if word in text] == [], name
        assert "+••••••••788" in texts["report.html"]


def test_a_report_shows_them_when_asked(tmp_path: Path) -> None:
    """--show-personal-data is for whoever has to look closer; columns without use stay out."""
    page = written(a_shop(tmp_path, 60), show=True)["report.html"]
    assert "1 E Center St, Provo, UT 84606" in page
    assert "personal data is shown" in page
    assert UNMAPPED not in page


def test_a_message_that_quotes_a_personal_value_is_masked(tmp_path: Path) -> None:
    """Also the value of the other row that it disagrees with."""
    job = Job(tmp_path)
    row = job.add_rows({"reference_id": "1", "Buyer": "Janet Smith"})
    order = job.add_order("1", row, state=State.REJECTED, rule="x", reason="rows disagree")
    job.add_problem("x", order, 2, "Buyer", "Janet Smith",
                    message="Janet Smith here, 'Omar Haddad' on an earlier row")  # fmt: skip
    job.add_problem("y", order, 2, "Unknown", "Lucía Olsen", message="odd")
    job.add_problem("z", order, 2, "total", "12,x", message="'12,x' is no amount")
    texts = written(job.finish(), show=False)
    for name, text in texts.items():
        assert not any(word in text for word in ("Smith", "Omar", "Olsen")), name
    assert "J••• S••• here, &#39;O••• H•••&#39;" in texts["report.html"]
    assert "&#39;12,x&#39; is no amount" in texts["report.html"]
