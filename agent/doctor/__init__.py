"""What `hedgerow doctor` checks. See DESIGN.md in this folder."""

from agent.doctor.examination import Examination, examine
from agent.doctor.finding import Finding, Level

__all__ = ["Examination", "Finding", "Level", "examine"]
