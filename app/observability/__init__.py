"""Logs, metrics, traces and the timing of a request."""
