"""Architectures: one file each, one interface, one registry of names."""
