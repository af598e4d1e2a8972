"""Users, logins, tokens and exact quotas."""
