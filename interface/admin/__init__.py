"""The sections of the page Admin, one module each."""
