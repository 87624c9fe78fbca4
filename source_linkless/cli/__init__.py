"""The command `linkless`: what a person does by hand at a terminal.

    command_line        options, exit codes, errors as one sentence
      ├─ commands       sources, status, forget
      ├─ run_command    catalog, run: one whole sync into files
      └─ link_command   link: which logins, the handshake with a person, the dry run
           ├─ workspace   the configuration file, replaced in one step
           ├─ prompting   questions at the terminal
           └─ screen      sentences, tables, moving lines

Importing this package imports nothing else: a help text does not wait for Airbyte's CDK.
"""
