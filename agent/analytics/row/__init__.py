"""The fruit of a row that a camera passes: each counted once, with a band. See DESIGN.md in this folder."""

from agent.analytics.row.band import BUNDLED, Band, PassRecord
from agent.analytics.row.count import RowCount

__all__ = ["BUNDLED", "Band", "PassRecord", "RowCount"]
