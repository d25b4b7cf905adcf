"""All tasks of the breadth matrix. A task's name begins with its program's; see tasks.py for what scripts may use."""

from .programs_cli import TASKS as CLI
from .programs_desktop import TASKS as DESKTOP
from .programs_services import TASKS as SERVICES

TASKS = CLI + SERVICES + DESKTOP
