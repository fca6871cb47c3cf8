"""The invented shop that all samples are about: who buys, what they buy, who sells it.

Fernlight Botanicals sells skincare and supplements through affiliates. Nobody here exists:
mail goes to example.com (RFC 2606), and phone numbers are of the exchange 555, of which the
block 555-0100 to 555-0199 is set aside for fiction. libphonenumber holds them to be valid
numbers under any area code in service, so they pass for real ones and ring nowhere.
"""

from __future__ import annotations

#: Name and price in cents.
CATALOGUE = (
    ("Dew Drop Hyaluronic Serum 30 ml", 3400),
    ("Night Fern Repair Cream", 4850),
    ("Oat & Honey Cleansing Balm", 2800),
    ("Rosehip Facial Oil, cold pressed", 3925),
    ("Clay Mask “Slow Sunday”", 2450),
    ("Mineral Sunscreen SPF 30", 2695),
    ("Vitamin C Powder", 1999),
    ("Lip Balm, 3 pack", 1275),
    ("Magnesium Glycinate, 120 capsules", 2499),
    ("Daily Greens Powder", 4200),
    ("Marine Collagen, 300 g", 5499),
    ('Omega-3 Liquid (lemon), 8" bottle', 3150),
    ("Sleep Tincture", 2275),
    ("Probiotic 50B", 3899),
    ("Ashwagandha Drops", 2149),
    ("Starter Set: cleanse, treat, moisturise", 8900),
    ("Crème de Lavande", 3050),
    ("Gift Card", 5000),
    ("Travel Pouch", 1600),
    ("Bamboo Face Cloths, 5 pcs", 1450),
)

FIRST_NAMES = (
    *("Ada", "Bruno", "Carmen", "Dina", "Elif", "Farah", "Gwen", "Hana", "Ines", "Jonas", "Keisha"),
    *("Lior", "Maeve", "Nikhil", "Odette", "Priya", "Quinn", "Rosa", "Silas", "Tamsin", "Umar"),
    *(
        "Vera",
        "Wanda",
        "Ximena",
        "Yara",
        "Zoë",
        "José",
        "Søren",
        "Łucja",
        "Chloé",
        "Jürgen",
        "Anaïs",
    ),
)

LAST_NAMES = (
    *("Ashgrove", "Birchwood", "Coldwater", "Dunmore", "Elderfield", "Fennimore", "Greystoke"),
    *("Hollowell", "Ironwood", "Juniper", "Kestrel", "Larkspur", "Merriweather", "Nightingale"),
    *("Oakhurst", "Pemberley", "Quillfeather", "Ravensdale", "Silverthorn", "Thistledown"),
    *("Underhill", "Valebrook", "Winterbourne", "Yarrowby", "O'Brackley", "Núñez-Vale", "Šimkova"),
    *("Weiß", "Le Fèvre", "van der Moor", "Okonkwo-Field", "Tanaka-Reed"),
)

#: City, state, ZIP code and area code that belong together.
PLACES = (
    ("Provo", "UT", "84606", "801"),
    ("Boise", "ID", "83702", "208"),
    ("Portland", "OR", "97205", "503"),
    ("Seattle", "WA", "98101", "206"),
    ("Denver", "CO", "80202", "303"),
    ("Phoenix", "AZ", "85004", "602"),
    ("Austin", "TX", "78701", "512"),
    ("Madison", "WI", "53703", "608"),
    ("Boston", "MA", "02108", "617"),
    ("Newark", "NJ", "07102", "973"),
    ("Savannah", "GA", "31401", "912"),
    ("Cañon City", "CO", "81212", "719"),
    ("Española", "NM", "87532", "505"),
    ("Duluth", "MN", "55802", "218"),
    ("Richmond", "VA", "23219", "804"),
    ("Honolulu", "HI", "96813", "808"),
)

STREETS = (
    *("E Center St", "Juniper Ln", "Old Mill Rd", "W 4th Ave, Apt 5", "Fern Hollow Dr", "Main St"),
    *("Harbor View Blvd", 'Route 9 "The Pines"', "Calle Larga", "Elm Ct, Unit B", "Sunset Ter"),
)

#: Ways in which shops write one and the same phone number: area code, exchange, the last four.
PHONE_STYLES = (
    "({}) {}-{}",
    "{}-{}-{}",
    "+1 {} {} {}",
    "{}.{}.{}",
    "1-{}-{}-{}",
    "+1{}{}{}",
    "{}{}{}",
)

#: Affiliate, connect id, whether they connected, and when they asked for their order history.
AFFILIATES = (
    ("Marisol Quennell", "fern-1001", True, "2024-02-12"),
    ("Tobias Arkwright", "fern-1002", True, "2024-02-12"),
    ("Saoirse Lindqvist", "fern-1003", True, "2024-03-02"),
    ("Dev Ramanathan-Cole", "fern-1004", True, "2024-02-28"),
    ("The Glow Collective, LLC", "fern-1005", True, "2024-02-12"),
    ("Beatriz Almeida-Frost", "fern-1006", True, ""),
    ("Wellness by Juno", "fern-1007", True, "2024-05-15"),
    ("Hollis Brightwater", "fern-1008", False, ""),
    ("Zoë's Apothecary", "fern-1009", True, "2024-02-12"),
    ("Ottoline Marchetti", "fern-1010", False, ""),
)

#: The header of an order export of Shopify's admin, in 2025.
SHOPIFY_COLUMNS = (
    *("Name", "Email", "Financial Status", "Paid at", "Fulfillment Status", "Fulfilled at"),
    *("Accepts Marketing", "Currency", "Subtotal", "Shipping", "Taxes", "Total", "Discount Code"),
    *("Discount Amount", "Shipping Method", "Created at", "Lineitem quantity", "Lineitem name"),
    *("Lineitem price", "Lineitem compare at price", "Lineitem sku", "Lineitem requires shipping"),
    *("Lineitem taxable", "Lineitem fulfillment status", "Billing Name", "Billing Street"),
    *("Billing Address1", "Billing Address2", "Billing Company", "Billing City", "Billing Zip"),
    *("Billing Province", "Billing Country", "Billing Phone", "Shipping Name", "Shipping Street"),
    *("Shipping Address1", "Shipping Address2", "Shipping Company", "Shipping City"),
    *("Shipping Zip", "Shipping Province", "Shipping Country", "Shipping Phone", "Notes"),
    *("Note Attributes", "Cancelled at", "Payment Method", "Payment Reference"),
    *("Refunded Amount", "Vendor", "Outstanding Balance", "Employee", "Location", "Device ID"),
    *("Id", "Tags", "Risk Level", "Source", "Lineitem discount"),
    *(f"Tax {n} {part}" for n in range(1, 6) for part in ("Name", "Value")),
    *("Phone", "Receipt Number", "Duties", "Billing Province Name", "Shipping Province Name"),
    *("Payment ID", "Payment Terms Name", "Next Payment Due At", "Payment References"),
)

#: The columns that Shopify fills in on the further rows of an order too, beside the line item.
SHOPIFY_ON_EVERY_ROW = ("Name", "Email", "Created at", "Vendor")
