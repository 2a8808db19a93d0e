"""The kinds of step that a flow is made of, by what they do; `ivr.schema` lists them all.

A kind is one class: its keys as they stand in the file, its ways out, what it names, says and gives values to (for the
checks), and what it does in a call (`take`). A new kind needs nothing else but an entry in `ivr.schema.STEPS`, and
an instruction in `ivr.steps` where it asks telephony for something new.
"""
