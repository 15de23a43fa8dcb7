from trussform.cli import app

app(prog_name="trussform")
