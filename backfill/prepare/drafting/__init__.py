"""What a draft of orders is made of: order-level values, line items, conversion by source."""
