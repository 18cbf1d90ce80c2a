"""Batched inference: queue, threads, models on their device."""
