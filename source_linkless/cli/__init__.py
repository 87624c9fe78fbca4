"""The command `linkless`: what a person does by hand at a terminal.

    command_line     options, exit codes, errors as one sentence
      ├─ commands      sources, status, forget, link
      ├─ browser       link --browser: a page on this machine with the provider's form
      ├─ run_command   catalog, run: one whole sync into files
      └─ files         the original documents of bills
           ├─ workspace   the configuration file, replaced in one step
           ├─ prompting   questions at the terminal
           └─ screen      sentences, tables, moving lines; masks what the provider says

Importing this package imports nothing else: a help text does not wait for Airbyte's CDK.
"""
