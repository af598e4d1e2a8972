"""The hourly job: what the hour asks for, one run at a time, told in a log and a record."""
