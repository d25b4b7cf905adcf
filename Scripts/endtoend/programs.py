"""All tasks of the breadth matrix. A task's name begins with its program's; see tasks.py for what scripts may use."""

from .programs_cli import TASKS as CLI

TASKS = CLI
