from trussform.cli import main

main()
