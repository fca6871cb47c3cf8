"""The best guess at an export that no platform fits, by the names and contents of its columns.

A guess is only ever shown to a person (``backfill inspect``, an error's advice). Nothing is
imported by it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import pyarrow as pa

#: Rows of a sample that are looked at.
SAMPLE_ROWS = 200
#: The share of a column's values that must look right for its name to be believed.
_BELIEVED = 0.5
#: The share from which on values speak for themselves, whatever the column is called.
_SPEAKING = 0.9


class Guess(NamedTuple):
    """A column for a field, as a SPEC, and why."""

    spec: str
    why: str


@dataclass(frozen=True, slots=True)
class _Hint:
    names: tuple[str, ...]
    """what such a column is called, the surest first, as :func:`column_key` writes it"""
    looks: str | None = None
    """what its values look like; None: anything"""
    alone: bool = False
    """values that look so need no name"""


@cache
def column_key(name: str) -> str:
    """A column's name without what people change: case, spaces, punctuation, letter forms."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", name).casefold())


def _names(text: str) -> tuple[str, ...]:
    return tuple(column_key(name) for name in text.split(","))


_TIME = r"\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}|[A-Za-zéûäö]{3,}\.?[- ]\d|\d{1,2}[-. ]+[A-Za-zéûäö]{3}"
_MONEY = r"^\W*(?:[A-Za-z]{0,4}\W*)?\d[\d.,' ]*\W*(?:[A-Za-z]{3})?\W*$"
_EMAIL = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
_PHONE = r"^'?\+?[\d\s().\-/]{7,20}(?:x\d+)?$|^\d\.\d+E[+]?\d+$"

_HINTS: Final[Mapping[str, _Hint]] = {
    "reference_id": _Hint(
        _names(
            "order id,order number,order no,order #,order,order name,order ref,order reference,"
            "reference id,reference,invoice no,invoice number,invoice,transaction id,sales order,"
            "so number,receipt no,id,bestellnummer,auftragsnummer,rechnungsnummer,bestell nr,"
            "numéro de commande,commande,número de pedido,pedido,numero ordine,ordine,ordernummer"
        )
    ),
    "created_at": _Hint(
        _names(
            "created at,order date,date created,created,ordered at,ordered on,purchase date,"
            "date ordered,placed at,sale date,invoice date,transaction date,date,timestamp,"
            "bestelldatum,auftragsdatum,kaufdatum,datum,date de commande,fecha de pedido,fecha,"
            "data ordine,data,besteldatum"
        ),
        _TIME,
    ),
    "paid_at": _Hint(
        _names("paid at,date paid,paid date,payment date,paid on,zahlungsdatum,bezahlt am"), _TIME
    ),
    "shipped_at": _Hint(
        _names(
            "shipped at,date shipped,ship date,shipped on,fulfilled at,shipping date,"
            "completed date,dispatch date,versanddatum,versandt am,date d'expédition"
        ),
        _TIME,
    ),
    "refunded_at": _Hint(_names("refunded at,refund date,date refunded"), _TIME),
    "cancelled_at": _Hint(
        _names("cancelled at,canceled at,cancellation date,cancel date,date cancelled"), _TIME
    ),
    "profile_email": _Hint(
        _names("email,customer email,buyer email,e-mail,contact email,billing email,mail"),
        _EMAIL,
        alone=True,
    ),
    "profile_phone_number": _Hint(
        _names(
            "phone,phone number,customer phone,mobile,mobile phone,cell,cell phone,telephone,tel,"
            "billing phone,contact phone,telefon,telefonnummer,handy,téléphone,teléfono,telefono"
        ),
        _PHONE,
    ),
    "profile_name": _Hint(
        _names(
            "customer name,customer,buyer name,full name,client,client name,bill to name,"
            "billing name,ship to name,shipping name,recipient name,contact name,buyer,name,"
            "kunde,kundenname,käufer,nom du client,client,cliente,nombre,nome,klant,klantnaam"
        )
    ),
    "profile_shipping_address_raw": _Hint(
        _names(
            "shipping address,ship to address,delivery address,address,full address,"
            "billing address,customer address,lieferadresse,adresse,adresse de livraison,"
            "dirección,indirizzo,adres"
        )
    ),
    "total": _Hint(
        _names(
            "order total,grand total,total,total price,total amount,amount paid,total paid,"
            "order amount,order value,invoice total,gesamtbetrag,gesamtsumme,summe,montant total,"
            "total ttc,importe total,totale,totaal"
        ),
        _MONEY,
    ),
    "currency": _Hint(_names("currency,order currency,currency code,währung,devise,moneda"), None),
    "status": _Hint(_names("status,order status,state,financial status,payment status"), None),
    "item_name": _Hint(
        _names(
            "product name,item name,product,item,product title,item title,title,line item,"
            "line item name,article,description,item description,product description,sku,"
            "artikel,artikelname,artikelbezeichnung,produkt,bezeichnung,produit,désignation,"
            "producto,artículo,prodotto,articolo"
        )
    ),
    "item_quantity": _Hint(
        _names(
            "quantity,qty,item quantity,units,quantity ordered,qty ordered,pieces,count,menge,"
            "anzahl,stückzahl,quantité,qté,cantidad,quantità,aantal"
        ),
        r"^-?\d+([.,]\d+)?$",
    ),
    "item_each_price": _Hint(
        _names(
            "unit price,price,item price,price each,each price,unit cost,price per unit,rate,"
            "einzelpreis,stückpreis,preis,prix unitaire,prix,precio unitario,precio,"
            "prezzo unitario,prezzo,stuksprijs,prijs"
        ),
        _MONEY,
    ),
    "item_price": _Hint(
        _names(
            "line total,item total,line amount,extended price,line price,net sales,gross sales,"
            "sales,amount,subtotal,revenue,zeilensumme,betrag,positionsbetrag,montant,importe,"
            "importo,bedrag"
        ),
        _MONEY,
    ),
    "affiliate": _Hint(
        _names(
            "affiliate,affiliate id,affiliate code,affiliate name,referrer,referral code,rep,"
            "sales rep,ambassador,partner,partner id,influencer,coach,consultant,distributor"
        )
    ),
}

#: Names of one person, and of one address, in several columns: joined by a template.
_FIRST = _names("first name,billing first name,customer first name,firstname,vorname,prénom")
_LAST = _names("last name,billing last name,customer last name,surname,lastname,nachname")
_STREET = _names("address 1,address1,street,address line 1,shipping address 1,straße,strasse,rue")
_CITY = _names("city,town,shipping city,ship city,ort,stadt,ville,ciudad,città")
_STATE = _names("state,province,region,shipping state,ship state,county,bundesland")
_ZIP = _names("zip,zip code,postal code,postcode,shipping zip,plz,postleitzahl,code postal,cap")
_COUNTRY = _names("country,shipping country,ship country,land,pays,país,paese")

#: Every name that some field's column may have.
KNOWN_KEYS: Final = frozenset(
    key
    for keys in (
        *(hint.names for hint in _HINTS.values()),
        *(_FIRST, _LAST, _STREET, _CITY, _STATE, _ZIP, _COUNTRY),
    )
    for key in keys
)


def guess(columns: Sequence[str], sample: pa.Table | None = None) -> dict[str, Guess]:
    """The likeliest column for each field that any column fits.

    :param sample: some rows of text under the same names; None judges by the names alone.
    """
    values = {column: _sampled(sample, column) for column in columns}
    bids = sorted(
        (
            (-worth, order, field, column, why)
            for order, field in enumerate(_HINTS)
            for column in columns
            for worth, why in [_worth(_HINTS[field], column, values[column])]
            if worth > 0
        ),
    )
    found: dict[str, Guess] = {}
    taken: set[str] = set()
    for _, _, field, column, why in bids:
        if field not in found and column not in taken:
            found[field] = Guess(column, why)
            taken.add(column)
    for field, spec in _templates(columns).items():
        if field not in found or values.get(found[field].spec) == []:
            found[field] = Guess(spec, "the names of the columns, joined")
    return {field: found[field] for field in _HINTS if field in found}


def _sampled(sample: pa.Table | None, column: str) -> list[str] | None:
    """Values of a column that are not blank; None where there is no sample."""
    if sample is None or column not in sample.column_names:
        return None
    cells = sample[column].slice(0, SAMPLE_ROWS).to_pylist()
    return [cell.strip() for cell in cells if cell and cell.strip()]


def _worth(hint: _Hint, column: str, values: list[str] | None) -> tuple[float, str]:
    """How well a column fits a field (0: not at all), and why."""
    key = column_key(column)
    share = 1.0
    if hint.looks is not None and values:
        share = sum(bool(re.search(hint.looks, value)) for value in values) / len(values)
    if key in hint.names:
        if share < _BELIEVED:
            return 0.0, ""
        looks = " and what its values look like" if hint.looks is not None and values else ""
        # A name high on the list outweighs one lower down; an empty column is hardly worth it.
        worth = 2.0 - hint.names.index(key) / len(hint.names) - (values == [])
        return worth, f"its name{looks}"
    if hint.alone and values and share >= _SPEAKING:
        return 0.5 * share, "what its values look like"
    return 0.0, ""


def _templates(columns: Sequence[str]) -> dict[str, str]:
    """Fields whose text stands in several columns."""
    by_key = {column_key(column): column for column in reversed(columns)}

    def first(keys: Sequence[str]) -> str | None:
        return next((by_key[key] for key in keys if key in by_key), None)

    found: dict[str, str] = {}
    given, family = first(_FIRST), first(_LAST)
    if given and family:
        found["profile_name"] = f"{{{given}}} {{{family}}}"
    street, city = first(_STREET), first(_CITY)
    if street and city:
        rest = [(first(_STATE), ", "), (first(_ZIP), " "), (first(_COUNTRY), ", ")]
        found["profile_shipping_address_raw"] = f"{{{street}}}, {{{city}}}" + "".join(
            f"{separator}{{{column}}}" for column, separator in rest if column
        )
    return found
