"""The chaos campaign: seeded cases of faults, kills, edits and full disks, each checked against an independent model.

``python -m chaos --help`` (from ``tests``) or ``make chaos`` runs it; docs/chaos.md says what is injected and checked.
"""
