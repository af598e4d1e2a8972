"""The web interface, above ``make_us_rich`` and beside ``serving``: it knows the API by its addresses alone."""
