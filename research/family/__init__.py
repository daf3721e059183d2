"""A family of problems with known unique, shared and interaction information, and what pays where.

From the bottom up: design (which bits, who sees them), sample (rows), limits (closed forms), sweep (methods trained on
them), summary (tables and files), figures. `python -m research.family` runs all of it.
"""

from research.family.design import Bit, Design, place
from research.family.limits import Limits, limits
from research.family.sample import draw, splits

__all__ = ["Bit", "Design", "Limits", "draw", "limits", "place", "splits"]
