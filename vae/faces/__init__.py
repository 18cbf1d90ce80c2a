"""Faces in photographs, with five landmarks: what training and the service share."""
