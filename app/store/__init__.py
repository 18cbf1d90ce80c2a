"""What users save: named directions, in a database that workers and replicas share."""
