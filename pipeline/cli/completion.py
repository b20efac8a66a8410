"""`completion`: what a shell has to know to complete commands and options."""

import click
from click.shell_completion import get_completion_class

from pipeline.cli import options
from pipeline.cli.printing import tell_text


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.config
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL; the README says where it goes."""
    made = get_completion_class(shell)
    if made is None:
        message = f"{shell}: no completion for it"
        raise click.UsageError(message)
    tell_text(made(context.find_root().command, {}, "autopilot-intake", "_AUTOPILOT_INTAKE_COMPLETE").source())
