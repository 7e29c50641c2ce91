"""Where weights come from: the hub, a folder, the tasks of another study."""
