"""Tuning: better hyperparameters, on hours that the gate does not use; not part of the hourly flow."""
