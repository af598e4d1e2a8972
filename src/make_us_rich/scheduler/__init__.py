"""The scheduler: what cron calls. It decides what is due, and runs one pipeline after the other."""
