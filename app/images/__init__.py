"""Image bytes to arrays and back, safely and fast."""
