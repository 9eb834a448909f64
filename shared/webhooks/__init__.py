"""Sending webhooks: which addresses are taken, how they are reached, signed, and tried again."""
