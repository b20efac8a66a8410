"""`completion`: what a shell has to know to complete commands and options."""

import os

import click
from click.shell_completion import CompletionItem, ShellComplete, add_completion_class, get_completion_class

from pipeline.cli import options
from pipeline.cli.printing import tell_text

_POWERSHELL = """\
Register-ArgumentCompleter -Native -CommandName %(prog_name)s -ScriptBlock {
    param($word, $line, $cursor)
    $before = $line.CommandElements | Where-Object { $_.Extent.StartOffset -lt $cursor }
    $words = $before | ForEach-Object { $_.Extent.Text }
    $env:%(complete_var)s = "powershell_complete"
    $env:COMP_WORDS = $words -join "`n"
    $env:COMP_CWORD = $word
    try {
        & %(prog_name)s | ForEach-Object {
            $kind, $value, $help = $_ -split "`t", 3
            if ($kind -eq "plain") {
                [System.Management.Automation.CompletionResult]::new($value, $value, "ParameterValue", $help)
            } else {
                [System.Management.Automation.CompletionCompleters]::CompleteFilename($word)
            }
        }
    } finally {
        Remove-Item Env:%(complete_var)s, Env:COMP_WORDS, Env:COMP_CWORD -ErrorAction SilentlyContinue
    }
}
"""


class _PowerShell(ShellComplete):
    """Completion of PowerShell, which click lacks: a line an answer, of its kind, the value and the help."""

    name = "powershell"
    source_template = _POWERSHELL

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one that is typed, and that; PowerShell has no empty variables."""
        word = os.environ.get("COMP_CWORD", "")
        words = os.environ.get("COMP_WORDS", "").split("\n")[1:]
        before = words[:-1] if word and words else words
        return [one.strip("'\"") for one in before], word

    def format_completion(self, item: CompletionItem) -> str:
        """An answer; its help is never empty, since PowerShell refuses that."""
        return f"{item.type}\t{item.value}\t{' '.join((item.help or item.value).split())}"


add_completion_class(_PowerShell)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish", "powershell"]))
@options.config
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a SHELL.

    It goes to ~/.bash_completion, ~/.zfunc/_autopilot-intake (a folder of fpath),
    ~/.config/fish/completions/autopilot-intake.fish, or is added to $PROFILE of PowerShell.
    """
    made = get_completion_class(shell)
    if made is None:
        message = f"{shell}: no completion for it"
        raise click.UsageError(message)
    tell_text(made(context.find_root().command, {}, "autopilot-intake", "_AUTOPILOT_INTAKE_COMPLETE").source())
