"""How good a forecast is: scores, and what is built on them. Pure functions on arrays."""
