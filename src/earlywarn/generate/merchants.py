"""Merchant category codes (ISO 18245) that are plausible for a sector, for records that carry an MCC."""

MCCS: dict[str, tuple[str, ...]] = {
    "Accommodation": ("7011", "7032", "7033"),
    "Food and beverage services": ("5811", "5812", "5813", "5814"),
    "Other": ("5998", "7230", "7832", "7997", "8062", "8099"),
    "Retail: Food, beverage, tobacco": ("5411", "5422", "5441", "5451", "5462", "5499", "5921", "5993"),
    "Retail: Fuel stations": ("5541", "5542"),
    "Retail: Other goods": ("5200", "5311", "5651", "5661", "5712", "5732", "5912", "5942", "5945"),
    "Transport services": ("4111", "4112", "4121", "4131", "4511", "7512", "7523"),
}
"""By the sector texts of the Swiss card data; our judgement. Sectors that are not here pass through as they are."""
