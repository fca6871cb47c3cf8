"""Guesses at the columns of exports that no platform fits, in the languages that shops write."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.errors import MappingError
from tests.prepare.preparing import csv_text, prepared

#: Order key, time, first and last name, street, post code, city, item, pieces, price, affiliate.
HEADERS = {
    "English": "Order Number;Order Date;First Name;Last Name;Street;Zip Code;City;Product;"
    "Quantity;Unit Price;Order Total;Distributor",
    "German": "Bestellnummer;Bestelldatum;Vorname;Nachname;Straße;PLZ;Ort;Artikel;"
    "Menge;Einzelpreis;Gesamtbetrag;Vertriebspartner",
    "French": "N° de commande;Date de commande;Prénom;Nom;Rue;Code postal;Ville;Produit;"
    "Quantité;Prix unitaire;Total TTC;Conseillère",
    "Spanish": "Nº de pedido;Fecha del pedido;Nombre;Apellidos;Calle;Código postal;Ciudad;"
    "Producto;Cantidad;Precio unitario;Importe total;Distribuidor",
    "Portuguese": "Número do pedido;Data do pedido;Nome;Sobrenome;Rua;CEP;Cidade;Produto;"
    "Quantidade;Preço unitário;Valor total;Parceiro",
    "Italian": "Numero ordine;Data ordine;Nome;Cognome;Via;CAP;Città;Prodotto;"
    "Quantità;Prezzo unitario;Totale ordine;Consulente",
    "Polish": "Numer zamówienia;Data zamówienia;Imię;Nazwisko;Ulica;Kod pocztowy;Miasto;Produkt;"
    "Ilość;Cena jednostkowa;Razem;Partner",
    "Japanese": "注文番号;注文日;名;姓;番地;郵便番号;市区町村;商品名;数量;単価;合計金額;代理店",
    "Dutch": "Ordernummer;Orderdatum;Voornaam;Achternaam;Straat;Postcode;Plaats;Product;"
    "Aantal;Stuksprijs;Totaalbedrag;Adviseur",
}


@pytest.mark.parametrize("language", HEADERS)
def test_names_in_nine_languages(tmp_path: Path, language: str) -> None:
    """Accepted guesses make whole orders: names and addresses of several columns, the affiliate."""
    export = tmp_path / "orders.csv"
    customer = ["Ann", "Lee", "Hill Rd 7", "83701", "Boise"]
    export.write_text(
        csv_text(
            HEADERS[language].split(";"),
            ["F-1", "2022-01-13", *customer, "Lamp", 2, "20.00", "45.00", "Kim"],
            ["F-1", "2022-01-13", *customer, "Bulb", 1, "5.00", "45.00", "Kim"],
            ["F-2", "2022-01-14", *customer, "Bulb", 3, "5.00", "15.00", "Kim"],
        ),
        encoding="utf-8",
    )
    affiliates = tmp_path / "affiliates.csv"
    affiliates.write_text("affiliate,connect_id\nKim,A7\n", encoding="utf-8")
    with pytest.raises(MappingError, match="only guessed: reference_id"):
        prepared(export, connect_id=None, affiliates=affiliates)
    found = prepared(export, connect_id=None, affiliates=affiliates, accept_guesses=True)
    body = found.bodies["F-1"]
    assert body["profile_name"] == "Ann Lee"
    assert body["profile_shipping_address_raw"] == "Hill Rd 7, Boise 83701"
    assert found.lines("F-1") == [("Lamp", 2, 4000), ("Bulb", 1, 500)]
    assert body["total_cents"] == 4500
    assert {order["account_id"] for order in found.orders} == {"A7"}


def test_a_column_of_the_address_is_no_status(tmp_path: Path) -> None:
    """A column serves one field: ``State`` beside a street and a city is part of the address."""
    export = tmp_path / "orders.csv"
    export.write_text(
        csv_text(
            ["Order No", "Date", "Customer", "Street", "City", "State", "Item", "Amount"],
            ["F-1", "2022-01-13", "Ann Lee", "7 Hill Rd", "Boise", "Idaho", "Lamp", "20.00"],
        ),
        encoding="utf-8",
    )
    body = prepared(export, accept_guesses=True).bodies["F-1"]
    assert body["profile_shipping_address_raw"] == "7 Hill Rd, Boise, Idaho"


def test_transactions_of_a_platform_whose_items_are_wanted(tmp_path: Path) -> None:
    """Most of a platform's columns do not make up for those that it needs; they are named, and
    what the arithmetic tells of the others is used only where it is accepted."""
    export = tmp_path / "transactions.csv"
    header = ["Date", "Time", "Time Zone", "Gross Sales", "Discounts", "Net Sales", "Tax", "Tip"]
    header += ["Total Collected", "Transaction ID", "Payment ID", "Device Name", "Event Type"]
    header += ["Dining Option", "Customer ID", "Customer Name", "Description", "PAN Suffix"]
    rows = [
        f"2022-01-13,10:00:00,UTC,{net}.00,0.00,{net}.00,{tax},{tip},{net + 2}.00,T{net},,Till,"
        "Payment,,,Ann,Lamp,".split(",")
        for net, tax, tip in ((20, "2.00", "0.00"), (40, "1.50", "0.50"))
    ]
    export.write_text(csv_text(header, *rows), encoding="utf-8")
    with pytest.raises(MappingError, match=r"Square.* lacks required columns: 'Item', 'Qty'"):
        prepared(export)
    bodies = prepared(export, accept_guesses=True).bodies
    assert {key: body["total_cents"] for key, body in bodies.items()} == {"T20": 2200, "T40": 4200}


def test_names_with_a_currency_and_dates_of_east_asia(tmp_path: Path) -> None:
    """``Total PLN`` is the total; a column of two-letter states is no status."""
    export = tmp_path / "orders.csv"
    export.write_text(
        csv_text(
            ["注文番号", "注文日", "お名前", "Total PLN", "Order state", "Time", "Time zone"],
            ["F-1", "2022年1月13日", "Ann", "20.00", "CA", "9:05", "CET"],
            ["F-2", "2022年1月14日", "Bob", "30.00", "NV", "21:05", "CET"],
        ),
        encoding="utf-8",
    )
    found = prepared(export, accept_guesses=True, currency="PLN")
    body = found.bodies["F-2"]
    assert (body["created_at"], body["total_cents"]) == ("2022-01-14T21:05:00+01:00", 3000)


def test_accents_that_were_left_out(tmp_path: Path) -> None:
    """``Numero Pedido`` is ``Número pedido``."""
    export = tmp_path / "orders.csv"
    export.write_text(
        csv_text(
            ["Numero Pedido", "Data", "Cliente", "Preco unitario", "Produto"],
            ["F-1", "2022-01-13", "Ana", "20.00", "Lata"],
        ),
        encoding="utf-8",
    )
    assert prepared(export, accept_guesses=True).lines("F-1") == [("Lata", 1, 2000)]
