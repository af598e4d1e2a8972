"""The stages, each a modular pipeline of its own; they meet in the catalog and never import one another."""
