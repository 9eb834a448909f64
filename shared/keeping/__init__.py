"""Keeping what was stored: whole, as long as it is wanted, within its room, and in backups."""
