"""The newest event of a kind from a camera is found without reading the others.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("event_by_camera", "event", ["kind", "camera"])
