"""The records: SQLAlchemy behind functions. Schemas go in and come out; rows never leave."""

from shared.records.engine import Records, Transaction

__all__ = ["Records", "Transaction"]
