"""The stages, each a modular pipeline of its own; they share data through the catalog only."""
