"""Owns the pages on which supervisors say how the hotline stands towards its callers (自动语音)."""
