"""The dots by which accounts are recognised in tables; readable on both themes, never alone in carrying meaning."""

from __future__ import annotations

PALETTE = ("#2563eb", "#c2410c", "#0f766e", "#7c3aed", "#be185d", "#4d7c0f", "#0e7490", "#a16207")


def hex_of(index: int) -> str:
    return PALETTE[index % len(PALETTE)]
