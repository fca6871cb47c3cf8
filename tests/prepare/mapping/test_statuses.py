"""The table of status words: many languages, and what programs do to a word."""

from __future__ import annotations

import pytest

from backfill.prepare.mapping.statuses import Meaning, at_fulfilment, meaning_of

CANCELLED = {
    "en": "canceled", "de": "Storniert", "fr": "Annulée", "es": "Anulado", "pt": "Cancelada",
    "it": "Annullato", "nl": "Geannuleerd", "sv": "Avbruten", "da": "Annulleret",
    "no": "Kansellert", "fi": "Peruutettu", "pl": "Anulowane", "cs": "Zrušeno",
    "tr": "İptal edildi", "ru": "Отменён", "ja": "キャンセル済み", "zh": "已取消",
}  # fmt: skip
UNPAID = {
    "en": "Awaiting payment", "de": "Wartet auf Zahlung", "fr": "En attente de paiement",
    "es": "Pendiente de pago", "pt": "Aguardando pagamento", "it": "In attesa di pagamento",
    "nl": "Wacht op betaling", "sv": "Obetald", "da": "Afventer betaling", "no": "Ikke betalt",
    "fi": "Odottaa maksua", "pl": "Oczekujące na płatność", "cs": "Čeká na platbu",
    "tr": "Ödeme bekleniyor", "ru": "Ожидает оплаты", "ja": "未払い", "zh": "待付款",
}  # fmt: skip
REFUNDED = {
    "en": "Refunded", "de": "Rückerstattet", "fr": "Remboursée", "es": "Reembolsado",
    "pt": "Estornado", "it": "Rimborsato", "nl": "Terugbetaald", "sv": "Återbetald",
    "da": "Refunderet", "no": "Refundert", "fi": "Hyvitetty", "pl": "Zwrot środków",
    "cs": "Refundováno", "tr": "Para iadesi", "ru": "Возврат средств", "ja": "返金済み",
    "zh": "已退款",
}  # fmt: skip
PAID = {
    "en": "Paid", "de": "Bezahlt", "fr": "Payée", "es": "Pagado", "pt": "Pago", "it": "Pagato",
    "nl": "Betaald", "sv": "Betald", "da": "Betalt", "no": "Betalt", "fi": "Maksettu",
    "pl": "Opłacone", "cs": "Zaplaceno", "tr": "Ödendi", "ru": "Оплачен", "ja": "支払い済み",
    "zh": "已付款",
}  # fmt: skip


@pytest.mark.parametrize("language", CANCELLED)
def test_the_table_knows_each_language(language: str) -> None:
    """Cancelled, unpaid, refunded and paid are told apart in each of them."""
    words = [table[language] for table in (CANCELLED, UNPAID, REFUNDED, PAID)]
    assert [meaning_of(word) for word in words] == [
        Meaning.CANCELLED,
        Meaning.UNPAID,
        Meaning.REFUNDED,
        Meaning.IMPORT,
    ]


@pytest.mark.parametrize(
    "written",
    ["CANCELLED", "wc-cancelled", "Order Cancelled", "BUYER_CANCELLED", "Cancelled by customer.",
     "AutoCancelled", "Ｃａｎｃｅｌｌｅｄ"],
)  # fmt: skip
def test_how_a_program_writes_a_word_does_not_count(written: str) -> None:
    """Case, punctuation, camel case and words like "order" around it."""
    assert meaning_of(written) is Meaning.CANCELLED


@pytest.mark.parametrize(
    ("written", "meaning"),
    [
        ("ยกเลิกแล้ว", Meaning.CANCELLED),
        ("Dibatalkan", Meaning.CANCELLED),
        ("Đã hủy", Meaning.CANCELLED),
        ("환불 완료", Meaning.REFUNDED),
        ("Belum Dibayar", Meaning.UNPAID),
        ("จัดส่งแล้ว", Meaning.IMPORT),
    ],
)
def test_words_of_marketplaces_in_asia(written: str, meaning: Meaning) -> None:
    """As the exports of their shops have them."""
    assert meaning_of(written) is meaning


@pytest.mark.parametrize(
    "written", ["not cancelled", "uncancelled", "returned", "closed", "7", "-", "Tank Top"]
)
def test_other_words_are_not_known(written: str) -> None:
    """A word is known as a whole; what can mean both is left to the user."""
    assert meaning_of(written) is None


@pytest.mark.parametrize(
    ("meaning", "of_the_purchase"),
    [
        (Meaning.CANCELLED, Meaning.CANCELLED),
        (Meaning.REFUNDED, Meaning.REFUNDED),
        (Meaning.UNCLEAR, Meaning.IMPORT),
        (Meaning.UNPAID, Meaning.IMPORT),
        (Meaning.VOIDED, Meaning.UNCLEAR),
        (None, Meaning.UNCLEAR),
    ],
)
def test_shipping_seldom_decides(meaning: Meaning | None, of_the_purchase: Meaning) -> None:
    """Pending in a column about shipping says nothing of the purchase; a failure is unclear."""
    assert at_fulfilment(meaning) is of_the_purchase
