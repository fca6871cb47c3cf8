"""What the amounts of an export are: prices, totals and charges, proved by arithmetic."""
