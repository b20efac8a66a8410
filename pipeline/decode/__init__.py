"""The hardware hash: its text, its layout, its contents."""
