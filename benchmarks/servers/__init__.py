"""The systems that are measured, one file each, and what they share."""
