"""Columns become fields: SPECs, mappings, and what `apply` may do to a cell."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backfill.errors import MappingError, UsageError
from backfill.prepare.convert.cells import WHITE_SPACE, clean, without_text_marker
from backfill.prepare.mapping import fields, formats
from backfill.prepare.mapping.guess import guess
from backfill.prepare.mapping.spec import parse_spec

Cells = Mapping[str, Sequence[str | None]]


def table_of(cells: Cells) -> pa.Table:
    rows = len(next(iter(cells.values())))
    table = pa.table({name: pa.array(values, pa.string()) for name, values in cells.items()})
    table = table.append_column("_row", pa.array(range(2, rows + 2), pa.int64()))
    return table.append_column("_ragged", pa.array([False] * rows))


def mapping_of(
    cells: Cells, *map: tuple[str, str], format: str | None = None, file: Path | None = None
) -> fields.Mapping:
    found = formats.recognise(list(cells), format)
    return fields.build_mapping(found, list(cells), map=map, mapping_file=file)


def applied(cells: Cells, *map: tuple[str, str], format: str | None = None) -> pa.Table:
    return fields.apply(mapping_of(cells, *map, format=format), table_of(cells))


def minimal(**more: Sequence[str | None]) -> dict[str, Sequence[str | None]]:
    rows = max((len(values) for values in more.values()), default=1)
    return {
        "reference_id": [str(number) for number in range(rows)],
        "created_at": ["2021-04-09"] * rows,
        "item_name": ["Tea"] * rows,
        "item_price": ["1.00"] * rows,
        **more,
    }


def template(text: str, **cells: str | None) -> str | None:
    columns = {name: pa.array([value], pa.string()) for name, value in cells.items()}
    value: str | None = parse_spec(text).chosen(lambda name: columns[name]).text[0].as_py()
    return value


ADDRESS = "{a}, {b}, {c}, {d} {e}, {f}"


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ("a b c d e f", "a, b, c, d e, f"),
        ("a . c d e f", "a, c, d e, f"),
        (". b c d e f", "b, c, d e, f"),
        (". . . d e .", "d e"),
        ("a . . . e f", "a, e, f"),
        ("a . . d . f", "a, d, f"),
        ("a . . . . .", "a"),
        (". . . . . f", "f"),
        (". . . . e .", "e"),
        (". . . . . .", None),
    ],
)
def test_blank_columns_leave_no_separators_behind(cells: str, expected: str | None) -> None:
    """A template reads as if the blank columns had never been in it."""
    values = [None if cell == "." else cell for cell in cells.split()]
    assert template(ADDRESS, **dict(zip("abcdef", values, strict=True))) == expected


@pytest.mark.parametrize(
    ("text", "cells", "expected"),
    [
        ("{a} ({b})", {"a": "x", "b": "y"}, "x (y)"),
        ("{a} ({b})", {"a": "x", "b": None}, "x"),
        ("{a} ({b}), {c}", {"a": None, "b": "y", "c": "z"}, "(y), z"),
        ("Order {a} from {b}", {"a": "7", "b": "shop"}, "Order 7 from shop"),
        ("Order {a} from {b}", {"a": None, "b": "shop"}, "shop"),
        ("No. {a}!", {"a": None}, None),
        ("{a}{b}", {"a": "x", "b": "y"}, "xy"),
        ("{a}\n{b} {c}", {"a": "x", "b": None, "c": "z"}, "x\nz"),
        ("{a}   {b}\n{c}", {"a": "x", "b": None, "c": "z"}, "x\nz"),
        ("{ a } {b}", {"a": "x", "b": "y"}, "x y"),
        ("a|b", {"a": None, "b": "y"}, "y"),
        ("a | b", {"a": "x", "b": "y"}, "x"),
        ("{a} {b}|c", {"a": None, "b": None, "c": "z"}, "z"),
        ("{a} {b}|c", {"a": None, "b": "y", "c": "z"}, "y"),
        ("c|{a}, {b}", {"a": "x", "b": "y", "c": None}, "x, y"),
    ],
)
def test_specs(text: str, cells: dict[str, str | None], expected: str | None) -> None:
    """Alternatives take the first that is not blank; brackets go with their column."""
    assert template(text, **cells) == expected


@pytest.mark.parametrize("text", ["{a", "a}", "{{a}}", "{}", "{a} { }", "a||b", "|", " ", "a|"])
def test_specs_that_cannot_be_read_are_refused(text: str) -> None:
    """A brace without its partner and a missing name are told of, with the SPEC itself."""
    with pytest.raises(MappingError, match=r"braces|missing") as caught:
        parse_spec(text)
    assert repr(text) in caught.value.message
    assert caught.value.hint


@given(
    rows=st.lists(
        st.lists(
            st.one_of(st.none(), st.text(string.ascii_letters, min_size=1)), min_size=4, max_size=4
        ),
        min_size=1,
    )
)
def test_a_template_keeps_every_row_and_every_text(rows: list[list[str | None]]) -> None:
    """Joined texts are those of the row, in their order, whatever else is blank in the column."""
    columns = dict(zip("abcd", zip(*rows, strict=True), strict=True))
    arrays = {name: pa.array(list(values), pa.string()) for name, values in columns.items()}
    joined = parse_spec("{a}, {b} {c}; {d}").chosen(lambda name: arrays[name]).text.to_pylist()
    assert len(joined) == len(rows)
    for text, row in zip(joined, rows, strict=True):
        present = [cell for cell in row if cell is not None]
        assert (text is None) == (not present)
        assert (text or "").replace(",", "").replace(";", "").split() == present


def test_map_over_a_platform() -> None:
    """--map replaces a field, an empty SPEC unmaps it, and the last word counts."""
    cells = minimal(profile_name=["Ada"], nick=["Lady"], total=["5"])
    mapping = mapping_of(
        cells,
        ("profile_name", "nick"),
        ("total", ""),
        ("item_name", "nick"),
        ("item_name", "Item name"),
    )
    row = fields.apply(mapping, table_of(cells)).to_pylist()[0]
    assert (row["profile_name"], row["total"], row["item_name"]) == ("Lady", None, "Tea")
    assert mapping.column_of("profile_name") == "nick"
    assert mapping.column_of("total") == "total"
    assert "total" not in mapping.specs


@pytest.mark.parametrize(
    ("pair", "message", "hint"),
    [
        (("profil_name", "nick"), "no field 'profil_name'", "did you mean 'profile_name'?"),
        (("xyz", "nick"), "no field 'xyz'", "the fields are reference_id"),
        (("profile_name", "Nikc"), "no column 'Nikc'", "did you mean 'nick'?"),
        (("profile_name", "{nick} {Surname}"), "no column 'Surname'", "the columns are"),
        (("profile_name", "nick|nope"), "no column 'nope'", "the columns are"),
        (("profile_name", "{nick"), "unbalanced braces", "template"),
        (("profile_name", "SHARED-NAME"), "could be any of", "exactly"),
    ],
)
def test_a_bad_map_says_what_was_meant(pair: tuple[str, str], message: str, hint: str) -> None:
    """An unknown field or column names the nearest one."""
    cells = minimal(nick=["Ada"], **{"shared name": ["x"], "Shared Name": ["y"]})
    with pytest.raises(MappingError) as caught:
        mapping_of(cells, pair)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_column_whose_name_looks_like_a_spec() -> None:
    """A column's exact name wins over what it would mean as a SPEC."""
    cells = minimal(**{"a|b": ["x"], "{c}": ["y"]})
    row = applied(cells, ("profile_name", "a|b"), ("description", "{c}")).to_pylist()[0]
    assert (row["profile_name"], row["description"]) == ("x", "y")


def test_an_unknown_export_is_refused_with_a_guess() -> None:
    """The error names what is missing, the guessed columns, and the options that decide."""
    cells = {"Order No": ["1"], "Ordered on": ["2021"], "Amount": ["3"]}
    header = list(cells)
    with pytest.raises(MappingError) as caught:
        fields.build_mapping(formats.recognise(header), header, guesses=guess(header))
    message, hint = caught.value.message, caught.value.hint or ""
    assert "reference_id" in message
    assert "created_at" in message
    assert "item_name" in message
    assert "--map 'reference_id=Order No' --map 'created_at=Ordered on'" in hint
    assert "--accept-guesses" in hint
    assert "backfill inspect FILE --write-mapping" in hint


def test_an_unknown_export_needs_only_what_an_order_needs() -> None:
    """An order key, a time and an item or a total are enough; no time at all can be asked for."""
    cells = {"Nr": ["1"], "When": ["2021-01-01"], "Sum": ["5"]}
    assert mapping_of(cells, ("reference_id", "Nr"), ("paid_at", "When"), ("total", "Sum"))
    with pytest.raises(MappingError, match="created_at"):
        mapping_of(cells, ("reference_id", "Nr"), ("total", "Sum"))
    assert mapping_of(cells, ("reference_id", "Nr"), ("total", "Sum"), ("created_at", ""))


def test_a_column_given_to_one_field_serves_no_other() -> None:
    """--map takes a column away from the platform's default, but not out of a template."""
    header = ["Name", "Created at", "Lineitem name", "Lineitem price", "Email", "Shipping Name"]
    map = [("item_price", "Lineitem price"), ("description", "{Lineitem name}, {Email}")]
    mapping = fields.build_mapping(formats.recognise(header), header, map=map)
    assert "item_each_price" not in mapping.specs
    assert {"item_name", "profile_email", "item_price", "description"} <= mapping.specs.keys()


def test_a_resemblance_is_used_only_where_it_is_accepted() -> None:
    """Item Price is not item_price: it may be the price of one piece."""
    header = ["reference_id", "created_at", "item_name", "Item Price"]
    found = guess(["Item Price"])
    with pytest.raises(MappingError, match=r"only guessed: item_each_price"):
        fields.build_mapping(formats.recognise(header), header, guesses=found)
    without = fields.build_mapping(
        formats.recognise(header), header, guesses=found, map=[("item_each_price", "")]
    )
    assert "item_each_price" not in without.specs
    accepted = fields.build_mapping(
        formats.recognise(header), header, guesses=found, accept_guesses=True
    )
    assert str(accepted.specs["item_each_price"]) == "Item Price"
    assert accepted.guesses.keys() == {"item_each_price"}


def test_an_unknown_export_uses_columns_with_the_fields_names() -> None:
    """Whatever bears a field's own name needs no mapping, in any export."""
    cells = {"Nr": ["1"], "created_at": ["2021-01-01"], "total": ["5"], "profile_name": ["Ada"]}
    row = applied(cells, ("reference_id", "Nr")).to_pylist()[0]
    assert (row["reference_id"], row["total"], row["profile_name"]) == ("1", "5", "Ada")


def test_a_platform_without_a_column_it_needs_says_so() -> None:
    """It is not taken for the platform; --format and one --map keep the platform's meaning."""
    header = [*formats.by_name("shopify").telling, "Created at", "Lineitem name", "Order"]
    with pytest.raises(
        MappingError, match=r"looks like Shopify.*lacks required columns: 'Name'"
    ) as no:
        fields.build_mapping(formats.recognise(header), header)
    assert "--format shopify" in (no.value.hint or "")
    mapping = fields.build_mapping(
        formats.by_name("shopify"), header, map=[("reference_id", "Order")]
    )
    assert mapping.order_values == "first_row"


def test_an_account_column_is_taken_from_any_platform_but_not_user_id() -> None:
    """connect_id and affiliate are ours; other platforms call their own customers user_id."""
    shopify = formats.by_name("shopify")
    header = [*shopify.required, "Lineitem price", "connect_id", "affiliate", "user_id"]
    mapping = fields.build_mapping(formats.recognise(header), header)
    assert {"connect_id", "affiliate"} <= mapping.specs.keys()
    assert "user_id" not in mapping.specs


def test_line_items_in_a_second_file() -> None:
    """Of a file of line items only the key and the line fields are taken."""
    header = ["Order ID", "Sale Date", "Item Name", "Quantity", "Price", "Item Total", "Ship Name"]
    mapping = fields.build_mapping(formats.by_name("etsy"), header, items=True)
    assert set(mapping.specs) == {"reference_id", *fields.LINE_FIELDS}


def test_one_map_for_exports_with_different_columns() -> None:
    """A column that only another export has says nothing here; one that none has is refused."""
    cells = minimal(nick=["Ada"])
    format = formats.recognise(list(cells))
    spec = [("profile_name", "Buyer|nick"), ("description", "Buyer")]
    mapping = fields.build_mapping(format, list(cells), map=spec, elsewhere=["buyer"])
    assert str(mapping.specs["profile_name"]) == "nick"
    assert "description" not in mapping.specs or str(mapping.specs["description"]) == "description"
    with pytest.raises(MappingError, match="no column 'Buyer'"):
        fields.build_mapping(format, list(cells), map=spec, elsewhere=["other"])


def test_a_fixed_file_is_known_and_its_own_columns_do_not_count() -> None:
    """rejected_rows.csv comes back with where its rows came from, and is mapped as the original."""
    cells = minimal(profile_name=["Ada", "Eve", "Joe"])
    fixed: Cells = {
        **cells,
        "backfill_source": ["orders.csv", "orders.csv", None],
        "backfill_row": ["2", "17", "new"],
        "backfill_rule": ["bad_money", "bad_money", ""],
        "backfill_reason": ["...", "...", ""],
    }
    mapping = mapping_of(fixed)
    out = fields.apply(mapping, table_of(fixed))
    assert mapping.of_fixed_rows
    assert mapping.specs == mapping_of(cells).specs
    assert out["_fixed_source"].to_pylist() == ["orders.csv", "orders.csv", None]
    assert out["_fixed_row"].to_pylist() == [2, 17, None]
    assert not mapping_of(cells).of_fixed_rows
    with pytest.raises(MappingError, match="no column 'backfill_row'"):
        mapping_of(fixed, ("description", "backfill_row"))


def test_the_columns_that_apply_gives() -> None:
    """Every field is there as text, whatever is mapped, for no rows as well."""
    without_rows: Cells = {name: [] for name in minimal()}
    for cells in (minimal(), without_rows):
        out = applied(cells)
        own = ["country", "flag", "_row", "_ragged", "_fixed_source", "_fixed_row"]
        assert out.column_names == [*fields.FIELDS, *own]
        assert {out.schema.field(name).type for name in (*fields.FIELDS, "flag")} == {pa.string()}


def test_composed_times_and_zones() -> None:
    """A date and a time in two columns come out as one text, with the zone's name beside it."""
    cells = minimal(Date=["2026-05-30", "2026-05-30"], Time=["13:03:14", None], Zone=["ET", ""])
    out = applied(cells, ("created_at", "{Date} {Time}"), ("zone", "Zone"))
    assert out["created_at"].to_pylist() == ["2026-05-30 13:03:14", "2026-05-30"]
    assert out["zone"].to_pylist() == ["ET", None]


@pytest.mark.parametrize(
    "word", ["NULL", "N/A", "nan", "#N/A", "\\N", "-", "  NULL  ", "", " \u00a0"]
)
def test_words_that_mean_a_blank(word: str) -> None:
    """What programs write for nothing is nothing; only as the whole cell."""
    out = applied(minimal(profile_name=[word, f"{word}x".strip(), "Null"]))
    name = out["profile_name"].to_pylist()
    assert name[0] is None
    assert name[2] == "Null"  # people are called so


def test_rows_that_are_no_orders() -> None:
    """Footers, totals and empty rows are told from rows of orders."""
    cells: Cells = {
        "reference_id": ["1", None, "Total", "Grand total: 3", "2 record(s) downloaded", "2", None],
        "created_at": ["2021-01-01", None, None, None, None, None, None],
        "item_name": ["Tea", None, None, None, None, "Total Eclipse", "Milk"],
        "item_price": ["1", None, None, None, None, "3", "5"],
        "total": ["1", "99", "99", "99", None, None, None],
    }
    flags = applied(cells)["flag"].to_pylist()
    assert flags == [None, *["ignored_row"] * 4, None, None]


def test_the_text_marker_goes_only_before_digits() -> None:
    """'00501 is Excel's way to keep a post code; 's-Hertogenbosch is a place."""
    cells = minimal(
        reference_id=["'001", "'a1", "'+1"],
        profile_phone_number=["'+1 801 555 6788", "'801", "555'6788"],
        profile_name=["'007", "'t Hooft", "O'Neil"],
        zip=["'00501", "'s-H", "1'0"],
    )
    out = applied(cells, ("profile_shipping_address_raw", "{zip} {profile_name}"))
    assert out["reference_id"].to_pylist() == ["001", "'a1", "+1"]
    assert out["profile_phone_number"].to_pylist() == ["+1 801 555 6788", "801", "555'6788"]
    assert out["profile_name"].to_pylist() == ["'007", "'t Hooft", "O'Neil"]
    assert out["profile_shipping_address_raw"].to_pylist() == [
        "00501 '007", "'s-H 't Hooft", "1'0 O'Neil"
    ]  # fmt: skip


texts = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.text(WHITE_SPACE + "a'0-NUL/é漢\U0001f600", max_size=8),
)


@given(cells=st.lists(texts), cut=st.integers(0, 3))
def test_cleaning_only_trims(cells: list[str | None], cut: int) -> None:
    """A cleaned cell is its text without outer white space, or null; slices are no different."""
    blanks = {"NULL", "-", "\\N"}
    column = pa.array([*[" x "] * cut, *cells], pa.string()).slice(cut)
    expected = [(cell or "").strip(WHITE_SPACE) for cell in cells]
    cleaned = clean(column, blanks)
    cleaned.validate(full=True)
    assert cleaned.to_pylist() == [None if not c or c in blanks else c for c in expected]


@given(cells=st.lists(texts))
def test_the_text_marker_takes_nothing_else(cells: list[str | None]) -> None:
    """Only a leading apostrophe before a digit, or before a plus and a digit, is dropped."""
    out = without_text_marker(pa.array(cells, pa.string())).to_pylist()
    for before, after in zip(cells, out, strict=True):
        if before != after:
            assert before is not None
            assert before == f"'{after}"
            assert after[:1] in "0123456789+"


@settings(max_examples=60)
@given(
    cells=st.lists(texts, min_size=1, max_size=30), more=st.lists(texts, min_size=30, max_size=30)
)
def test_apply_changes_no_text(cells: list[str | None], more: list[str | None]) -> None:
    """A field's text is its cell's, but for the trims and blanks that are documented."""
    rows = len(cells)
    table: Cells = {
        "reference_id": [f"k{number}" for number in range(rows)],
        "created_at": ["2021"] * rows,
        "item_name": cells,
        "profile_name": more[:rows],
        "total": ["1"] * rows,
    }
    mapping = mapping_of(table)
    out = fields.apply(mapping, table_of(table))
    for name in ("item_name", "profile_name"):
        for before, after in zip(table[name], out[name].to_pylist(), strict=True):
            trimmed = (before or "").strip(WHITE_SPACE)
            assert after == (None if not trimmed or trimmed in mapping.blank else trimmed)


def test_chunked_and_sliced_tables_are_the_same_rows() -> None:
    """How a table is cut in memory changes nothing."""
    cells = minimal(
        profile_name=[" Ada ", None, "", "Eve", "NULL"], status=["", "x", "", "", "cancelled"]
    )
    whole = table_of(cells)
    cut = pa.concat_tables([whole.slice(0, 2), whole.slice(2, 1), whole.slice(3)])
    mapping = mapping_of(cells)
    assert fields.apply(mapping, cut).to_pylist() == fields.apply(mapping, whole).to_pylist()
    assert fields.apply(mapping, whole.slice(1, 3)).to_pylist() == (
        fields.apply(mapping, whole).slice(1, 3).to_pylist()
    )


def test_clean_columns_are_not_copied() -> None:
    """A column without outer white space and blanks keeps its own memory."""
    cells = minimal(profile_name=["Ada", "Eve"])
    table = table_of(cells)
    out = fields.apply(mapping_of(cells), table)
    before, after = (each["profile_name"].chunk(0).buffers()[2] for each in (table, out))
    assert before.address == after.address


def test_a_mapping_file(tmp_path: Path) -> None:
    """It takes the place of what was recognised, and needs one column of each SPEC to be there."""
    path = tmp_path / "erp.toml"
    path.write_text(
        'order_values = "first_row"\n[fields]\nreference_id = "Nr"\ncreated_at = "When|Datum"\n'
        'total = "Sum"\n[[rows]]\nflag = "refund"\nwhen = [{ column = "Kind", values = ["R"] }]\n'
    )
    cells: Cells = {
        "Nr": ["1", "2"],
        "Datum": ["2021", "2021"],
        "Sum": ["5", "6"],
        "Kind": ["", "r"],
    }
    mapping = mapping_of(cells, file=path)
    assert (mapping.format, mapping.order_values) == ("erp", "first_row")
    out = fields.apply(mapping, table_of(cells))
    assert out["flag"].to_pylist() == [None, "refund"]
    assert out["created_at"].to_pylist() == ["2021", "2021"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[fields", "not valid TOML"),
        ("[feilds]\n", "'feilds', which means nothing"),
        ("[fields]\nreference_id = 5\n", "5, not a text"),
        ('[fields]\nrefrence_id = "Nr"\n', "no field 'refrence_id'"),
        ('[fields]\nreference_id = "Number"\n', "no column 'Number'"),
        ('order_values = "sometimes"\n', "order_values is 'sometimes'"),
        ('[[rows]]\nflag = "x"\n', "not complete"),
        ('[[rows]]\nflag = "x"\nwhen = [{ column = "Nr" }]\n', "not complete"),
        ('[[rows]]\nflag = "x"\nwhen = [{ column = "Nr", pattern = "(" }]\n', "not a pattern"),
        ('fields = ["Nr"]\n', "not a table"),
        ('rows = "Nr"\n', "not a list of tables"),
        ('blank = "x"\n', "not a list of texts"),
    ],
)
def test_a_mapping_file_with_a_mistake_says_where(tmp_path: Path, text: str, message: str) -> None:
    """Each complaint names the file, and what is wrong in it."""
    path = tmp_path / "erp.toml"
    path.write_text(text)
    with pytest.raises(MappingError) as caught:
        mapping_of({"Nr": ["1"], "When": ["2021"], "Sum": ["5"]}, file=path)
    assert message in caught.value.message
    assert caught.value.hint
    if "no field" not in message:
        assert str(path) in caught.value.message


def test_a_mapping_file_that_is_not_there(tmp_path: Path) -> None:
    """The way to get one is in the advice."""
    with pytest.raises(UsageError, match="no such mapping file") as caught:
        mapping_of(minimal(), file=tmp_path / "none.toml")
    assert "--write-mapping" in (caught.value.hint or "")


@pytest.mark.parametrize("name", formats.names())
def test_a_written_mapping_reads_back_the_same(name: str, tmp_path: Path) -> None:
    """For every platform: the mapping file that inspect writes means what was recognised."""
    format = formats.by_name(name)
    header = list(
        dict.fromkeys([*format.required, *format.telling, 'odd "name"\t|{}', "line_item_2"])
    )
    mapping = fields.build_mapping(
        format, header, map=[("created_at", ""), ("description", header[-2])]
    )
    path = tmp_path / "mapping.toml"
    samples = {column: ["a", "line\nbreak \x00\x7f"] for column in header}
    path.write_text(fields.mapping_toml(mapping, header, samples), encoding="utf-8")
    again = fields.build_mapping(
        formats.unknown(), header, map=[("created_at", "")], mapping_file=path
    )
    assert again == mapping
