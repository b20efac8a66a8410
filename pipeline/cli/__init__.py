"""The command line: parse, call, print, exit."""
def main(): pass
