"""The command `linkless`: what a person does by hand at a terminal.

    command_line     options, exit codes, errors as one sentence
      ├─ commands      sources, status, forget, link
      ├─ browser       link --browser: a page on this machine with the provider's form
      └─ into_folders  catalog, run, files: one whole sync, or the documents of bills, in a folder
           ├─ workspace   the configuration file, replaced in one step
           └─ terminal    sentences, tables, moving lines, questions; masks what the provider says

Importing this package imports nothing else: a help text does not wait for Airbyte's CDK.
"""
