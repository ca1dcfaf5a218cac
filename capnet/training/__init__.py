"""The room that knows Lightning: losses, the task, one run, pretraining."""
