"""The tables of the database; ``migrations`` makes them."""

from sqlalchemy import Column, DateTime, Integer, LargeBinary, MetaData, String, Table, func

MAX_NAME = 64
MAX_MEANING = 200

metadata = MetaData()

directions = Table(
    "directions",
    metadata,
    Column("model_sha256", String(64), primary_key=True),
    Column("name", String(MAX_NAME), primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian
    # Of its within-label subspace, float32, (K, D) and (K,); empty without one.
    Column("subspace_rows", LargeBinary, nullable=False),
    Column("subspace_centre", LargeBinary, nullable=False),
    Column("meaning", String(MAX_MEANING), nullable=False),
    Column("method", String(MAX_MEANING), nullable=False),
    Column("images", Integer, nullable=False),
    Column("saved_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
