"""Stands for worker processes where a test wants tasks, and to see into them."""

from pipeline.engine import InProcess


class Others(InProcess):
    """Executes here what would be done elsewhere."""

    is_alone = False

    def __init__(self):
        super().__init__()
        self.tasks = []

    def submit(self, key, task, *arguments):
        self.tasks.append((task, *arguments))
        super().submit(key, task, *arguments)
