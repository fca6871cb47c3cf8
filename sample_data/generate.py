"""Makes sample exports of an invented shop: the committed samples, and files of any size.

    python sample_data/generate.py --samples
        writes orders.csv, shopify_orders.csv, orders.xlsx, affiliates.csv and expected.json
        beside this file (or into --out FOLDER); what is planted in them stands in planted.py

    python sample_data/generate.py --lines 1000000 --format generic --out big.csv
        a million line items (about 461,000 orders) in seconds; --format shopify for the 79 columns
        of Shopify's admin export, --scattered to strew each order's rows over the whole file,
        --bad 2 to spoil 2 percent of the orders, --seed N for other data

The same options and seed give the same bytes (with the same versions of numpy and xlsxwriter).
"""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Parse the command line and write what it asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", action="store_true", help="write the committed samples")
    parser.add_argument("--lines", type=int, metavar="N", help="line items in the file")
    parser.add_argument("--format", choices=("generic", "shopify"), default="generic")
    parser.add_argument("--out", type=Path, help="the file to write (a folder with --samples)")
    parser.add_argument("--scattered", action="store_true", help="shuffle the rows")
    parser.add_argument("--bad", type=float, default=0.0, metavar="PERCENT", help="bad orders")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.samples:
        from samples import write_samples

        write_samples(options.out or Path(__file__).parent)
    elif options.lines and options.out:
        from bulk import write_bulk

        write_bulk(
            options.out,
            options.lines,
            shape=options.format,
            scattered=options.scattered,
            bad_percent=options.bad,
            seed=options.seed,
        )
    else:
        parser.error("give --samples, or --lines and --out")


if __name__ == "__main__":
    main()
