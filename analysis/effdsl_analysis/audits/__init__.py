"""What cannot be right: one SQL file per rule."""
