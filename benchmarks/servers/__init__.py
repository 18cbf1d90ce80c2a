"""The systems that are measured, one file each, and the code they share."""
