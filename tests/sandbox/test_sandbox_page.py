"""The page at ``/``: what arrived, for a person."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from backfill.sandbox.process import SandboxProcess
from tests.sandbox.sandbox_client import Client, order

HOSTILE = "<script>alert(1)</script>\"'><img src=https://evil.example/x>"


class Page(HTMLParser):
    """The text a person reads, and everything a browser would act on."""

    def __init__(self, client: Client, path: str = "/") -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""
        reply = client.ask("GET", path)
        assert reply.status == 200
        assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
        self.feed(reply.content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action")]

    def handle_data(self, data: str) -> None:
        if self.lasttag != "style":
            self.text += f" {' '.join(data.split())}"


def test_an_empty_sandbox_says_so(client: Client) -> None:
    """It is clear that nothing has arrived, and that no text message went out."""
    page = Page(client)
    assert "text messages: no customer would have heard from Shout" in page.text
    assert "No order has arrived yet." in page.text


def test_accounts_orders_and_messages_are_there(client: Client, sandbox: SandboxProcess) -> None:
    """Counts, money, and the way to each order."""
    client.create(order("#1001"))
    client.create(order("#1002", total_cents=123456), account="A2")
    client.notify(body="Two orders were added.", connect_id="A1")
    page = Page(client)
    for text in ("#1001", "#1002", "$1,234.56", "Janet Smith", "A2", "Two orders were added."):
        assert text in page.text
    detail = Page(client, f"/view/orders/{sandbox.orders()[0]['id']}")
    for text in ("Tank Top", "$70.00", "$168.00", "+18015556788", "dont_trigger_auto_actions true"):
        assert text in detail.text
    assert client.ask("GET", "/view/orders/999").status == 404


def test_a_text_message_is_not_overlooked(client: Client, sandbox: SandboxProcess) -> None:
    """The count says what would have happened, on the overview and at the order."""
    client.create(order(dont_trigger_auto_actions=None))
    assert "1 " in Page(client).text
    assert "text message would have gone out to real customers" in Page(client).text
    detail = Page(client, f"/view/orders/{sandbox.orders()[0]['id']}")
    assert "would have gone to +18015556788" in detail.text
    assert "not true" in detail.text


def test_an_order_that_is_there_twice_is_shown(client: Client, sandbox: SandboxProcess) -> None:
    """At the order itself too."""
    for _ in range(2):
        client.create(order(), headers={})
    detail = Page(client, f"/view/orders/{sandbox.orders()[0]['id']}")
    assert "This account has 2 orders with this reference id." in detail.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=100_", []),
        ("q=%23100", ["#1001", "#1002"]),
        ("q=jANET", ["#1001"]),
        ("q=100%25", []),
        ("q=", ["#1001", "#1002"]),
        ("account=2", ["#1002"]),
        ("account=2&q=Janet", []),
        ("page=2", []),
        ("page=x&account=y", ["#1001", "#1002"]),
    ],
)
def test_search_by_reference_id_and_name(client: Client, query: str, found: list[str]) -> None:
    """Part of either, in any case, taken literally; narrowed to an account where asked."""
    client.create(order("#1001"))
    client.create(order("#1002", profile_name="Zoë"), account="A2")
    text = Page(client, f"/?{query}").text
    assert [key for key in ("#1001", "#1002") if f" {key} " in text] == found


def test_pages_turn(client: Client) -> None:
    """Newest first, fifty a page."""
    for number in range(51):
        client.create(order(f"<{number}>"))
    assert "1 to 50 of 51" in Page(client).text
    assert "<50>" in Page(client).text
    assert "<0>" not in Page(client).text
    assert "<0>" in Page(client, "/?page=2").text


def test_hostile_content_is_text(client: Client, sandbox: SandboxProcess) -> None:
    """Nothing that came over the wire becomes markup, and no address outside is named."""
    client.create(
        order(
            HOSTILE,
            profile_name=HOSTILE,
            shipping_link="javascript:alert(1)",
            line_items=[{"name": HOSTILE, "quantity": 1, "price_cents": 1}],
        ),
        account="<b>A1</b>",
    )
    client.notify(body=HOSTILE, connect_id="<b>A1</b>")
    detail = f"/view/orders/{sandbox.orders()[0]['id']}"
    for page in (Page(client), Page(client, detail), Page(client, f"/?q={'%3Cscript%3E'}")):
        assert HOSTILE in page.text or "alert(1)" in page.text
        assert not page.tags & {"script", "img", "b"}
        assert all(link.startswith(("/", "data:,")) for link in page.links)
