"""Searching: better hyperparameters, on hours that the gate does not judge; no part of the hourly flow."""
